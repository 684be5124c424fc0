"""The rivals: what each does, and that none looks ahead."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from worlds import random_market, straight

from seawall.core.market import RowRange
from seawall.core.protocols import Observation
from seawall.evaluation.backtest import backtest
from seawall.evaluation.baselines import BASELINES, BaselineParams, BaselineSetting, MovingAverageCross
from seawall.evaluation.evaluate import Setting, change_rate, rivals
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.params import CostParams
from seawall.simulator.desk import Desk
from seawall.simulator.settings import SimulatorParams

SHORT, LONG_ONLY = (-1.0, 0.0, 1.0), (0.0, 1.0)


def act(policy, market, rows) -> np.ndarray:
    rows = np.asarray(rows)
    return policy.act(Observation(market, rows, np.zeros((len(rows), 0), dtype=np.float32)))[0]


def setting(levels=SHORT, rate=0.1, n_rows=2_000, **params) -> BaselineSetting:
    return BaselineSetting(levels, rate, n_rows, BaselineParams(**params))


def test_there_are_four_rivals():
    assert list(BASELINES) == ["flat", "buy_and_hold", "random", "sma_cross"]


@pytest.mark.parametrize(("levels", "flat", "long"), [(SHORT, 1, 2), (LONG_ONLY, 0, 1)])
def test_flat_and_buy_and_hold_ask_for_one_exposure(levels, flat, long):
    market = random_market(0, 50)
    assert set(act(BASELINES["flat"](setting(levels)), market, range(50))) == {flat}
    assert set(act(BASELINES["buy_and_hold"](setting(levels)), market, range(50))) == {long}


def test_the_average_cross_by_hand():
    policy = MovingAverageCross(2, 4, (0, 1, 2))
    market = straight(10.0, 10.0, 10.0, 10.0, 12.0, 12.0, 8.0, 8.0)
    # Row 3: 10 = 10, not above. Row 4: 11 > 10.5. Row 5: 12 > 11. Row 6: 10 < 10.5. Row 7: 8 < 10.
    assert act(policy, market, range(8)).tolist() == [1, 1, 1, 0, 2, 2, 0, 0]


def test_where_short_is_not_allowed_the_cross_goes_flat():
    policy = BASELINES["sma_cross"](setting(LONG_ONLY, sma_fast_bars=2, sma_slow_bars=4))
    assert act(policy, straight(10.0, 10.0, 10.0, 10.0, 12.0, 8.0, 6.0), [4, 6]).tolist() == [1, 0]


def test_the_average_cross_does_not_reach_into_another_series():
    one = random_market(1, 60)
    joined = dataclasses.replace(one, symbols=("A", "B"), starts=(0, 30, 60), ready=(0, 30))
    policy = MovingAverageCross(2, 10, (0, 1, 2))
    assert act(policy, joined, range(30, 39)).tolist() == [1] * 9
    assert act(policy, joined, [39])[0] != 1


@pytest.mark.parametrize("name", list(BASELINES))
def test_no_rival_looks_ahead(name):
    market = random_market(2, 400)
    future = market.prices.copy()
    future[250:] *= 5.0
    changed = dataclasses.replace(market, prices=future)
    policy = BASELINES[name](setting(n_rows=400))
    np.testing.assert_array_equal(act(policy, market, range(250)), act(policy, changed, range(250)))


def test_the_random_rival_changes_as_often_as_asked():
    actions = act(BASELINES["random"](setting(rate=0.25, n_rows=40_000)), random_market(3, 10), range(40_000))
    changed = np.mean(np.diff(actions) != 0)
    # Four standard errors of a share of 0.25 in 40,000 draws: 0.0087.
    assert changed == pytest.approx(0.25, abs=0.0087)
    assert set(actions) == {0, 1, 2}


def test_the_random_rival_is_drawn_from_its_seed():
    market = random_market(4, 10)
    paths = [act(BASELINES["random"](setting(seed=seed)), market, range(2_000)) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(paths[0], paths[1])
    assert (paths[0] != paths[2]).any()


def test_a_rate_of_zero_never_trades():
    assert set(act(BASELINES["random"](setting(rate=0.0)), random_market(5, 10), range(2_000))) == {1}


def test_slow_must_be_slower_than_fast():
    with pytest.raises(ValueError, match="must be below"):
        BaselineParams(sma_fast_bars=50, sma_slow_bars=50)


def test_every_rival_pays_the_same_costs_as_the_policy_and_holds_the_same_exposures():
    market = random_market(6, 600)
    rows = RowRange(150, 600)
    world = Setting(
        market, rows, lambda: Desk(action_scheme("buy_sell_hold", False), None, 1), False, CostParams(), SimulatorParams(), ()
    )
    told: list[str] = []
    ledgers = rivals(world, BaselineParams(), 0.1, told.append)
    assert told == list(BASELINES)
    for ledger in ledgers.values():
        traded = ledger.column("traded_notional").sum()
        assert ledger.column("fee").sum() == pytest.approx(0.001 * traded, rel=1e-12)
        assert set(ledger.targets()) <= {0.0, 1.0}
        assert len(ledger.frame) == 449
    assert ledgers["flat"].column("traded_notional").sum() == 0.0
    assert ledgers["buy_and_hold"].column("traded_notional")[1:].sum() == 0.0


def test_the_change_rate_is_the_share_of_decisions_that_changed_the_exposure():
    class Play:
        def act(self, observation, *, deterministic=True):
            return np.array([[0, 1, 1, 0, 0, 0][int(observation.rows[0])]]), {}

    desk = Desk(action_scheme("target_exposure", False), None, 1)
    ledger = backtest(Play(), random_market(7, 6), RowRange(0, 6), desk, CostParams())
    assert change_rate(ledger) == pytest.approx(2 / 5)
