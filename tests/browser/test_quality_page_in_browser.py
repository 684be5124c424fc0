"""The quality page in a real browser: it draws every figure, has no error, and asks for nothing."""

from __future__ import annotations

import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from seawall.core.bars import from_milliseconds
from seawall.evaluation.quality_page import SeriesCheck, write_quality_page
from seawall.market.checks.panel_facts import panel_facts
from seawall.market.checks.quality import check_bars

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium or chrome on this machine")


def market(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(0.003 * rng.standard_t(3, 5_000)))
    opening = np.concatenate([[100.0], close[:-1]])
    high, low = np.maximum(opening, close), np.minimum(opening, close)
    times = from_milliseconds(1_704_067_200_000 + 3_600_000 * np.arange(5_000))
    bars = pd.DataFrame({"timestamp": times, "open": opening, "high": high, "low": low, "close": close, "volume": high})
    return bars.drop(index=[*range(200 + seed, 260), 900]).reset_index(drop=True)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("quality") / "quality.html"
    series = {f"series <{seed}>": market(seed) for seed in range(2)}
    panel = panel_facts(series)
    series["series <0>"].loc[[40, 50], "close"] = [np.nan, -1.0]
    entries = [SeriesCheck(name, check_bars(bars), bars) for name, bars in series.items()]
    write_quality_page(path, [*entries, SeriesCheck("broken", error="broken.csv is empty")], panel)
    return path


def document(page, profile, *flags):
    """The page after its scripts have run."""
    always = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
    command = [str(BROWSER), *always, f"--user-data-dir={profile}", "--virtual-time-budget=20000", *flags, "--dump-dom"]
    return subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.mark.parametrize("width", [1280, 500])
def test_every_figure_of_the_quality_page_is_drawn_without_an_error_or_a_request(page, tmp_path, width):
    found = document(page, tmp_path, f"--window-size={width},2000")
    head = found[: found.index("<head")]
    assert 'data-figures="6"' in head
    assert "data-problems" not in head
    assert len(re.findall(r'<div class="plot[^"]*js-plotly-plot"', found)) == 6


def test_an_error_on_the_quality_page_would_be_seen(page, tmp_path):
    broken = tmp_path / "broken.html"
    broken.write_text(page.read_text(encoding="utf-8").replace("</main>", "<script>missing()</script></main>"), encoding="utf-8")
    found = document(broken, tmp_path / "profile")
    assert "data-problems" in found[: found.index("<head")]
