"""The report in a real browser: it draws every figure, has no error, and asks for nothing."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from seawall.core.market import Market, RowRange
from seawall.core.timeframe import Timeframe
from seawall.evaluation.evaluate import Candidates, Setting, evaluate
from seawall.evaluation.judge import RunFacts
from seawall.evaluation.params import EvaluationParams
from seawall.evaluation.report import render_report
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.params import CostParams
from seawall.simulator.desk import Desk
from seawall.simulator.settings import SimulatorParams

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium or chrome on this machine")
ROWS = 5_000


class Coin:
    """A policy that draws its actions beforehand."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.actions = np.where(rng.random(ROWS) < 0.05, rng.integers(0, 2, ROWS), 2)

    def act(self, observation, *, deterministic=True):
        return self.actions[observation.rows], {}


def write_page(path: Path) -> None:
    rng = np.random.default_rng(0)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, ROWS)))
    opening = np.concatenate([[100.0], close[:-1]])
    prices = np.stack([opening, np.maximum(opening, close), np.minimum(opening, close), close, np.ones(ROWS)], axis=1)
    times = 1_700_000_000_000 + np.arange(ROWS, dtype=np.int64) * 3_600_000
    no_features = np.zeros((ROWS, 0), dtype=np.float32)
    market = Market(("TEST",), (0, ROWS), Timeframe(3_600), times, prices, no_features, (), (0,))

    def desk() -> Desk:
        return Desk(action_scheme("sell_buy_hold", False), None, 1)

    setting = Setting(market, RowRange(200, ROWS), desk, False, CostParams(), SimulatorParams(), ())
    params = EvaluationParams.model_validate({"bootstrap": {"n_resamples": 100}})
    facts = RunFacts("tradernet", "0" * 64, "TEST", "1h", {"taker_bps": 10.0, "spread_bps": 2.0})
    judgement, ledgers = evaluate(Candidates(Coin(1), {0: Coin(2), 1: Coin(3)}), setting, params, facts)
    render_report(judgement, ledgers, "name: tradernet\n", path)


def dumped(page: Path, profile: Path, *flags: str) -> str:
    """The page's document after its scripts have run."""
    command = [
        str(BROWSER),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--no-first-run",
        f"--user-data-dir={profile}",
        "--virtual-time-budget=20000",
        *flags,
        "--dump-dom",
        page.as_uri(),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("report") / "index.html"
    write_page(path)
    return path


@pytest.mark.parametrize("width", [1280, 500])
def test_every_figure_is_drawn_without_an_error_or_a_request(page, tmp_path, width):
    document = dumped(page, tmp_path, f"--window-size={width},2000")
    head = document[: document.index("<head")]
    assert 'data-figures="12"' in head
    assert "data-problems" not in head
    assert len(re.findall(r'<div class="plot[^"]*js-plotly-plot"', document)) == 12


@pytest.mark.parametrize(
    "planted",
    ['<img src="http://localhost:9/x.png">', "<script>fetch('http://localhost:9/')</script>", "<script>missing()</script>"],
)
def test_a_request_or_an_error_would_be_seen(page, tmp_path, planted):
    broken = tmp_path / "broken.html"
    text = page.read_text(encoding="utf-8")
    broken.write_text(text.replace("</main>", f"{planted}</main>"), encoding="utf-8")
    document = dumped(broken, tmp_path / "profile")
    assert "data-problems" in document[: document.index("<head")]
