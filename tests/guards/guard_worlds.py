"""Random questions to guards: what accounts hold, what is known to them, and what is asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from seawall.core.market import Market
from seawall.core.past import PastBars
from seawall.core.protocols import Guard, GuardContext, GuardFacts, Holding
from seawall.core.timeframe import Timeframe
from seawall.guards.registry import GUARDS, guard

ROWS, FEATURES = 120, 3
HOUR_MS = 3_600_000
LEVELS = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
FACTS = GuardFacts(Timeframe(3_600), ("f0", "f1", "f2"), np.array([[-1.0] * FEATURES, [1.0] * FEATURES]))

SETTINGS: dict[str, list[dict[str, object]]] = {
    "n_consecutive": [{}, {"exits_exempt": True}, {"mode": "confirm", "n": 3}, {"record": "executed", "exits_exempt": True}],
    "min_hold": [{"bars": 3}],
    "cooldown": [{"bars": 2}, {"bars": 3, "after": "any"}],
    "order_rate": [{"max_orders": 2, "per_bars": 6}],
    "session": [{}, {"outside": "flat"}],
    "max_exposure": [{"limit": 0.6}, {"long": 0.0, "short": 0.7}],
    "volatility_target": [{"target": 0.4, "lookback": 10}, {"lookback": 5, "highest": 1.0, "lowest": 0.4}],
    "kelly_cap": [{"min_bars": 3, "half_life": 5}, {"min_bars": 2, "floor": 0.3, "step": 0.0}],
    "stop_loss": [{"distance": 0.02, "wait_bars": 3}, {"kind": "atr", "atr_multiple": 1.0, "atr_bars": 4}],
    "trailing_stop": [{"distance": 0.02, "wait_bars": 0}, {"kind": "atr", "atr_multiple": 0.5, "atr_bars": 4}],
    "daily_loss": [{"limit": 0.02}, {"limit": 0.01, "action": "hold", "timezone": "America/New_York", "day_start": "17:00"}],
    "max_drawdown": [{"limit": 0.03}, {"limit": 0.02, "cooldown_bars": 3, "resume_exposure": 0.4}],
    "stale_data": [{}, {"max_gap_bars": 0, "max_still_bars": 1}],
    "feature_drift": [{}, {"max_outside": 0, "margin": 0.0, "action": "flat"}],
    "disagreement": [{}, {"agreement": 1.0}],
    "kill_switch": [{}, {"engaged": True}],
}
"""Settings of each registered guard that make it intervene in the world below."""


def market(seed: int) -> Market:
    """Two series of hourly bars with a hole in each, and features that leave −1..1 now and then."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, ROWS)))
    opening = np.concatenate([close[:1], close[:-1]])
    span = np.abs(rng.normal(0.0, 0.003, ROWS))
    times = 1_700_000_000_000 // HOUR_MS * HOUR_MS + np.arange(ROWS, dtype=np.int64) * HOUR_MS
    times[20:] += 3 * HOUR_MS
    return Market(
        symbols=("A", "B"),
        starts=(0, ROWS // 2, ROWS),
        timeframe=Timeframe(3_600),
        timestamps=times,
        prices=np.stack([opening, np.maximum(opening, close) + span, np.minimum(opening, close) - span, close, span + 1.0], axis=1),
        features=rng.normal(0.0, 0.7, (ROWS, FEATURES)).astype(np.float32),
        feature_names=FACTS.feature_names,
        ready=(0, ROWS // 2),
    )


@dataclass(frozen=True)
class Asked:
    """One question: exposures in force and proposed, and what is known; arrays of shape (N,)."""

    current: np.ndarray
    proposed: np.ndarray
    context: GuardContext

    def of(self, accounts: np.ndarray) -> Asked:
        """The same question about some of the accounts."""
        told = self.context
        context = replace(
            told,
            signal=told.signal[accounts],
            timestamp_ms=told.timestamp_ms[accounts],
            equity=told.equity[accounts],
            peak_equity=told.peak_equity[accounts],
            past=PastBars(told.past._market, told.past._rows[accounts]),
            holding=Holding(*(part[accounts] for part in told.holding)),
            votes=told.votes[accounts],
        )
        return Asked(self.current[accounts], self.proposed[accounts], context)


def questions(seed: int, n: int, bars: int = 16) -> list[Asked]:
    """Questions about n accounts, bar after bar; what is held follows what was in force, and equity moves with it."""
    rng = np.random.default_rng(seed)
    bars_of = market(seed)
    rows = rng.integers(5, ROWS // 2 - bars, n) + np.where(rng.random(n) < 0.5, 0, ROWS // 2)
    equity, peak, held = np.full(n, 100.0), np.full(n, 100.0), np.zeros(n, dtype=np.int64)
    entry, before = np.ones(n), np.zeros(n)
    asked = []
    for bar in range(bars):
        current = np.where(rng.random(n) < 0.5, before, rng.choice(LEVELS, n))
        close = bars_of.prices[rows + bar, 3]
        entry = np.where(np.sign(current) != np.sign(before), bars_of.prices[rows + bar, 0], entry)
        held = np.where(current == 0.0, 0, np.where(np.sign(current) != np.sign(before), 1, held + 1))
        equity = equity * (1.0 + current * rng.normal(0.0, 0.02, n))
        peak = np.maximum(peak, equity)
        proposed = np.where(rng.random(n) < 0.3, current, rng.choice(LEVELS, n))
        context = GuardContext(
            signal=np.sign(proposed - current).astype(np.int8),
            timestamp_ms=bars_of.timestamps[rows + bar],
            equity=equity.copy(),
            peak_equity=peak.copy(),
            past=PastBars(bars_of, rows + bar),
            holding=Holding(current * equity / close, entry.copy(), held.copy()),
            votes=rng.choice(LEVELS, (n, 5)),
            attended=True,
        )
        asked.append(Asked(current, proposed, context))
        before = current
    return asked


def made(name: str, settings: dict[str, object] | None = None) -> Guard:
    """A registered guard that knows the facts of the world."""
    return guard(name, GUARDS[name].params(**(settings or {})), FACTS)


def every_guard() -> list[tuple[str, dict[str, object]]]:
    """Every registered guard with each of its settings."""
    return [(name, settings) for name in SETTINGS for settings in SETTINGS[name]]
