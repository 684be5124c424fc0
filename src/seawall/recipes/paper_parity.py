"""Is a paper ledger the backtest's? Compared row by row, to the bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from seawall.core.bars import from_milliseconds
from seawall.evaluation.ledger import COLUMNS, Ledger


@dataclass(frozen=True)
class Parity:
    """How a paper ledger compares with a backtest's.

    Attributes:
        rows: Decisions compared.
        whole: Whether both cover the same bars, from the first to the last.
        max_abs_difference: Largest difference of two numbers; None where no row was compared.
        difference: The first one: ``column``, ``time`` of the bar decided at, ``paper`` and ``backtest``; None where there is none.
        words: What was compared with, or why nothing was.
    """

    rows: int
    whole: bool
    max_abs_difference: float | None
    difference: dict[str, Any] | None
    words: str

    @property
    def equal(self) -> bool | None:
        """Whether every value of every row compared is the same; None where no row was compared."""
        return None if not self.rows else self.difference is None

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain values."""
        return {
            "rows": self.rows,
            "equal": self.equal,
            "max_abs_difference": self.max_abs_difference,
            "whole": self.whole,
            "difference": self.difference,
            "words": self.words,
        }


def nothing_to_compare(words: str) -> Parity:
    """Return a comparison without a row, and why."""
    return Parity(0, False, None, None, words)


def coincide(paper_ms: np.ndarray, backtest_ms: np.ndarray) -> bool:
    """Say whether two spans of bars begin alike and run alike for as long as both go on; opening times, int64, shape (T,) each."""
    rows = min(len(paper_ms), len(backtest_ms))
    return rows > 1 and np.array_equal(paper_ms[:rows], backtest_ms[:rows])


def compare(paper: Ledger, backtest: Ledger, words: str) -> Parity:
    """Compare two ledgers that begin at the same bar, as far as both go on.

    Rows count from each ledger's first, since a file may begin before or after the run's own bars.

    Args:
        paper: What the paper account did.
        backtest: What the backtest says.
        words: Where the backtest's ledger is from.
    """
    common = min(paper.n_bars, backtest.n_bars)
    frames = [_counted(ledger.frame.iloc[:common]) for ledger in (paper, backtest)]
    rows = min(len(frame) for frame in frames)
    largest, first = 0.0, None
    for name in COLUMNS:
        mine, other = (frame[name].iloc[:rows] for frame in frames)
        unlike = np.flatnonzero(~((mine.to_numpy() == other.to_numpy()) | (mine.isna() & other.isna()).to_numpy()))
        if not unlike.size:
            continue
        if pd.api.types.is_numeric_dtype(mine) and pd.api.types.is_numeric_dtype(other):
            largest = max(largest, _largest(mine, other))
        if first is None or unlike[0] < first[0]:
            first = (int(unlike[0]), name, mine.iloc[unlike[0]], other.iloc[unlike[0]])
    difference = None if first is None else _difference(paper, *first)
    if difference is None and len(frames[0]) != len(frames[1]):
        difference = _difference(paper, rows, "decisions", len(frames[0]), len(frames[1]))
    whole = np.array_equal(paper.timestamps_ms, backtest.timestamps_ms)
    return Parity(rows, whole, largest, difference, words)


def _counted(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(row=frame["row"] - frame["row"].iloc[0])


def _largest(mine: pd.Series, other: pd.Series) -> float:
    apart = np.abs(mine.to_numpy(np.float64) - other.to_numpy(np.float64))
    return float(np.nanmax(apart)) if np.isfinite(apart).any() else 0.0


def _difference(paper: Ledger, row: int, column: str, mine: Any, other: Any) -> dict[str, Any]:
    moment = from_milliseconds(paper.timestamps_ms[row : row + 1]).iloc[0]
    return {"column": column, "time": moment.isoformat(), "paper": _plain(mine), "backtest": _plain(other)}


def _plain(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return value.item() if isinstance(value, np.generic) else value
