"""The cases that Seawall's simulator and its peers are given, and what the simulator makes of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from peers.case_files import Answer, Case, Settings
from seawall.simulator.costs.params import CostParams, SlippageParams
from seawall.simulator.settings import OrderParams, SessionParams, SimulatorParams
from seawall.simulator.simulator import OrderTerms, Simulator
from simulator.small_markets import market_of, random_prices

COSTS = 0.0012
"""Commission and half-spread together: peers without a spread are charged both as their commission."""
SEEDS = {1: 500, 2: 1_000, 3: 2_000}
"""Rows of the random bars of each seed."""
ASIA = 9
"""The window of that name is 00:00 to 09:00 in UTC on weekdays all year, as Tokyo has no summer time."""
LONG_FLAT, LONG_SHORT = (0.0, 1.0), (-1.0, 0.0, 1.0)
BRACKET = {"stop_loss": 0.02, "take_profit": 0.03}
EVERY = ("vectorbt", "backtesting", "nautilus")


@dataclass(frozen=True)
class Asked:
    """A case and the engines that can be asked it.

    Attributes:
        case: What is asked.
        engines: Who is asked.
    """

    case: Case
    engines: tuple[str, ...]


def bars(seed: int, *, gaps: bool = True) -> np.ndarray:
    """Random bars in eight decimals, (T, 4); with gaps they do not open at the close before."""
    prices = np.round(random_prices(seed, SEEDS[seed], 0.01)[:, :4], 8)
    if not gaps:
        prices[1:, 0] = prices[:-1, 3]
        prices[:, 1] = prices.max(axis=1)
        prices[:, 2] = prices.min(axis=1)
    return prices


def decisions(seed: int, rows: int, sides: tuple[float, ...], *, reversals: bool = True) -> np.ndarray:
    """Exposures that change every ten bars or so; flat at the first close, where one peer cannot decide yet."""
    rng = np.random.default_rng(1_000 + seed)
    wanted = np.zeros(rows)
    for row in range(1, rows):
        wanted[row] = rng.choice(sides) if rng.random() < 0.1 else wanted[row - 1]
        if not reversals and wanted[row] * wanted[row - 1] < 0.0:
            wanted[row] = 0.0
    return wanted


def in_turns(seed: int, rows: int) -> np.ndarray:
    """Long, flat, short, flat and so on, for a few bars each: what is not left in time is reversed."""
    rng = np.random.default_rng(2_000 + seed)
    stays = rng.integers(1, 9, rows)
    turns = np.repeat(np.resize([0.0, 1.0, 0.0, -1.0], rows), stays)
    return np.concatenate([[0.0], turns])[:rows]


def costs_of(settings: Settings) -> CostParams:
    """Seawall's costs: where no order rests, a sixth of what is charged is half-spread."""
    rests = settings.limit > 0.0 or settings.take_profit > 0.0
    whole = settings.commission * 1e4
    half_spread = 0.0 if rests else whole / 6.0
    return CostParams(
        taker_bps=whole - half_spread,
        maker_bps=settings.maker_commission * 1e4,
        spread_bps=2.0 * half_spread,
        slippage=SlippageParams(base_bps=settings.slippage_base * 1e4, volatility_multiplier=settings.slippage_volatility),
    )


def ours(case: Case) -> Answer:
    """Take the simulator through a case, decision by decision."""
    settings, rows = case.settings, len(case.prices)
    market = market_of(np.concatenate([case.prices, np.ones((rows, 1))], axis=1))
    params = SimulatorParams(
        initial_equity=settings.initial_equity,
        stop_loss_bps=settings.stop_loss * 1e4,
        take_profit_bps=settings.take_profit * 1e4,
        trailing_stop_bps=settings.trailing_stop * 1e4,
        orders=OrderParams(lot_size=settings.lot),
        session=SessionParams(windows=("asia",), flat=("session_end",)) if settings.hours else SessionParams(),
    )
    simulator = Simulator(market, 1, costs_of(settings), params, terms=settings.limit > 0.0)
    simulator.reset(np.array([0]), np.array([0]), np.array([rows]))
    equity, fills = np.full(rows, settings.initial_equity), []
    for row in range(rows - 1):
        wanted, before = case.targets[row : row + 1] * settings.size, float(simulator.quantity[0])
        limit = np.full(1, settings.limit if wanted[0] != 0.0 or settings.exits_rest else 0.0)
        simulator.step(wanted, OrderTerms(limit, np.zeros(1), np.zeros(1)) if settings.limit else None)
        equity[row + 1] = simulator.equity[0]
        fills += [(row + 1, units, price) for units, price in _fills(simulator, float(wanted[0]), before)]
    return Answer.of(fills, equity)


def _fills(simulator: Simulator, wanted: float, before: float) -> list[tuple[float, float]]:
    """Units and price of what a bar traded, told from the ledger: an order, an exit by a rule, or one after the other."""
    order, last, notional = (float(part[0]) for part in (simulator.order_price, simulator.fill_price, simulator.traded_notional))
    after = float(simulator.quantity[0])
    if simulator.exit_code[0] == 0:
        return [(after - before, last)] if notional > 0.0 else []
    if np.isnan(order):
        return [(-before, last)]
    # The order left a position of `held` units, which the rule closed: |held - before| order + |held| last = notional.
    held = np.sign(wanted) * (notional - abs(before) * order) / (order + last)
    return [(held - before, order), (-held, last)]


