"""Accounts with many rules, and random bars and orders for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from seawall.core.market import Market
from seawall.core.timeframe import Timeframe
from seawall.simulator import simulator as module
from seawall.simulator.costs.params import CostParams
from seawall.simulator.settings import SimulatorParams
from seawall.simulator.simulator import OrderTerms, Simulator

N, ROWS, HOUR, MONDAY = 16, 41, 3_600_000, 1_709_510_400_000
LEVELS = np.array([-1.0, -0.4, 0.0, 0.0, 0.3, 1.0])
NAMES = (
    "equity", "cash", "quantity", "target", "price_pnl", "fee", "spread", "slippage", "financing", "funding", "write_off",
    "traded_notional", "order_price", "exit_code",
)  # fmt: skip
COSTS: dict[str, Any] = {
    "taker_bps": 20.0,
    "maker_bps": 5.0,
    "spread_bps": 10.0,
    "slippage": {"base_bps": 2.0, "volatility_multiplier": 0.02, "size_impact": 3.0},
    "financing": {"long_apr": 0.2, "short_apr": 0.1},
    "funding": {"rate_bps": 3.0},
    "randomization": {"commission": 0.2},
}
EVERYTHING: dict[str, Any] = {
    "take_profit_bps": 300.0,
    "stop_loss_bps": 200.0,
    "trailing_stop_bps": 250.0,
    "max_drawdown": 0.6,
    "close_at_end": True,
    "orders": {
        "rebalance": "band", "band": 0.1, "participation": 0.3, "lot_size": 0.01, "tick_size": 0.05, "min_notional": 20.0,
    },
    "session": {"windows": ("asia", "london", "newyork"), "calendar": "fx", "flat": ("weekend",)},
}  # fmt: skip
LATE = EVERYTHING | {"orders": EVERYTHING["orders"] | {"latency_bars": 1}}
KITS: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "plain": ({}, {}, False),
    "full costs": (COSTS, {}, False),
    "everything": (COSTS, EVERYTHING, False),
    "everything with terms": (COSTS, LATE, True),
    "filled in part": ({**COSTS, "fill_ratio": 0.3}, EVERYTHING, False),
}


def market_of(seed: int, rows: int = ROWS, volatility: float | None = None, prices: np.ndarray | None = None) -> Market:
    """Hourly bars with holes, gaps, wicks, flat bars and bars without volume."""
    rng = np.random.default_rng(seed)
    size = rng.choice([0.0, 0.002, 0.02, 0.1]) if volatility is None else volatility
    steps = rng.standard_normal((rows, 2)) * size * (rng.random((rows, 1)) < 0.8)
    close = 100.0 * np.exp(np.cumsum(steps.sum(axis=1) - steps.sum(axis=1).mean()))
    opening = np.concatenate([[100.0], close[:-1]]) * np.exp(steps[:, 0])
    wicks = np.exp(np.abs(steps[::-1]))
    high, low = np.maximum(opening, close) * wicks[:, 0], np.minimum(opening, close) / wicks[:, 1]
    volume = rng.choice([0.0, 1.0, 50.0, 1e6], rows)
    times = MONDAY + HOUR * np.cumsum(rng.choice([1, 1, 1, 1, 8, 49], rows))
    drawn = np.stack([opening, high, low, close, volume], axis=1)
    features = np.zeros((rows, 0), dtype=np.float32)
    return Market(("S",), (0, rows), Timeframe(3_600), times, drawn if prices is None else prices, features, (), (0,))


def cases(
    kit: str, seed: int, n: int = N, bars: int = ROWS - 1, most: float = 3.0
) -> tuple[np.ndarray, Callable[[int], OrderTerms | None]]:
    """Targets that change at about half of the bars, (bars, n), and the terms of each bar's orders."""
    rng = np.random.default_rng(seed + 1)
    targets = rng.choice(LEVELS, (bars, n)) * rng.choice([1.0, most], n)
    keep = rng.random((bars, n)) < 0.5
    for bar in range(1, bars):
        targets[bar, keep[bar]] = targets[bar - 1, keep[bar]]
    offsets = rng.choice([0.0, 0.002, 0.02], (bars, 3, n))
    return targets, (lambda bar: OrderTerms(*offsets[bar])) if KITS[kit][2] else (lambda bar: None)


def simulator_of(kit: str, market: Market, n: int = N) -> Simulator:
    costs, params, terms = KITS[kit]
    settings = SimulatorParams(**{"initial_equity": 1_000.0, "max_exposure": 3.0, **params})
    return Simulator(market, n, CostParams(**costs), settings, terms=terms)


