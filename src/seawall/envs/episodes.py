"""Which rows an episode covers: a pure function of (seed, environment, episode)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from seawall.core.counters import uniform
from seawall.core.errors import ConfigError
from seawall.core.market import Market, RowRange

StartMode = Literal["random", "sequential", "first", "grid"]
_PAST_SEEDS = 2**63


def as_ranges(rows: RowRange | Sequence[RowRange]) -> list[RowRange]:
    """Return one range or several as a list.

    Raises:
        ConfigError: They are something else, or none.
    """
    given: Any = rows
    ranges: list[Any] = [given] if isinstance(given, RowRange) else list(given) if isinstance(given, Sequence) else [given]
    if not ranges:
        raise ConfigError("no rows were given to the environment; allowed: at least one range")
    if not all(isinstance(each, RowRange) for each in ranges):
        raise ConfigError(f"rows of the environment are {given!r}; allowed: a range as in RowRange(0, 500), or several in a list")
    return ranges


def checked_seed(seed: int) -> int:
    """Return the seed of an environment.

    Raises:
        ConfigError: It is no whole number, below 0 or too large.
    """
    given: Any = seed
    if isinstance(given, bool) or not isinstance(given, (int, np.integer)) or not 0 <= given < _PAST_SEEDS:
        raise ConfigError(f"the seed of the environment is {given!r}; allowed: a whole number from 0 to {_PAST_SEEDS - 1}")
    return int(given)


def decision_range(market: Market, rows: RowRange, window: int) -> RowRange:
    """Return the part of a range in which decisions can be taken, in one series, with whole warmed-up windows.

    Args:
        market: The market.
        rows: The rows asked for.
        window: Rows of features that a decision sees, its own included. They may lie before `rows`.

    Raises:
        ConfigError: The range leaves its series, or holds no decision; the rows present and required are named.
    """
    series = int(np.searchsorted(np.asarray(market.starts), rows.start, side="right")) - 1
    if series >= len(market.symbols) or rows.stop > market.starts[series + 1]:
        raise ConfigError(
            f"rows {rows.start}..{rows.stop - 1} leave their series; allowed: rows within one of the series that start at "
            f"{list(market.starts[:-1])} and end before row {market.starts[-1]}"
        )
    first = max(rows.start, market.ready[series] + window - 1, market.starts[series] + window - 1)
    if rows.stop < first + 2:
        raise ConfigError(
            f"rows {rows.start}..{rows.stop - 1} of {market.symbols[series]} are too few: {len(rows)} rows present, "
            f"{first + 2 - rows.start} required (features are ready at row {market.ready[series]}, a window needs {window} rows, "
            "and one decision needs a row to be marked at)"
        )
    return RowRange(first, rows.stop)


@dataclass(frozen=True)
class Episodes:
    """The episodes of one batch of environments.

    Attributes:
        first: First decision row of each range, int64, shape (R,).
        stop: One past the last row of each range, int64, shape (R,).
        bars: Decisions in an episode; 0 for as many as the range holds.
        mode: ``random`` starts anywhere that leaves a whole episode, ``sequential`` walks the ranges chunk by chunk
            (environment e begins with chunk e), ``first`` starts each time at the first row of range e mod R, ``grid`` walks
            rows that lie a step apart, through all ranges and around (environment e begins with the e-th).
        grid: Bars between the starts of ``grid``.
    """

    first: np.ndarray
    stop: np.ndarray
    bars: int
    mode: StartMode
    grid: int = 1

    @classmethod
    def plan(
        cls, market: Market, rows: RowRange | Sequence[RowRange], window: int, bars: int, mode: StartMode, grid: int = 1
    ) -> Episodes:
        """Check one range or several against a market and plan their episodes.

        Raises:
            ConfigError: There is no range, or one leaves its series or is too short.
        """
        usable = [decision_range(market, each, window) for each in as_ranges(rows)]
        first = np.array([each.start for each in usable], dtype=np.int64)
        return cls(first, np.array([each.stop for each in usable], dtype=np.int64), bars, mode, grid)

    def rows(self, key: int, environments: np.ndarray, episodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the first row and one past the last row of some episodes.

        Args:
            key: Key of the random stream.
            environments: Index of each environment, int64, shape (K,).
            episodes: Index of each episode, int64, shape (K,).

        Returns:
            Two int64 arrays of shape (K,).
        """
        decisions = self.stop - 1 - self.first
        length = np.minimum(decisions, self.bars) if self.bars else decisions
        if self.mode == "first":
            chosen = environments % len(self.first)
            start = self.first[chosen]
        elif self.mode == "sequential":
            chosen, start = self._chunk(-(-decisions // length), length, environments + episodes)
        elif self.mode == "grid":
            # Starts that leave a whole episode, as those of ``random``.
            places = (decisions - length) // self.grid + 1
            ends = np.cumsum(places)
            number = (environments + episodes) % ends[-1]
            chosen = np.searchsorted(ends, number, side="right")
            start = self.first[chosen] + (number - (ends[chosen] - places[chosen])) * self.grid
        else:
            choices = decisions - length + 1
            ends = np.cumsum(choices)
            place = np.minimum((uniform(key, environments, episodes) * ends[-1]).astype(np.int64), ends[-1] - 1)
            chosen = np.searchsorted(ends, place, side="right")
            start = self.first[chosen] + place - (ends[chosen] - choices[chosen])
        return start, np.minimum(start + length[chosen] + 1, self.stop[chosen])

    def _chunk(self, chunks: np.ndarray, length: np.ndarray, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return range and first row of numbered chunks, counting through all ranges and around."""
        ends = np.cumsum(chunks)
        number = position % ends[-1]
        chosen = np.searchsorted(ends, number, side="right")
        return chosen, self.first[chosen] + (number - (ends[chosen] - chunks[chosen])) * length[chosen]
