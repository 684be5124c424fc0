"""Money is conserved: an account changes by its price profit, less what it paid, plus what was forgiven; nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from seawall.core.market import Market, RowRange
from seawall.core.timeframe import Timeframe
from seawall.simulator.costs.params import CostParams
from seawall.simulator.settings import SimulatorParams
from seawall.simulator.simulator import Simulator, replay

ROWS, PATHS = 40, 6
CONSERVED = 1e-9
LEVELS = np.array([-1.0, -0.4, 0.0, 0.3, 1.0])

seeds = st.integers(0, 2**32 - 1)
volatilities = st.sampled_from([0.0, 0.001, 0.02, 0.2, 0.6])
costs_of_a_fill = st.builds(CostParams, taker_bps=st.floats(0.0, 200.0), spread_bps=st.floats(0.0, 200.0))


def random_market(seed: int, volatility: float, rows: int = ROWS) -> Market:
    rng = np.random.default_rng(seed)
    steps = rng.standard_normal((rows, 2)) * volatility
    close = 100.0 * np.exp(np.cumsum(steps.sum(axis=1)))
    opening = np.concatenate([[100.0], close[:-1]]) * np.exp(steps[:, 0])
    wicks = np.exp(np.abs(rng.standard_normal((rows, 2))) * volatility)
    high, low = np.maximum(opening, close) * wicks[:, 0], np.minimum(opening, close) / wicks[:, 1]
    prices = np.stack([opening, high, low, close, np.ones(rows)], axis=1)
    times = np.arange(rows, dtype=np.int64) * 60_000
    return Market(("S",), (0, rows), Timeframe(60), times, prices, np.zeros((rows, 0), dtype=np.float32), (), (0,))


def random_targets(seed: int, rows: int = ROWS) -> np.ndarray:
    """Paths that change their target at about half of the bars, (rows − 1, PATHS)."""
    rng = np.random.default_rng(seed + 1)
    targets = rng.choice(LEVELS, (rows - 1, PATHS))
    for bar in range(1, rows - 1):
        keep = rng.random(PATHS) < 0.5
        targets[bar, keep] = targets[bar - 1, keep]
    return targets


def simulated(market: Market, targets: np.ndarray, costs: CostParams, **params: float) -> dict[str, np.ndarray]:
    """The ledger of every bar, each part (bars, paths)."""
    simulator = Simulator(market, targets.shape[1], costs, SimulatorParams(**params))
    every = np.ones(simulator.n, dtype=int)
    simulator.reset(np.arange(simulator.n), 0 * every, len(market) * every)
    names = ("equity", "cash", "price_pnl", "fee", "spread", "write_off", "traded_notional", "liquidated", "quantity")
    ledger: dict[str, list[np.ndarray]] = {name: [] for name in (*names, "before")}
    for wanted in targets:
        ledger["before"].append(simulator.equity.copy())
        simulator.step(wanted)
        for name in names:
            ledger[name].append(getattr(simulator, name).copy())
    return {name: np.array(parts) for name, parts in ledger.items()}


def unexplained(ledger: dict[str, np.ndarray]) -> float:
    """The largest part of a change of equity that no part of the ledger explains, relative to the money moved."""
    change = ledger["equity"] - ledger["before"]
    explained = ledger["price_pnl"] - ledger["fee"] - ledger["spread"] + ledger["write_off"]
    moved = ledger["before"] + np.abs(ledger["price_pnl"]) + ledger["traded_notional"]
    return float((np.abs(change - explained) / np.maximum(moved, 1e-300)).max())


@settings(max_examples=150, deadline=None)
@given(seed=seeds, volatility=volatilities, costs=costs_of_a_fill, leverage=st.sampled_from([1.0, 3.0]))
def test_every_change_of_equity_is_explained(seed, volatility, costs, leverage):
    targets = random_targets(seed) * leverage
    ledger = simulated(random_market(seed, volatility), targets, costs, max_exposure=leverage)
    assert unexplained(ledger) <= CONSERVED


@pytest.mark.parametrize(
    "corrupt",
    [
        lambda ledger: ledger | {"fee": -ledger["fee"]},
        lambda ledger: ledger | {"spread": 0.0 * ledger["spread"]},
        lambda ledger: ledger | {"write_off": 0.0 * ledger["write_off"]},
        lambda ledger: ledger | {"fee": ledger["fee"] * (1.0 + 1e-4)},
        lambda ledger: ledger | {"equity": ledger["equity"] + np.where(ledger["liquidated"], 0.01, 0.0)},
    ],
    ids=[
        "fee with the wrong sign",
        "spread not booked",
        "write-off not booked",
        "fee a little off",
        "liquidation that leaves money",
    ],
)
def test_a_planted_fault_of_the_books_is_found(corrupt):
    ledger = simulated(random_market(7, 0.6), random_targets(7), CostParams())
    assert ledger["liquidated"].any()
    assert ledger["write_off"].any()
    assert unexplained(ledger) <= CONSERVED
    assert unexplained(corrupt(ledger)) > CONSERVED


@settings(max_examples=100, deadline=None)
@given(seed=seeds, volatility=volatilities, costs=costs_of_a_fill)
def test_equity_is_positive_unless_the_account_was_liquidated(seed, volatility, costs):
    ledger = simulated(random_market(seed, volatility), random_targets(seed), costs)
    ruined = np.maximum.accumulate(ledger["liquidated"], axis=0)
    assert (ledger["equity"] >= 0.0).all()
    assert (ledger["equity"][~ruined] > 0.0).all()
    assert not ledger["write_off"][~ledger["liquidated"]].any()


@settings(max_examples=100, deadline=None)
@given(seed=seeds, volatility=volatilities, costs=costs_of_a_fill)
def test_an_account_within_its_own_money_never_borrows_when_long(seed, volatility, costs):
    ledger = simulated(random_market(seed, volatility), random_targets(seed), costs)
    assert (ledger["cash"][ledger["quantity"] >= 0.0] >= 0.0).all()


@settings(max_examples=100, deadline=None)
@given(seed=seeds, volatility=volatilities, costs=costs_of_a_fill, dearer=st.floats(1.0, 5.0))
def test_for_the_same_targets_dearer_trading_never_ends_with_more(seed, volatility, costs, dearer):
    """Exposures after a fill do not depend on the costs, so each fill only takes a larger share of the same path."""
    assume(costs.rate * dearer < 0.2)
    market, targets = random_market(seed, volatility), random_targets(seed)
    cheap = replay(market, RowRange(0, ROWS), targets, costs, np.ones(PATHS))
    dear = replay(market, RowRange(0, ROWS), targets, costs, np.full(PATHS, dearer))
    assert (dear <= cheap * (1.0 + 1e-12)).all()  # rounding only


@settings(max_examples=50, deadline=None)
@given(costs=costs_of_a_fill, target=st.sampled_from([1.0, -1.0]))
def test_a_round_trip_at_a_constant_price_costs_exactly_its_costs(costs, target):
    """Opening leaves 1 / (1 + c) of the money in the position, closing costs c of that."""
    targets = np.array([[target], [target], [0.0], [0.0]])
    equity = replay(random_market(1, 0.0, rows=5), RowRange(0, 5), targets, costs, np.ones(1))[:, 0]
    assert equity[1] == equity[2] == pytest.approx(1.0 / (1.0 + costs.rate), rel=1e-14)
    assert equity[3] == equity[4] == pytest.approx((1.0 - costs.rate) / (1.0 + costs.rate), rel=1e-14)


@settings(max_examples=100, deadline=None)
@given(seed=seeds, volatility=volatilities, costs=costs_of_a_fill)
def test_an_unchanged_target_trades_nothing(seed, volatility, costs):
    targets = random_targets(seed)
    ledger = simulated(random_market(seed, volatility), targets, costs)
    before = np.concatenate([np.zeros((1, PATHS)), targets[:-1]])
    quiet = (targets == before) & ~ledger["liquidated"]
    assert not ledger["traded_notional"][quiet].any()
    assert not ledger["fee"][quiet].any()
    assert not ledger["spread"][quiet].any()


@settings(max_examples=50, deadline=None)
@given(seed=seeds, costs=costs_of_a_fill)
def test_the_exposure_after_a_fill_is_exactly_the_target(seed, costs):
    ledger = simulated(random_market(seed, 0.0), random_targets(seed), costs)  # price 100: the close is the fill
    exposure = ledger["quantity"] * 100.0 / ledger["equity"]
    assert exposure == pytest.approx(random_targets(seed), abs=1e-14)


@settings(max_examples=30, deadline=None)
@given(seed=seeds, volatility=volatilities, costs=costs_of_a_fill)
def test_accounts_do_not_touch_one_another(seed, volatility, costs):
    market, targets = random_market(seed, volatility), random_targets(seed)
    together = simulated(market, targets, costs)
    for path in range(PATHS):
        alone = simulated(market, targets[:, [path]], costs)
        assert alone["equity"][:, 0].tobytes() == together["equity"][:, path].tobytes()