def opened(kit: str, seed: int, n: int = N, prices: np.ndarray | None = None) -> Simulator:
    """Accounts at the first close of a random market."""
    market = market_of(seed, prices=prices)
    simulator = simulator_of(kit, market, n)
    factors = np.random.default_rng(seed).choice([0.5, 1.0, 2.0], (3, 1)) * np.ones((3, n))
    simulator.reset(np.arange(n), np.zeros(n, dtype=int), np.full(n, len(market)), factors=factors)
    return simulator


def ledger_of(
    kit: str, seed: int, paths: slice = slice(None), prices: np.ndarray | None = None, multiple: float = 1.0, most: float = 3.0
) -> dict[str, np.ndarray]:
    """Every part of every bar, (bars, accounts), with what was there before it."""
    targets, terms = cases(kit, seed, most=most)
    simulator = opened(kit, seed, len(range(N)[paths]), prices)
    simulator.cost_multiple[:] = multiple
    return recorded(simulator, targets[:, paths], lambda bar: _part(terms(bar), paths))


def _part(terms: OrderTerms | None, paths: slice) -> OrderTerms | None:
    return None if terms is None else OrderTerms(*(part[paths] for part in terms))


def recorded(simulator: Simulator, targets: np.ndarray, terms: Callable[[int], OrderTerms | None]) -> dict[str, np.ndarray]:
    """Step through all bars and keep every part of each."""
    ledger: dict[str, list[np.ndarray]] = {name: [] for name in (*NAMES, "before", "held", "ended", "terminated")}
    ended = np.zeros(simulator.n, dtype=bool)
    for bar, wanted in enumerate(targets):
        ledger["before"].append(simulator.equity.copy())
        ledger["held"].append(simulator.quantity.copy())
        ledger["ended"].append(ended)
        result = simulator.step(wanted, terms(bar))
        ended = result.terminated | result.truncated
        ledger["terminated"].append(result.terminated)
        for name in NAMES:
            ledger[name].append(getattr(simulator, name).copy())
    return {name: np.array(parts) for name, parts in ledger.items()}


NEUTRAL_COSTS: dict[str, Any] = {
    "slippage": {"size_impact": 1e-322},
    "financing": {"long_apr": 1e-300},
    "funding": {"rate_bps": 1e-300},
    "randomization": {"spread": 0.1},
}
NEUTRAL: dict[str, Any] = {
    "max_drawdown": 1.0 - 1e-12,
    "take_profit_bps": 1e6,
    "orders": {"min_notional": 1e-300},
    "session": {"calendar": "fx", "flat": ("weekend",)},
}


def compare_rules_left_out() -> None:
    """Print "alike" where each rule alone, with neutral numbers, changes nothing beside each set of rules at work.

    Equity is compared within 1e-9 of it: sizes in lots are summed in another order. Run it uncompiled.
    """
    module.ready_call = lambda function, arguments: function
    at_work: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({}, {}), (COSTS, {}), ({}, {"stop_loss_bps": 200.0}), ({}, {"trailing_stop_bps": 200.0}), ({}, {"close_at_end": True}),
    ]  # fmt: skip
    for costs, params in at_work:
        for seed in (1, 3):
            plain = _equity(costs, params, seed)
            for name, value in NEUTRAL_COSTS.items():
                _compare(plain, _equity({**costs, name: costs.get(name, value)}, params, seed), name)
            for name, value in NEUTRAL.items():
                flat = name == "session"
                _compare(
                    _equity(costs, params, seed, weekday=flat), _equity(costs, {name: value, **params}, seed, weekday=flat), name
                )
    print("alike")


def _compare(one: np.ndarray, other: np.ndarray, name: str) -> None:
    off = float((np.abs(one - other) / one.max()).max())
    if off > 1e-9:
        raise AssertionError(f"{name}: off by {off}")


def _equity(costs: dict[str, Any], params: dict[str, Any], seed: int, *, weekday: bool = False) -> np.ndarray:
    market = market_of(seed, volatility=0.02)
    if weekday:
        market.timestamps.setflags(write=True)
        market.timestamps[:] = MONDAY + HOUR * np.arange(ROWS)
    simulator = Simulator(market, 2, CostParams(**costs), SimulatorParams(initial_equity=1_000.0, max_exposure=3.0, **params))
    simulator.reset(np.arange(2), np.zeros(2, dtype=int), np.full(2, ROWS))
    targets, _ = cases("plain", seed, n=2, most=1.0)
    return recorded(simulator, targets, lambda bar: None)["equity"]
