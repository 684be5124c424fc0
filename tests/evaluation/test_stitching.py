"""Chaining the ledgers of several tests: money is carried on, positions are closed at the cost of doing so, and nothing is lost."""

from __future__ import annotations

import numpy as np
import pytest

from seawall.core.bars import CLOSE
from seawall.core.errors import DataError
from seawall.core.market import RowRange
from seawall.evaluation.backtest import backtest
from seawall.evaluation.baselines import Constant, RandomExposure
from seawall.evaluation.ledger import Ledgers
from seawall.evaluation.metrics import ledger_metrics
from seawall.evaluation.stitching import FOLD_END, Between, stitched
from seawall.evaluation.trades import round_trips
from seawall.market.synthetic.known import PlantedEdgeParams
from seawall.recipes.dataset import prepare
from seawall.recipes.schema import validate_recipe
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.params import CostParams
from seawall.simulator.desk import Desk

COSTS = CostParams(taker_bps=10.0, spread_bps=2.0)


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    recipe = validate_recipe(
        {
            "name": "stitch",
            "data": {"kind": "planted_edge", **PlantedEdgeParams(n_bars=400).model_dump(exclude={"seed"})},
            "features": {"set": "ichimoku"},
            "environment": {"window": 12},
            "network": "conv",
            "agent": "ppo",
        },
        "stitch",
    )
    return prepare(recipe, tmp_path_factory.mktemp("data")).market


def walked(market, policy, rows):
    scheme = action_scheme("target_exposure", True)
    return backtest(policy, market, rows, Desk(scheme, None, 1), COSTS)


def made(market, ranges):
    random = RandomExposure(3, 1, 0.2, len(market), 3)
    tests = []
    for rows in ranges:
        ledger = walked(market, random, rows)
        tests.append((rows, Ledgers(ledger, {0: ledger}, {"buy_and_hold": walked(market, Constant(2), rows)})))
    return tests, Between(market.timestamps, market.prices[:, CLOSE], COSTS)


@pytest.mark.parametrize("ranges", [(RowRange(120, 200), RowRange(200, 260)), (RowRange(120, 180), RowRange(230, 300))])
def test_the_whole_makes_what_its_tests_made_less_what_closing_cost(market, ranges):
    tests, between = made(market, ranges)
    whole = stitched(tests, between)
    for name in ("ensemble", "buy_and_hold"):
        first, second = (ledgers.named()[name] for _, ledgers in tests)
        held = abs(first.column("exposure")[-1])
        kept = (1 + first.returns()).prod() * (1 - held * 11e-4) * (1 + second.returns()).prod()
        assert whole.named()[name].equity_curve()[-1] / first.initial_equity == pytest.approx(kept, rel=1e-12)
    rows = ranges[1].stop - ranges[0].start
    assert len(whole.ensemble.timestamps_ms) == rows
    assert len(whole.ensemble.frame) == rows - 1
    np.testing.assert_array_equal(whole.ensemble.frame["row"], np.arange(ranges[0].start, ranges[1].stop - 1))


def test_profits_of_trades_and_costs_still_add_up_and_the_bars_between_are_flat(market):
    tests, between = made(market, (RowRange(120, 180), RowRange(230, 300)))
    ledger = stitched(tests, between).baselines["buy_and_hold"]
    frame = ledger.frame
    change = frame["price_pnl"].sum() - ledger.costs().sum() + frame["write_off"].sum()
    assert frame["equity"].iloc[-1] - ledger.initial_equity == pytest.approx(change, rel=1e-9)
    assert round_trips(ledger).profit.sum() == pytest.approx(change, rel=1e-9)
    assert len(round_trips(ledger)) == 2
    gap = frame[(frame["row"] >= 179) & (frame["row"] < 230)]
    assert (gap["exposure"] == 0.0).all()
    assert gap["traded_notional"].iloc[1:].sum() == 0.0
    assert ledger_metrics(ledger)["exits"] == {FOLD_END: 1}


def test_tests_that_share_a_row_or_lack_a_policy_are_refused(market):
    tests, between = made(market, (RowRange(120, 200), RowRange(199, 260)))
    with pytest.raises(DataError, match=r"test rows 199\.\.259 begin before row 200"):
        stitched(tests, between)
    tests, between = made(market, (RowRange(120, 200), RowRange(200, 260)))
    bare = Ledgers(tests[1][1].ensemble, {0: tests[1][1].ensemble}, {})
    with pytest.raises(DataError, match="lack buy_and_hold"):
        stitched([tests[0], (tests[1][0], bare)], between)
