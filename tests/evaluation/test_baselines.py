"""The rivals: what each does, and that none looks ahead."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from worlds import random_market, straight

from seawall.core.market import RowRange
from seawall.core.protocols import Observation
from seawall.evaluation.backtest import backtest
from seawall.evaluation.baselines import BASELINES, RIVALS, UNGUARDED, BaselineParams, BaselineSetting, MovingAverageCross, always
from seawall.evaluation.evaluate import Setting, change_rate, rivals
from seawall.evaluation.side_by_side import backtest_together
from seawall.guards.chain import GuardChain
from seawall.guards.n_consecutive import NConsecutive, NConsecutiveParams
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.params import CostParams, FinancingParams, FundingParams
from seawall.simulator.desk import Desk
from seawall.simulator.settings import SimulatorParams

SHORT, LONG_ONLY = (-1.0, 0.0, 1.0), (0.0, 1.0)


def act(policy, market, rows) -> np.ndarray:
    rows = np.asarray(rows)
    return policy.act(Observation(market, rows, np.zeros((len(rows), 0), dtype=np.float32)))[0]


def setting(levels=SHORT, rate=0.1, n_rows=2_000, **params) -> BaselineSetting:
    return BaselineSetting(levels, rate, n_rows, BaselineParams(**params))


def test_there_are_eleven_rivals():
    rules = ["ema_cross", "momentum", "last_return", "mean_reversion", "volatility_gate"]
    assert list(BASELINES) == ["flat", "buy_and_hold", "random", "sma_cross", *rules]
    assert list(RIVALS) == [*BASELINES, "always_buy", "always_sell"]


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
    with pytest.raises(ValueError, match="ema_fast_bars 9 must be below ema_slow_bars 9"):
        BaselineParams(ema_fast_bars=9, ema_slow_bars=9)


def test_the_exponential_cross_by_hand():
    policy = BASELINES["ema_cross"](setting(ema_fast_bars=1, ema_slow_bars=3))
    market = straight(10.0, 10.0, 10.0, 12.0, 11.0, 10.0)
    # Span 1 is the close itself; span 3 weighs each bar by half of the one after. Row 3: 12 above. Row 4: the slow mean is
    # (11 + 6 + 2.5 + 1.25 + 0.625) / 1.9375 = 11.03, above 11. Row 5: falls on.
    assert act(policy, market, range(6)).tolist() == [1, 1, 0, 2, 0, 0]


def test_momentum_and_the_last_return_by_hand():
    market = straight(10.0, 11.0, 12.0, 11.0, 11.0, 9.0)
    assert act(BASELINES["last_return"](setting()), market, range(6)).tolist() == [1, 2, 2, 0, 1, 0]
    assert act(BASELINES["momentum"](setting(momentum_bars=3)), market, range(6)).tolist() == [1, 1, 1, 2, 1, 0]


def test_mean_reversion_by_hand():
    policy = BASELINES["mean_reversion"](setting(reversion_bars=3, reversion_deviations=1.0))
    # Row 2: 10 of (10, 10, 10) is no deviation. Row 3: 13 lies 2 above its mean of 11, deviation sqrt(2): short. Row 4: 12 of
    # (10, 13, 12) lies 0.33 above, inside. Row 5: 8 lies 3 below 11, deviation 2.2: long.
    assert act(policy, straight(10.0, 10.0, 10.0, 13.0, 12.0, 8.0), range(6)).tolist() == [1, 1, 1, 0, 1, 2]


def test_the_volatility_gate_opens_where_bars_move_more_than_a_round_trip_costs():
    market = straight(100.0, 100.1, 100.2, 103.0, 100.0, 99.9)
    made = dataclasses.replace(setting(gate_bars=2), round_trip=0.01)
    # Mean true ranges of two bars: row 2: 0.1 of 100.2. Row 3: 1.45 of 103. Row 4: 2.9 of 100. Row 5: 1.55 of 99.9.
    assert act(BASELINES["volatility_gate"](made), market, range(6)).tolist() == [1, 1, 1, 2, 0, 0]


@pytest.mark.parametrize("scheme", ["buy_sell_hold", "sell_buy_hold", "target_exposure", "hold_long_short_close", "thresholded"])
@pytest.mark.parametrize("short", [True, False])
def test_always_buying_and_selling_by_the_runs_own_actions(scheme, short):
    made = action_scheme(scheme, short)
    policies = always(made)
    market, rows = random_market(1, 30, 0.001), RowRange(0, 30)
    ledgers = backtest_together(policies, market, rows, Desk(made, None, 2), CostParams(), SimulatorParams())
    assert set(ledgers["always_buy"].targets()) == {1.0}
    assert set(ledgers["always_sell"].targets()) == {-1.0 if short else 0.0}
    if scheme.endswith("hold"):
        assert set(ledgers["always_sell"].column("signal")) == {-1.0}
        assert set(ledgers["always_buy"].column("signal")) == {1.0}


def guarded(scheme, n, mode):
    return Desk(scheme, GuardChain([NConsecutive(NConsecutiveParams(n=2, mode=mode))]) if mode else None, n)


@pytest.mark.parametrize("mode", [None, "veto_repeat", "confirm"])
@pytest.mark.parametrize("short", [True, False])
def test_ledgers_side_by_side_are_those_of_single_backtests(mode, short):
    scheme = action_scheme("target_exposure", short)
    market, rows = random_market(9, 700, 0.02), RowRange(50, 700)
    holding = CostParams(financing=FinancingParams(long_apr=0.1, short_apr=0.2), funding=FundingParams(rate_bps=1.0))
    doomed = market.prices.copy()
    # A short position dies here.
    doomed[400:] *= 4.0
    market = dataclasses.replace(market, prices=doomed)
    made = BaselineSetting(scheme.levels, 0.1, len(market), BaselineParams(), 0.0022)
    policies = {name: make(made) for name, make in BASELINES.items()}
    together = backtest_together(policies, market, rows, guarded(scheme, len(policies), mode), holding, SimulatorParams())
    for name, policy in policies.items():
        alone = backtest(policy, market, rows, guarded(scheme, 1, mode), holding, SimulatorParams())
        assert together[name].frame.equals(alone.frame), name
        assert together[name].initial_equity == alone.initial_equity
    lengths = {len(ledger.frame) for ledger in together.values()}
    assert (len(lengths) > 1) == short


@pytest.mark.parametrize("scheme", ["target_position", "hold_long_short_close", "continuous_target"])
def test_any_scheme_is_walked_side_by_side(scheme):
    made = action_scheme(scheme, True)
    market, rows = random_market(10, 200, 0.004), RowRange(0, 200)
    together = backtest_together(always(made), market, rows, Desk(made, None, 2), CostParams(), SimulatorParams())
    for name, policy in always(made).items():
        alone = backtest(policy, market, rows, Desk(made, None, 1), CostParams(), SimulatorParams())
        assert together[name].frame.equals(alone.frame), name


def test_rivals_stand_behind_the_runs_guards_and_the_known_ones_without_them_too():
    market, rows = random_market(6, 600), RowRange(150, 600)
    scheme = action_scheme("buy_sell_hold", True)
    world = Setting(market, rows, lambda: guarded(scheme, 1, "confirm"), True, CostParams(), SimulatorParams(), ())
    ledgers = rivals(world, BaselineParams(), 0.1, lambda _name: None)
    assert list(ledgers) == [*RIVALS, *(name + UNGUARDED for name in ("buy_and_hold", "random", "sma_cross"))]
    # The rule wants to hear a signal twice.
    assert ledgers["buy_and_hold"].targets()[:3].tolist() == [0.0, 1.0, 1.0]
    assert ledgers["buy_and_hold" + UNGUARDED].targets()[:3].tolist() == [1.0, 1.0, 1.0]
    assert (ledgers["sma_cross"].frame["guard"] == "n_consecutive").any()
    assert not (ledgers["sma_cross" + UNGUARDED].frame["guard"] != "").any()


def test_every_rival_pays_the_same_costs_as_the_policy_and_holds_the_same_exposures():
    market = random_market(6, 600)
    rows = RowRange(150, 600)
    world = Setting(
        market, rows, lambda: Desk(action_scheme("buy_sell_hold", False), None, 1), False, CostParams(), SimulatorParams(), ()
    )
    told: list[str] = []
    ledgers = rivals(world, BaselineParams(), 0.1, told.append)
    assert told == list(RIVALS) == list(ledgers)
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
