"""The bars at which a policy is explained: what it saw there while it traded its test rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np

from seawall.core.errors import ConfigError
from seawall.core.market import RowRange
from seawall.core.protocols import Observation, Policy
from seawall.engine.decision import DecisionLoop
from seawall.engine.portfolio_decision import PortfolioLoop
from seawall.evaluation.evaluate import Setting
from seawall.evaluation.portfolio_backtest import PortfolioSetting
from seawall.simulator.portfolio.simulator import PortfolioSimulator
from seawall.simulator.simulator import Simulator

AnySetting = TypeVar("AnySetting", Setting, PortfolioSetting)


@dataclass(frozen=True)
class Seen:
    """What a policy saw and did at B bars of its walk.

    Attributes:
        rows: The bars, int64, shape (B,).
        account: Account rows, float32, shape (B, S).
        memory: What it remembered before each of them, float32, shape (B, M).
        held: Target exposure in force, float64, shape (B,); 0 for portfolios.
        actions: What it chose, shape (B,), or (B, A + 1) of portfolios.
        flat_account: The account row before the first decision, without a position, float32, shape (S,).
    """

    rows: np.ndarray
    account: np.ndarray
    memory: np.ndarray
    held: np.ndarray
    actions: np.ndarray
    flat_account: np.ndarray


class _Loop(Protocol):
    """What both decision loops have."""

    def observe(self) -> Observation:
        """Return what is known."""
        ...

    def step(self) -> Any:
        """Decide and settle; the records tell ``done``."""
        ...


def even_rows(ranges: Sequence[RowRange], n: int) -> np.ndarray:
    """Return n rows at which decisions are taken, evenly spaced from the first to the last, int64; all where there are no more.

    Args:
        ranges: What is walked, in order of time; at the last row of each no decision is taken.
        n: How many.

    Raises:
        ConfigError: Less than one was asked for, or no decision is taken.
    """
    decisions = np.concatenate([np.arange(each.start, each.stop - 1, dtype=np.int64) for each in ranges])
    if n < 1 or not len(decisions):
        raise ConfigError(f"{n} of {len(decisions)} decisions were to be explained; allowed: at least 1 of at least 1")
    return decisions[np.unique(np.linspace(0, len(decisions) - 1, min(n, len(decisions))).round().astype(np.int64))]


def seen_in(policy: Policy, settings: Sequence[Setting], wanted: np.ndarray, tell: Callable[[int, int], Any]) -> Seen:
    """Let a policy trade one series, and keep what it saw at some bars.

    Args:
        policy: Its likeliest actions are taken, behind the settings' guards.
        settings: Where it trades: each range of rows with a fresh account.
        wanted: The bars, ascending.
        tell: Told how many bars were walked, and how many will be.

    Returns:
        Its bars are fewer where an account was liquidated before the last.
    """

    def opened(setting: Setting) -> _Opened:
        rows, desk = setting.rows, setting.make_desk()
        simulator = Simulator(setting.market, 1, setting.costs, setting.simulator, terms=desk.scheme.carries_terms)
        simulator.reset(np.array([0]), np.array([rows.start]), np.array([rows.stop]))
        desk.reset(np.array([0]))
        loop = DecisionLoop(policy, desk, simulator, setting.account_columns)
        return _Opened(loop, lambda: (loop.memory, simulator.view().target.copy()), lambda record: record.action)

    return _joined(settings, opened, wanted, tell)


def seen_in_panel(
    policy: Policy, settings: Sequence[PortfolioSetting], wanted: np.ndarray, tell: Callable[[int, int], Any]
) -> Seen:
    """Let a policy trade a portfolio, and keep what it saw at some bars; arguments as for `seen_in`."""

    def opened(setting: PortfolioSetting) -> _Opened:
        rows = setting.rows
        simulator = PortfolioSimulator(setting.panel, 1, setting.costs, setting.accounts)
        simulator.reset(np.array([0]), np.array([rows.start]), np.array([rows.stop]))
        loop = PortfolioLoop(policy, simulator, setting.market, setting.account_columns)
        nothing = np.zeros((1, 0), np.float32), np.zeros(1)
        return _Opened(loop, lambda: nothing, lambda record: record.targets)

    return _joined(settings, opened, wanted, tell)


class _Opened(NamedTuple):
    """A range that is about to be walked.

    Attributes:
        loop: Takes its decisions.
        further: Returns what was remembered, and the exposure in force.
        action_of: Reads what was chosen off a record.
    """

    loop: _Loop
    further: Callable[[], tuple[np.ndarray, np.ndarray]]
    action_of: Callable[[Any], np.ndarray]


def _joined(
    settings: Sequence[AnySetting], opened: Callable[[AnySetting], _Opened], wanted: np.ndarray, tell: Callable[[int, int], Any]
) -> Seen:
    """Walk one range after the other; a range is opened when its turn comes, as a policy that remembers begins anew with it."""
    lengths = [_bars_to_walk(setting.rows, wanted) for setting in settings]
    kept: list[tuple[np.ndarray, ...]] = []
    flat, walked, waiting = np.zeros(0, np.float32), 0, set(wanted.tolist())
    for number, (setting, length) in enumerate(zip(settings, lengths, strict=True)):
        walk = opened(setting)
        if number == 0:
            flat = walk.loop.observe().account[0].copy()
        for row in range(setting.rows.start, setting.rows.start + length):
            before = (walk.loop.observe().account, *walk.further()) if row in waiting else None
            record = walk.loop.step()
            if before is not None:
                kept.append((np.array([row]), *before, walk.action_of(record)))
            walked += 1
            tell(walked, sum(lengths))
            if record.done[0]:
                break
    columns = (np.concatenate(each) for each in zip(*kept, strict=True))
    return Seen(*columns, flat_account=flat)


def _bars_to_walk(rows: RowRange, wanted: np.ndarray) -> int:
    """Return how many bars of a range must be walked to reach the last that is wanted in it."""
    inside = wanted[(wanted >= rows.start) & (wanted < rows.stop)]
    return int(inside[-1]) + 1 - rows.start if len(inside) else 0
