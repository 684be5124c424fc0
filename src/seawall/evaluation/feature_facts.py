"""What features look like: their spread in the training rows, how they drift from there, and how they remember themselves.

The population stability index compares shares q of later rows with shares p of training rows in bins, ``Σ (q − p) ln(q / p)``
(D. Lewis, "An introduction to credit scoring", 1994); the bins hold a tenth of the training rows each. The Kolmogorov-Smirnov
statistic is the largest distance between two cumulative distributions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from seawall.core.errors import DataError
from seawall.core.market import RowRange
from seawall.market.splits import Split

BINS = 10
LAGS = 50
_LEAST_SHARE = 1e-4
_SOME, _STRONG = 0.10, 0.25


@dataclass(frozen=True)
class Drift:
    """How far later rows are from the training rows.

    Attributes:
        psi: Population stability index, 0 where nothing changed.
        ks: Kolmogorov-Smirnov statistic, 0 to 1.
    """

    psi: float
    ks: float


@dataclass(frozen=True)
class ColumnFacts:
    """What a column looks like.

    Attributes:
        column: Its name.
        missing: Share of all rows, of the warm-up too, that have no number.
        mean: Of the training rows, as are the following.
        deviation: Standard deviation.
        low: Smallest value.
        high: Largest value.
        validation: Drift of the validation rows.
        test: Drift of the test rows.
    """

    column: str
    missing: float
    mean: float
    deviation: float
    low: float
    high: float
    validation: Drift
    test: Drift

    @property
    def worst_psi(self) -> float:
        """The larger of the two stability indices."""
        return max(self.validation.psi, self.test.psi)

    @property
    def verdict(self) -> str:
        """How much it drifts, in words: little, some or strong."""
        return drift_words(self.worst_psi)

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as plain values, for JSON."""
        return {**asdict(self), "drift": self.verdict}


def feature_facts(
    block: np.ndarray, columns: Sequence[str], split: Split, on_column: Callable[[str], None] | None = None
) -> list[ColumnFacts]:
    """Describe every column.

    Args:
        block: Unscaled features, shape (T, F).
        columns: Names of the F columns.
        split: Which rows are for training, validation and test; they hold no NaN.
        on_column: Called before each column with its name.

    Returns:
        The facts, in the order of the columns.

    Raises:
        DataError: A row of one of the parts has no number.
    """
    facts: list[ColumnFacts] = []
    for place, name in enumerate(columns):
        if on_column is not None:
            on_column(name)
        values = np.asarray(block[:, place], dtype=np.float64)
        train, validation, test = (part_of(values, rows, name) for rows in (split.train, split.validation, split.test))
        missing = float(np.isnan(values).mean())
        spread = (float(train.mean()), float(train.std()), float(train.min()), float(train.max()))
        facts.append(ColumnFacts(name, missing, *spread, drift(train, validation), drift(train, test)))
    return facts


def part_of(values: np.ndarray, rows: RowRange, name: str) -> np.ndarray:
    """Return some rows of a column.

    Raises:
        DataError: One of them has no number.
    """
    part = values[rows.start : rows.stop]
    if not np.isfinite(part).all():
        row = rows.start + int(np.argmin(np.isfinite(part)))
        raise DataError(f"feature {name} is {values[row]} at row {row}; a finite number is needed after the warm-up")
    return part


def drift(train: np.ndarray, later: np.ndarray) -> Drift:
    """Compare later rows with training rows; both finite, at least one each."""
    ordered = np.sort(train)
    return Drift(stability_index(ordered, later), largest_distance(ordered, np.sort(later)))


def drift_words(psi: float) -> str:
    """Say in a word how much a stability index is: little below 0.1, strong above 0.25, else some."""
    return "strong" if psi > _STRONG else "some" if psi >= _SOME else "little"


def stability_index(train: np.ndarray, later: np.ndarray) -> float:
    """Return the population stability index of later values against training values.

    Bins end at the tenths of the training values, each end in the lower bin; equal ends are one. A share below 0.0001 counts as
    that.

    Args:
        train: Training values, shape (N,).
        later: Later values, shape (M,).
    """
    ends = np.unique(np.quantile(train, np.linspace(0.0, 1.0, BINS + 1)[1:-1]))
    p, q = (np.maximum(_shares(values, ends), _LEAST_SHARE) for values in (train, later))
    return float(np.sum((q - p) * np.log(q / p)))


def largest_distance(train: np.ndarray, later: np.ndarray) -> float:
    """Return the two-sample Kolmogorov-Smirnov statistic of values that ascend, shapes (N,) and (M,)."""
    places = np.concatenate([train, later])
    below = [np.searchsorted(values, places, side="right") / len(values) for values in (train, later)]
    return float(np.abs(below[0] - below[1]).max())


def autocorrelation(values: np.ndarray, lags: int = LAGS) -> np.ndarray:
    """Return the autocorrelation at lags 1 to `lags`, with the mean and the variance of all values.

    Args:
        values: Finite, in the order of time, shape (T,).
        lags: How many.

    Returns:
        float64, shape (lags,); NaN for values that are all equal, and from lag T on.
    """
    n = len(values)
    found = np.full(lags, np.nan)
    if n == 0 or values.min() == values.max():
        return found
    moved = values - values.mean()
    length = 1 << (2 * n - 1).bit_length()
    spectrum = np.fft.rfft(moved, length)
    products = np.fft.irfft(spectrum * spectrum.conj(), length)[: min(lags + 1, n)]
    found[: len(products) - 1] = products[1:] / products[0]
    return found


def correlations(block: np.ndarray) -> np.ndarray:
    """Return the correlation of every two columns, float64, shape (F, F); NaN for a column whose values are all equal.

    Args:
        block: Finite rows, shape (T, F).
    """
    values = np.asarray(block, dtype=np.float64)
    flat = values.min(axis=0) == values.max(axis=0)
    moved = values - values.mean(axis=0)
    sizes = np.sqrt((moved**2).sum(axis=0))
    sizes[flat] = np.nan
    return np.clip((moved.T @ moved) / np.outer(sizes, sizes), -1.0, 1.0)


def _shares(values: np.ndarray, ends: np.ndarray) -> np.ndarray:
    return np.bincount(np.searchsorted(ends, values, side="left"), minlength=len(ends) + 1) / len(values)
