"""No look-ahead: whatever the future holds, what was seen, decided and earned until now stays the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.core.market import Market, RowRange
from seawall.core.timeframe import Timeframe
from seawall.envs.params import EnvironmentParams
from seawall.envs.vector import TradingVectorEnv
from seawall.guards.n_consecutive import NConsecutiveParams
from seawall.guards.registry import guard_chain
from seawall.simulator.actions.registry import action_scheme

ROWS, WINDOW, N = 60, 4, 3


def some_market(seed: int) -> Market:
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.standard_normal(ROWS) * 0.05))
    opening = np.concatenate([[100.0], close[:-1]]) * np.exp(rng.standard_normal(ROWS) * 0.01)
    prices = np.stack([opening, np.maximum(opening, close), np.minimum(opening, close), close, np.ones(ROWS)], axis=1)
    features = rng.standard_normal((ROWS, 2)).astype(np.float32)
    times = np.arange(ROWS, dtype=np.int64) * 60_000
    return Market(("S",), (0, ROWS), Timeframe(60), times, prices, features, ("a", "b"), (0,))


def with_another_future(market: Market, row: int, seed: int) -> Market:
    """The same market until `row`, another one after it."""
    rng = np.random.default_rng(seed)
    prices, features = market.prices.copy(), market.features.copy()
    prices[row + 1 :, :4] *= np.exp(rng.standard_normal((ROWS - row - 1, 1)))
    features[row + 1 :] = rng.standard_normal(features[row + 1 :].shape)
    return replace(market, prices=prices, features=features)


class Leaky(TradingVectorEnv):
    """Shows the window of one row too late."""

    def observe(self) -> dict[str, np.ndarray]:
        seen = super().observe()
        return seen | {"window": self.windows.windows(np.minimum(self.simulator.row + 1, ROWS - 1))}


def history(kind: type[TradingVectorEnv], market: Market, bars: int, seed: int) -> list[bytes]:
    """Everything seen, decided and marked until the close of the row at which decision number `bars` is due."""
    env = kind(
        market,
        RowRange(0, ROWS),
        N,
        action_scheme("target_exposure", short=True),
        params=EnvironmentParams(window=WINDOW, observation="window", start="first"),
        guards=guard_chain([("n_consecutive", NConsecutiveParams(mode="confirm"))]),
    )
    seen, _ = env.reset(seed=seed)
    kept = [seen["window"].tobytes(), seen["account"].tobytes()]
    for _ in range(bars):
        actions = (seen["window"].sum(axis=(1, 2)) * 1e4).astype(np.int64) % 3  # a policy that reads all it is shown
        seen, reward, *_ = env.step(actions)
        assert env.decision is not None
        blocks = (seen["window"], seen["account"], reward, env.decision.allowed, env.decision.guard_code, env.simulator.equity)
        kept += [block.tobytes() for block in blocks]
    return kept


def sees_the_future(kind: type[TradingVectorEnv], bars: int, seed: int) -> bool:
    market = some_market(seed)
    changed = with_another_future(market, WINDOW - 1 + bars, seed + 1)
    return history(kind, market, bars, seed) != history(kind, changed, bars, seed)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31 - 2), bars=st.integers(0, ROWS - WINDOW - 1))
def test_the_future_changes_nothing_that_was_seen_decided_or_earned(seed, bars):
    assert not sees_the_future(TradingVectorEnv, bars, seed)


@pytest.mark.parametrize("bars", [0, 7, 40])
def test_an_environment_that_leaks_one_row_is_caught(bars):
    assert sees_the_future(Leaky, bars, seed=1)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31 - 2), bars=st.integers(1, ROWS - WINDOW - 1))
def test_a_fill_depends_on_the_next_open_and_nothing_later_in_that_bar(seed, bars):
    """The quantity traded at the next open is the same whatever that bar does afterwards."""
    market = some_market(seed)
    later = market.prices.copy()
    row = WINDOW - 1 + bars
    later[row, 3] *= 1.01
    later[row, 1] = max(later[row, 1], later[row, 3])
    quantities = []
    for prices in (market.prices, later):
        env = TradingVectorEnv(
            replace(market, prices=prices),
            RowRange(0, ROWS),
            1,
            action_scheme("target_exposure", short=True),
            params=EnvironmentParams(window=WINDOW, start="first"),
        )
        env.reset(seed=seed)
        for action in np.random.default_rng(seed).integers(0, 3, bars):
            env.step(np.array([action]))
        quantities.append((float(env.simulator.quantity[0]), float(env.simulator.fill_price[0])))
    assert quantities[0][0] == quantities[1][0]
    assert str(quantities[0][1]) == str(quantities[1][1])  # NaN where nothing was traded
