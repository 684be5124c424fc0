"""The page of a portfolio in a real browser: it draws every figure, has no error, and asks for nothing."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from evaluation.portfolio_worlds import Wandering, walking
from seawall.evaluation.evaluate import Candidates
from seawall.evaluation.judge import RunFacts
from seawall.evaluation.params import EvaluationParams
from seawall.evaluation.portfolio_evaluate import evaluate_portfolios
from seawall.evaluation.portfolio_report import render_portfolio_report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium or chrome on this machine")


@pytest.mark.parametrize("width", [1280, 500])
def test_every_figure_of_a_portfolio_is_drawn_without_an_error_or_a_request(tmp_path, width):
    params = EvaluationParams.model_validate({"bootstrap": {"n_resamples": 100}})
    data = {"source": "synthetic", "reference": "<b>seed</b> 0", "rows": 300, "features": []}
    facts = RunFacts("portfolio", "0" * 64, "A, B, C", "1h", {"taker_bps": 10.0, "spread_bps": 4.0}, data)
    judged = evaluate_portfolios(Candidates(Wandering(3), {0: Wandering(3)}), walking(), params, facts)
    page = tmp_path / "index.html"
    render_portfolio_report(*judged, "name: <i>portfolio</i>\n", page)
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    command = [str(BROWSER), *flags, f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=20000"]
    command += [f"--window-size={width},2000", "--dump-dom", page.as_uri()]
    document = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    head = document[: document.index("<head")]
    assert 'data-figures="11"' in head
    assert "data-problems" not in head
    assert len(re.findall(r'<div class="plot[^"]*js-plotly-plot"', document)) == 11
    assert "<b>seed</b>" not in document
    assert "<i>portfolio</i>" not in document
