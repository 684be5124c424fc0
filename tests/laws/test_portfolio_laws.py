"""What is true of every portfolio, whatever the prices, the costs and the weights asked for.

Each law is a function that takes a generated world and asserts. The fast tests draw some worlds for each, the slow ones 10,000.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.core.timeframe import Timeframe
from seawall.market.panel import Panel
from seawall.simulator.costs.params import CostParams, SlippageParams
from seawall.simulator.portfolio.simulator import PARALLEL_FROM, PortfolioParams, PortfolioSimulator

ROWS, PATHS = 16, 3
EXACT = 1e-12
PARTS = ("equity", "cash", "log_return", "benchmark", "price_pnl", "fee", "spread", "slippage", "traded_notional", "units", "row")


@dataclass(frozen=True)
class World:
    """Prices, costs, wanted weights and settings, all from a few numbers."""

    seed: int
    assets: int
    volatility: float
    bps: tuple[float, float, float]
    missing: float
    held: float
    params: PortfolioParams

    def panel(self, rows: int = ROWS) -> Panel:
        rng = np.random.default_rng(self.seed)
        steps = rng.standard_normal((2, self.assets, rows)) * self.volatility
        close = np.exp(rng.uniform(-9, 9, (self.assets, 1)) + np.cumsum(steps.sum(axis=0), axis=1))
        opening = np.concatenate([close[:, :1], close[:, :-1]], axis=1) * np.exp(steps[0])
        stale = rng.random((self.assets, rows)) < self.missing
        prices = np.stack([opening, np.maximum(opening, close), np.minimum(opening, close), close, np.ones_like(close)], axis=-1)
        names = tuple(f"S{number}" for number in range(self.assets))
        return Panel(names, Timeframe(3_600), np.arange(rows) * 3_600_000, prices, stale)

    def costs(self) -> CostParams:
        taker, spread, slippage = self.bps
        return CostParams(taker_bps=taker, spread_bps=spread, slippage=SlippageParams(base_bps=slippage))

    def wanted(self, rows: int = ROWS, paths: int = PATHS) -> np.ndarray:
        """Weights, (rows − 1, paths, assets + 1): spread over all, or on few with exact zeros."""
        rng = np.random.default_rng(self.seed + 1)
        weights = rng.dirichlet(np.ones(self.assets + 1) * 0.7, (rows - 1, paths))
        weights[(rng.random(weights.shape) < 0.3) & (weights < weights.max(axis=-1, keepdims=True))] = 0.0
        return weights / weights.sum(axis=-1, keepdims=True)

    def holds(self, rows: int = ROWS, paths: int = PATHS) -> np.ndarray:
        return np.random.default_rng(self.seed + 2).random((rows - 1, paths)) < self.held


def started(world: World, panel: Panel, n: int = PATHS) -> PortfolioSimulator:
    simulator = PortfolioSimulator(panel, n, world.costs(), world.params)
    simulator.reset(np.arange(n), np.zeros(n), np.full(n, len(panel)))
    return simulator


def ledger(simulator: PortfolioSimulator, wanted: np.ndarray, holds: np.ndarray) -> dict[str, np.ndarray]:
    """Every part after every bar, each (bars, paths, …), and those before the first bar as ``first``."""
    found: dict[str, list[np.ndarray]] = {name: [getattr(simulator, name).copy()] for name in PARTS}
    for weights, hold in zip(wanted, holds, strict=True):
        simulator.step(weights, hold)
        for name in PARTS:
            found[name].append(getattr(simulator, name).copy())
    return {name: np.array(parts) for name, parts in found.items()}


def ran(world: World) -> tuple[Panel, dict[str, np.ndarray]]:
    panel = world.panel()
    return panel, ledger(started(world, panel), world.wanted(), world.holds())


def money_is_conserved(world: World) -> None:
    """Equity changes by the price profit less commission, half-spread and slippage, and by nothing else."""
    _, book = ran(world)
    change = np.diff(book["equity"], axis=0)
    explained = (book["price_pnl"] - book["fee"] - book["spread"] - book["slippage"])[1:]
    moved = book["equity"][:-1] + np.abs(book["price_pnl"][1:]) + book["traded_notional"][1:]
    assert (np.abs(change - explained) <= EXACT * moved).all()


def weights_stay_on_the_simplex(world: World) -> None:
    """No asset and no cash is ever owed, and after a trade of every asset each stands at its wanted share of what costs left."""
    panel, book = ran(world)
    wanted, holds, band = world.wanted(), world.holds(), world.params.no_trade_band
    assert (book["units"] >= 0).all()
    assert (book["cash"] >= 0).all()
    for bar in range(1, ROWS):
        held = book["units"][bar] * panel.prices[:, bar, 0]
        left = book["cash"][bar] + held.sum(axis=1)
        due = (bar - 1) % world.params.rebalance_every == 0 and not panel.stale[:, bar].any() and band == 0.0
        traded = due & ~holds[bar - 1]
        np.testing.assert_allclose((held / left[:, None])[traded], wanted[bar - 1][traded, 1:], rtol=0, atol=EXACT)
        np.testing.assert_allclose((book["cash"][bar] / left)[traded], wanted[bar - 1][traded, 0], rtol=0, atol=EXACT)


def costs_are_rates_of_what_is_traded(world: World) -> None:
    """Each part is its rate times the notional; where nothing is traded, nothing is paid and not a bit of a holding changes."""
    panel, book = ran(world)
    taker, spread, slippage = (bps * 1e-4 for bps in world.bps)
    for name, rate in (("fee", taker), ("spread", spread / 2), ("slippage", slippage)):
        np.testing.assert_allclose(book[name], rate * book["traded_notional"], rtol=EXACT, atol=0)
    due = np.array([[bar % world.params.rebalance_every == 0] for bar in range(ROWS - 1)])
    still = ~due | world.holds()
    for name in ("traded_notional", "fee", "spread", "slippage"):
        assert not book[name][1:][still].any()
    for name in ("cash", "units"):
        assert np.array_equal(book[name][1:][still], book[name][:-1][still])
    unmoved = panel.stale.T[1:, None, :] & np.ones((1, PATHS, 1), dtype=bool)
    assert np.array_equal(book["units"][1:][unmoved], book["units"][:-1][unmoved])


def dearer_trades_never_leave_more(world: World) -> None:
    """For the same weights asked for, without a band and a stop: higher rates leave no more of any asset, of cash and of equity.

    What a rebalancing leaves falls with the rates and rises with what is held; all that is traded is a fixed share of it, and what
    cannot be traded stays. With a band it is otherwise, since what is traded then depends on what is held; with a stop too.
    """
    plain = replace(world, params=world.params.model_copy(update={"no_trade_band": 0.0, "stop_drawdown": 1.0}))
    panel, before = plain.panel(), None
    for multiple in (0.0, 0.3, 1.0, 1.7):
        dearer = replace(plain, bps=tuple(multiple * bps for bps in world.bps))
        book = ledger(started(dearer, panel), plain.wanted(), plain.holds())
        if before is not None:
            assert (book["equity"] <= before["equity"] * (1 + EXACT)).all()
            # Where all is spent, cash is a rounding, and so is what it buys later.
            rounding = EXACT * before["equity"]
            assert (book["cash"] <= before["cash"] * (1 + EXACT) + rounding).all()
            closes = panel.prices[:, book["row"], 3].transpose(1, 2, 0)
            assert (book["units"] * closes <= before["units"] * closes * (1 + EXACT) + rounding[..., None]).all()
        before = book


def a_batch_is_as_many_single_accounts(world: World) -> None:
    """Neighbours change no bit."""
    panel, book = ran(world)
    for path in range(PATHS):
        alone = ledger(started(world, panel, 1), world.wanted()[:, [path]], world.holds()[:, [path]])
        assert all(alone[name][:, 0].tobytes() == book[name][:, path].tobytes() for name in PARTS)


def threads_change_no_bit(world: World) -> None:
    """Accounts shared among threads come to the same numbers."""
    n, panel = PARALLEL_FROM + 3, world.panel()
    wanted, holds = world.wanted(paths=n), world.holds(paths=n)
    books = [
        ledger(started(replace(world, params=world.params.model_copy(update={"threads": threads})), panel, n), wanted, holds)
        for threads in (1, 2)
    ]
    assert all(books[0][name].tobytes() == books[1][name].tobytes() for name in PARTS)


def the_future_changes_no_bit_of_the_past(world: World) -> None:
    """What comes after a bar, missing bars included, does not reach the numbers of that bar."""
    panel, book = ran(world)
    middle, rng = ROWS // 2, np.random.default_rng(world.seed + 3)
    prices, stale = panel.prices.copy(), panel.stale.copy()
    prices[:, middle:] *= rng.uniform(0.5, 2.0, prices[:, middle:].shape)
    stale[:, middle:] = ~stale[:, middle:]
    other = ledger(started(world, replace(panel, prices=prices, stale=stale)), world.wanted(), world.holds())
    assert all(book[name][:middle].tobytes() == other[name][:middle].tobytes() for name in PARTS)
    if world.volatility > 0:
        assert book["benchmark"][middle:].tobytes() != other["benchmark"][middle:].tobytes()


def twice_the_money_is_the_same_portfolio(world: World) -> None:
    """Costs are shares, so that doubled equity doubles every amount and changes no return, to the bit."""
    panel, book = ran(world)
    richer = replace(world, params=world.params.model_copy(update={"initial_equity": 2 * world.params.initial_equity}))
    doubled = ledger(started(richer, panel), world.wanted(), world.holds())
    assert doubled["log_return"].tobytes() == book["log_return"].tobytes()
    assert all(np.array_equal(doubled[name], 2 * book[name]) for name in ("equity", "units", "fee", "traded_notional"))


LAWS = [
    money_is_conserved,
    weights_stay_on_the_simplex,
    costs_are_rates_of_what_is_traded,
    dearer_trades_never_leave_more,
    a_batch_is_as_many_single_accounts,
    the_future_changes_no_bit_of_the_past,
    twice_the_money_is_the_same_portfolio,
]

basis_points = st.one_of(st.just(0.0), st.floats(0.01, 500.0))
worlds = st.builds(
    World,
    seed=st.integers(0, 2**32 - 4),
    assets=st.integers(1, 12),
    volatility=st.sampled_from([0.0, 0.001, 0.02, 0.3]),
    bps=st.tuples(basis_points, basis_points, basis_points),
    missing=st.sampled_from([0.0, 0.2]),
    held=st.sampled_from([0.0, 0.3]),
    params=st.builds(
        PortfolioParams,
        rebalance_every=st.integers(1, 4),
        no_trade_band=st.sampled_from([0.0, 0.0, 0.01, 0.1]),
        excess_weight=st.sampled_from([0.0, 0.5]),
    ),
)


@pytest.mark.parametrize("law", LAWS)
@settings(max_examples=40, deadline=None)
@given(world=worlds)
def test_a_law_of_portfolios_holds(law, world):
    law(world)


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
@settings(max_examples=10_000, deadline=None)
@given(world=worlds)
def test_a_law_of_portfolios_holds_ten_thousand_times(law, world):
    law(world)


@settings(max_examples=8, deadline=None)
@given(world=worlds)
def test_threads_change_no_bit_of_a_portfolio(world):
    threads_change_no_bit(world)


@pytest.mark.slow
@settings(max_examples=2_000, deadline=None)
@given(world=worlds)
def test_threads_change_no_bit_of_a_portfolio_two_thousand_times(world):
    threads_change_no_bit(world)


@pytest.mark.slow
@pytest.mark.parametrize("missing", [0.0, 0.05])
def test_a_hundred_thousand_bars_lose_no_money(missing):
    rows, n = 100_001, 4
    world = World(7, 11, 0.002, (0.02, 0.02, 0.01), missing, 0.0, PortfolioParams())
    simulator, wanted = started(world, world.panel(rows), n), world.wanted(1_001, n)
    sums = np.zeros((4, n))
    highest = np.zeros(n)
    for bar in range(rows - 1):
        simulator.step(wanted[bar % 1_000])
        sums += (simulator.price_pnl, simulator.fee, simulator.spread, simulator.slippage)
        highest = np.maximum(highest, simulator.equity)
    change = simulator.equity - world.params.initial_equity
    assert simulator.row.tolist() == [rows - 1] * n
    assert (sums[1:] > 0.05 * world.params.initial_equity).all()  # what was paid is no trifle
    assert (np.abs(change - (sums[0] - sums[1] - sums[2] - sums[3])) <= 1e-9 * highest).all()
    assert (simulator.log_return != 0).all()


def test_with_a_band_dearer_trades_may_leave_more():
    """Why the law of costs is told without a band: costs move what is off by more than it, and so what is traded.

    B is sold for cash, which costs 0 or 0.1 %, so that A's share is 0.4 or 0.40016. With 0.3501 wanted and a band of 0.05 only the
    dearer account sells some of A, before A falls by nine tenths.
    """
    prices = np.repeat(np.array([[100.0, 100.0, 100.0, 10.0], [50.0] * 4])[..., None], 5, axis=2)
    prices[0, 3, :3] = 100.0
    panel = Panel(("A", "B"), Timeframe(3_600), np.arange(4) * 3_600_000, prices, np.zeros((2, 4), dtype=bool))
    wanted = np.array([[[0.2, 0.4, 0.4]], [[0.57, 0.43, 0.0]], [[0.6499, 0.3501, 0.0]]])
    ends = []
    for bps in (0.0, 10.0):
        world = World(0, 2, 0.0, (bps, 0.0, 0.0), 0.0, 0.0, PortfolioParams(no_trade_band=0.05, initial_equity=1_000.0))
        ends.append(float(ledger(started(world, panel, 1), wanted, np.zeros((3, 1), dtype=bool))["equity"][-1, 0]))
    assert ends[0] == pytest.approx(640.0, rel=EXACT)
    assert 683.0 < ends[1] < 685.0