def market_orders() -> dict[str, Asked]:
    """Orders at the next open, all in, for long and flat and for both sides with reversals."""
    cases = {}
    for seed, rows in SEEDS.items():
        for kind, sides in (("long_flat", LONG_FLAT), ("long_short", LONG_SHORT)):
            for name, commission in (("costs", COSTS), ("free", 0.0)):
                settings = Settings(commission=commission, initial_equity=10_000.0)
                case = Case(bars(seed), decisions(seed, rows, sides), settings)
                cases[f"{kind}-{name}-{seed}"] = Asked(case, EVERY)
    return cases


def real_bars(name: str, prices: np.ndarray) -> dict[str, Asked]:
    """The same on bars of a real market; equity for a hundred units."""
    settings = Settings(commission=COSTS, initial_equity=round(100.0 * float(prices[0, 0]), 2))
    return {f"real-{name}": Asked(Case(prices, decisions(9, len(prices), LONG_SHORT), settings), EVERY)}


def brackets() -> dict[str, Asked]:
    """Stops and take-profits at their distance from the entry, the stop first, gaps filled at the open.

    vectorbt fills one order a row, so it cannot reverse where a gap stops it out; NautilusTrader fills gaps at the level.
    """
    cases = {}
    for seed, rows in SEEDS.items():
        settings = Settings(commission=COSTS, maker_commission=COSTS, initial_equity=10_000.0, **BRACKET)
        rests_cheaply = Settings(commission=COSTS, maker_commission=0.0004, initial_equity=10_000.0, **BRACKET)
        reverse, pause = decisions(seed, rows, LONG_SHORT), decisions(seed, rows, LONG_SHORT, reversals=False)
        cases[f"bracket-gaps-reversals-{seed}"] = Asked(Case(bars(seed), reverse, settings), ("backtesting",))
        cases[f"bracket-gaps-{seed}"] = Asked(Case(bars(seed), pause, settings), ("backtesting", "vectorbt"))
        cases[f"bracket-no_gaps-{seed}"] = Asked(Case(bars(seed, gaps=False), reverse, settings), EVERY)
        cases[f"bracket-maker-{seed}"] = Asked(Case(bars(seed, gaps=False), reverse, rests_cheaply), ("nautilus",))
    return cases


def trailing() -> dict[str, Asked]:
    """Stops that follow the best price of the closed bars. NautilusTrader's follow within the bar, whose path nobody knows."""
    cases = {}
    for seed, rows in SEEDS.items():
        settings = Settings(commission=COSTS, maker_commission=COSTS, initial_equity=10_000.0, trailing_stop=0.025)
        reverse, pause = decisions(seed, rows, LONG_SHORT), decisions(seed, rows, LONG_SHORT, reversals=False)
        cases[f"trailing-reversals-{seed}"] = Asked(Case(bars(seed), reverse, settings), ("backtesting",))
        cases[f"trailing-{seed}"] = Asked(Case(bars(seed), pause, settings), ("backtesting", "vectorbt"))
    return cases


def limits() -> dict[str, Asked]:
    """Entries that rest 0.4 % from the last close until another decision, and exits at the open or resting likewise.

    vectorbt has no such orders, and backtesting.py no such exits beside its exclusive orders.
    """
    cases = {}
    for seed, rows in SEEDS.items():
        wanted = decisions(seed, rows, LONG_SHORT, reversals=False)
        one_rate = Settings(commission=COSTS, maker_commission=COSTS, initial_equity=10_000.0, limit=0.004)
        two_rates = Settings(commission=COSTS, maker_commission=0.0004, initial_equity=10_000.0, limit=0.004)
        cases[f"limit-gaps-{seed}"] = Asked(Case(bars(seed), wanted, one_rate), ("backtesting",))
        all_rest = replace(two_rates, exits_rest=True)
        cases[f"limit-exits-{seed}"] = Asked(Case(bars(seed, gaps=False), in_turns(seed, rows), all_rest), ("nautilus",))
        cases[f"limit-maker-{seed}"] = Asked(Case(bars(seed, gaps=False), wanted, two_rates), ("nautilus",))
    return cases


def lots() -> dict[str, Asked]:
    """Orders at the next open in whole units, of which the equity buys a hundred, with reversals."""
    cases = {}
    for seed, rows in SEEDS.items():
        settings = Settings(commission=COSTS, initial_equity=10_000.0, lot=1.0)
        cases[f"lots-{seed}"] = Asked(Case(bars(seed), decisions(seed, rows, LONG_SHORT), settings), EVERY)
    return cases


def hours() -> dict[str, Asked]:
    """Orders at the opens of nine hours of each weekday alone, and nothing held beyond their last close."""
    cases = {}
    for seed, rows in SEEDS.items():
        settings = Settings(commission=COSTS, initial_equity=10_000.0, hours=ASIA)
        cases[f"hours-{seed}"] = Asked(Case(bars(seed), decisions(seed, rows, LONG_SHORT), settings), EVERY)
    return cases


def volatility() -> dict[str, Asked]:
    """Market orders whose slippage grows with the last closed bar's move.

    vectorbt's slippage moves the price, which for purchases and their sales is the same where there is no commission; with one, and
    for short sales, peers are charged it as a commission that differs by bar. NautilusTrader's instruments have one for all bars.
    """
    cases = {}
    for seed, rows in SEEDS.items():
        free = Settings(commission=0.0, initial_equity=10_000.0, slippage_base=0.0002, slippage_volatility=0.1)
        moved = Case(bars(seed), decisions(seed, rows, LONG_FLAT), free)
        charged = Case(bars(seed), decisions(seed, rows, LONG_SHORT), replace(free, commission=COSTS))
        cases[f"volatility-price-{seed}"] = Asked(moved, ("vectorbt",))
        cases[f"volatility-costs-{seed}"] = Asked(charged, ("vectorbt", "backtesting"))
    return cases
