"""The environment that trains and the backtest that judges are one market: the same policy leaves the same ledger in both."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.core.market import Market, RowRange
from seawall.core.protocols import Observation
from seawall.core.timeframe import Timeframe
from seawall.envs.params import EnvironmentParams
from seawall.envs.vector import TradingVectorEnv
from seawall.evaluation.backtest import backtest
from seawall.guards.chain import GuardChain
from seawall.guards.n_consecutive import NConsecutiveParams
from seawall.guards.registry import guard_chain
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.params import CostParams
from seawall.simulator.desk import Desk
from seawall.simulator.settings import SimulatorParams

ROWS, WINDOW = 300, 4
COMPARED = (
    "row",
    "action",
    "signal",
    "proposed",
    "allowed",
    "fill_price",
    "traded_notional",
    "quantity",
    "fee",
    "spread",
    "price_pnl",
    "equity",
)


@dataclass(frozen=True)
class World:
    """What both drivers are given."""

    market: Market
    rows: RowRange
    costs: CostParams
    simulator: SimulatorParams
    guarded: bool
    short: bool

    def guards(self) -> GuardChain | None:
        return guard_chain([("n_consecutive", NConsecutiveParams(mode="confirm"))]) if self.guarded else None


class Sensitive:
    """A policy whose every choice depends on all that it sees: one other bit, and it soon acts otherwise."""

    def act(self, observation: Observation, *, deterministic: bool = True) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        windows = observation.market.features[observation.rows[:, None] + np.arange(1 - WINDOW, 1)]
        seen = windows.astype(np.float64).sum(axis=(1, 2)) + observation.account.astype(np.float64).sum(axis=1)
        return np.floor(np.abs(seen) * 1e6).astype(np.int64) % 3, {}


def some_world(seed: int, costs: CostParams, guarded: bool, short: bool) -> World:
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.standard_normal(ROWS) * 0.02))
    opening = np.concatenate([[100.0], close[:-1]]) * np.exp(rng.standard_normal(ROWS) * 0.005)
    prices = np.stack([opening, np.maximum(opening, close), np.minimum(opening, close), close, np.ones(ROWS)], axis=1)
    features = rng.standard_normal((ROWS, 2)).astype(np.float32)
    times = np.arange(ROWS, dtype=np.int64) * 3_600_000
    market = Market(("S",), (0, ROWS), Timeframe(3_600), times, prices, features, ("a", "b"), (0,))
    return World(market, RowRange(10, ROWS), costs, SimulatorParams(), guarded, short)


def judged(world: World) -> dict[str, np.ndarray]:
    """The backtest's ledger."""
    desk = Desk(action_scheme("sell_buy_hold", world.short), world.guards(), 1)
    columns = EnvironmentParams().account_columns
    ledger = backtest(Sensitive(), world.market, world.rows, desk, world.costs, world.simulator, columns)
    return {name: ledger.column(name) for name in COMPARED}


def trained(world: World) -> dict[str, np.ndarray]:
    """The ledger of one environment of several, walked from the first row to the last."""
    params = EnvironmentParams(window=WINDOW, start="first", costs=world.costs, simulator=world.simulator)
    env = TradingVectorEnv(
        world.market, world.rows, 3, action_scheme("sell_buy_hold", world.short), params=params, guards=world.guards()
    )
    seen, _ = env.reset(seed=0)
    lines: list[tuple[float, ...]] = []
    while True:
        row = seen["row"]
        actions, _ = Sensitive().act(Observation(world.market, row, seen["account"]))
        terminated, truncated = env.advance(actions)[1:]
        decision, book = env.decision, env.simulator
        assert decision is not None
        asked = (row, actions, decision.intent.signal, decision.intent.target, decision.allowed)
        done = (book.fill_price, book.traded_notional, book.quantity, book.fee, book.spread, book.price_pnl, book.equity)
        lines.append(tuple(float(values[1]) for values in (*asked, *done)))
        if terminated[1] or truncated[1]:
            return dict(zip(COMPARED, np.array(lines).T, strict=True))
        seen = env.observe()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    costs=st.builds(
        CostParams, taker_bps=st.floats(0, 100), spread_bps=st.floats(0, 40), fill_ratio=st.sampled_from([1.0, 0.5, 0.3])
    ),
    guarded=st.booleans(),
    short=st.booleans(),
)
def test_the_same_policy_leaves_the_same_ledger_bit_for_bit(seed, costs, guarded, short):
    world = some_world(seed, costs, guarded, short)
    backtested, walked = judged(world), trained(world)
    for name in COMPARED:
        np.testing.assert_array_equal(walked[name], backtested[name].astype(np.float64), err_msg=name)


@pytest.mark.parametrize(
    "fault",
    [
        {"costs": CostParams(taker_bps=10.01)},
        {"costs": CostParams(fill_ratio=0.99)},
        {"guarded": False},
        {"short": False},
        {"rows": RowRange(11, ROWS)},
    ],
    ids=["costs", "fill_ratio", "guarded", "short", "rows"],
)
def test_a_backtest_that_differs_in_one_thing_leaves_another_ledger(fault):
    world = some_world(3, CostParams(), guarded=True, short=True)
    other, walked = judged(replace(world, **fault)), trained(world)
    assert not np.array_equal(other["equity"], walked["equity"])


def test_the_policy_trades_so_that_equality_means_something():
    walked = trained(some_world(3, CostParams(), guarded=True, short=True))
    assert (walked["traded_notional"] > 0).sum() > 20
    assert (walked["proposed"] != walked["allowed"]).sum() > 5
