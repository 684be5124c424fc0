"""The page of features in a real browser: figures are drawn as they come near, without an error or a request."""

from __future__ import annotations

import re
import shutil
import subprocess

import numpy as np
import pytest

from seawall.core.market import RowRange
from seawall.evaluation.feature_facts import feature_facts
from seawall.evaluation.feature_page import FeatureView, write_feature_page
from seawall.market.splits import Split

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium or chrome on this machine")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    columns = [f"column <{number}>" for number in range(30)]
    split = Split(RowRange(0, 700), RowRange(700, 850), RowRange(850, 1_000), 0)
    block = np.random.default_rng(0).standard_normal((1_000, 30))
    spans = {"training": {"first": "2024-01-01T00:00:00", "last": "2024-02-01T00:00:00", "bars": 700}}
    view = FeatureView("many", columns, block, split, 0, feature_facts(block, columns, split), spans)
    path = tmp_path_factory.mktemp("features") / "many.html"
    write_feature_page(path, view)
    return path


@pytest.mark.parametrize(("height", "least", "most"), [(2_500, 2, 12), (20_000, 31, 31)])
def test_the_figures_that_are_near_are_drawn_and_no_others(page, tmp_path, height, least, most):
    always = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
    command = [str(BROWSER), *always, f"--user-data-dir={tmp_path}", "--virtual-time-budget=20000", f"--window-size=1280,{height}"]
    found = subprocess.run([*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=120, check=True).stdout
    head = found[: found.index("<head")]
    assert "data-problems" not in head
    drawn = len(re.findall(r'<div class="plot[^"]*js-plotly-plot"', found))
    assert f'data-figures="{drawn}"' in head
    assert least <= drawn <= most
