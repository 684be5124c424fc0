"""Where a portfolio's money came from: each asset's part, and that the parts are the whole."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.portfolio_worlds import COSTS, Wandering, setting_of, walking
from seawall.core.bars import CLOSE
from seawall.core.market import RowRange
from seawall.evaluation.attribution_figures import attribution_figures
from seawall.evaluation.evaluate import Candidates
from seawall.evaluation.judge import RunFacts
from seawall.evaluation.params import EvaluationParams
from seawall.evaluation.portfolio_attribution import portfolio_attribution
from seawall.evaluation.portfolio_backtest import portfolio_backtest
from seawall.evaluation.portfolio_evaluate import evaluate_portfolios
from seawall.evaluation.portfolio_report import portfolio_report_html
from seawall.simulator.costs.params import CostParams, SlippageParams
from simulator.small_portfolios import panel_of, walk

GROUPS = ("by_asset", "by_hour", "by_weekday", "by_session", "by_regime", "by_cost")
SLIPPING = CostParams(taker_bps=20.0, spread_bps=6.0, slippage=SlippageParams(base_bps=3.0))
DATA = {"source": "synthetic", "reference": "a walk", "rows": 300, "features": []}
FACTS = RunFacts("portfolio", "0" * 64, "A, B, C", "1h", {"taker_bps": 10.0, "spread_bps": 4.0}, data=DATA)


@pytest.mark.parametrize(
    ("costs", "accounts"), [(COSTS, {}), (SLIPPING, {"no_trade_band": 0.05}), (SLIPPING.model_copy(update={"fill_ratio": 0.5}), {})]
)
def test_every_grouping_adds_up_to_the_change_of_equity(costs, accounts):
    setting = walking(costs, **accounts)
    ledger = portfolio_backtest(Wandering(3), setting)
    found = portfolio_attribution(ledger, setting)
    change = ledger.column("equity")[-1] - 1_000.0
    for key in GROUPS:
        assert sum(group["net"] for group in found[key]) == pytest.approx(change, abs=1e-9 * 1_000.0), key
    for part in ("fee", "spread", "slippage"):
        assert sum(group[part] for group in found["by_asset"]) == pytest.approx(ledger.column(part).sum(), abs=1e-9), part
    assert sum(group["gross"] for group in found["by_asset"]) == pytest.approx(ledger.column("price_pnl").sum(), abs=1e-6)


def test_assets_with_rates_of_their_own_pay_these():
    panel = walk(4, 3, 300)
    dear = {
        symbol: CostParams(taker_bps=bps, spread_bps=2.0) for symbol, bps in zip(panel.symbols, (0.0, 10.0, 100.0), strict=True)
    }
    setting = setting_of(panel, dear, RowRange(10, 300))
    ledger = portfolio_backtest(Wandering(3), setting)
    free, middle, costly = portfolio_attribution(ledger, setting)["by_asset"]
    assert free["fee"] == 0.0
    assert costly["fee"] > 5.0 * middle["fee"] > 0.0
    total = sum(group["net"] for group in (free, middle, costly))
    assert total == pytest.approx(ledger.column("equity")[-1] - 1_000.0, abs=1e-6)


def test_a_gain_belongs_to_the_asset_that_made_it():
    # Half in each of two assets from the first open on: the first one gains 10 % after it, the second stands still.
    setting = setting_of(panel_of([np.array([100.0, 100.0, 110.0]), np.array([50.0, 50.0, 50.0])]))
    halves = Wandering(2)
    halves.weights = np.tile([0.0, 0.5, 0.5], (1_000, 1))
    found = {group["name"]: group for group in portfolio_attribution(portfolio_backtest(halves, setting), setting)["by_asset"]}
    first, second = setting.panel.symbols
    assert setting.panel.prices[0, :, CLOSE].tolist() == [100.0, 100.0, 110.0]
    assert (found[first]["net"], found[second]["net"]) == (pytest.approx(50.0), pytest.approx(0.0, abs=1e-9))
    assert found[first]["share"] == pytest.approx(0.05)


@pytest.fixture(scope="module")
def judged():
    params = EvaluationParams.model_validate({"bootstrap": {"n_resamples": 100}, "verdict": {"min_seeds": 2}})
    return evaluate_portfolios(Candidates(Wandering(3), {0: Wandering(3, 1), 1: Wandering(3, 2)}), walking(), params, FACTS)


def test_a_judgement_and_its_page_tell_what_each_asset_brought(judged):
    document = judged[0].document
    shares = {group["name"]: group["share"] for group in document["attribution"]["by_asset"]}
    assert sum(shares.values()) == pytest.approx(document["ensemble"]["total_return"], abs=1e-9)
    drawn = attribution_figures(document["attribution"])
    assert set(drawn) == {"asset", "hour", "weekday", "session", "regime", "cost_parts"}
    np.testing.assert_allclose(drawn["asset"].data[0].y, [100.0 * value for value in shares.values()])
    page = portfolio_report_html(*judged, "")
    assert all(f'id="plot-{name}"' in page for name in drawn)
    assert page.count("Where the money came from") == 1


def test_a_judgement_without_it_still_has_a_page(judged):
    old = type(judged[0])({key: value for key, value in judged[0].document.items() if key != "attribution"})
    assert "Where the money came from" not in portfolio_report_html(old, judged[1], "")
