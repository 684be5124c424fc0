"""Purged cross-validation: every row is tested, in one path (k-fold) or in several (combinatorial).

Lopez de Prado, Advances in Financial Machine Learning (2018), chapters 7 and 12. A training row is dropped where it lies
within the purge of a test row on either side, and within purge plus embargo after one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from seawall.core.errors import ConfigError, DataError
from seawall.core.market import RowRange
from seawall.evaluation.splits.fold import Fold, check_share, training_ranges, with_validation
from seawall.market.splits import LEAST_ROWS, whole_rows

MOST_FOLDS = 100_000
"""Each fold is a training; more than this many are a mistake."""


@dataclass(frozen=True)
class CombinatorialPurged:
    """N groups in order of time, tested k at a time: C(N, k) folds, which make C(N − 1, k − 1) whole backtest paths.

    It serves scikit-learn as a cross-validator; `folds` gives row ranges instead.

    Attributes:
        n_groups: N, at least 2.
        n_test_groups: k, at least 1 and below N. With 1 this is a purged k-fold.
        purge: Unused rows before and after each test range; see `market.splits.purge_rows`.
        embargo: Unused rows after each test range, beyond the purge.
        validation: Share of a fold's training rows to choose checkpoints on, from their end; 0 for none.
    """

    n_groups: int = 6
    n_test_groups: int = 2
    purge: int = 0
    embargo: int = 0
    validation: float = 0.0

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            ConfigError: One is out of range.
        """
        whole_rows("n_groups", self.n_groups, 2)
        whole_rows("n_test_groups", self.n_test_groups, 1)
        if self.n_test_groups >= self.n_groups:
            raise ConfigError(f"n_test_groups is {self.n_test_groups}; allowed: 1 to {self.n_groups - 1}, fewer than the groups")
        whole_rows("purge", self.purge)
        whole_rows("embargo", self.embargo)
        check_share("validation", self.validation)
        if self.n_folds > MOST_FOLDS:
            raise ConfigError(
                f"{self.n_test_groups} of {self.n_groups} groups make {self.n_folds:,} folds; allowed: {MOST_FOLDS:,} at most"
            )

    @property
    def n_folds(self) -> int:
        """Folds: C(N, k)."""
        return math.comb(self.n_groups, self.n_test_groups)

    @property
    def n_paths(self) -> int:
        """Whole backtest paths: C(N − 1, k − 1)."""
        return math.comb(self.n_groups - 1, self.n_test_groups - 1)

    def groups(self, rows: RowRange) -> list[RowRange]:
        """Cut rows into the N groups, whose sizes differ by one row at most, the longer ones first.

        Raises:
            DataError: A group would have fewer than two rows.
        """
        if len(rows) < LEAST_ROWS * self.n_groups:
            raise DataError(f"{len(rows)} rows are too few for {self.n_groups} groups: {LEAST_ROWS * self.n_groups} are required")
        size, longer = divmod(len(rows), self.n_groups)
        edges = [rows.start + number * size + min(number, longer) for number in range(self.n_groups + 1)]
        return [RowRange(start, stop) for start, stop in itertools.pairwise(edges)]

    def folds(self, rows: RowRange) -> list[Fold]:
        """Return the folds, in the order in which combinations of test groups are counted.

        Args:
            rows: All usable rows of one series: warmed up, with whole windows.

        Raises:
            DataError: There are too few rows for a fold to learn from, to choose on or to be judged on.
        """
        groups, made = self.groups(rows), []
        for number, chosen in enumerate(itertools.combinations(range(self.n_groups), self.n_test_groups)):
            tests = tuple(groups[each] for each in chosen)
            left = training_ranges(rows, tests, self.purge, self.embargo)
            train, validation = with_validation(number, left, self.validation, self.purge)
            made.append(Fold(number, train, validation, tests, chosen, self.purge, self.embargo))
        return made

    def paths(self) -> list[tuple[int, ...]]:
        """Return the backtest paths: for each the number of the fold that tests group 0, 1, …, N − 1 in it.

        Path p takes for each group the p-th fold that tests it, so every fold's test of every group is in exactly one path.
        """
        chosen = list(itertools.combinations(range(self.n_groups), self.n_test_groups))
        testing = [[number for number, groups in enumerate(chosen) if group in groups] for group in range(self.n_groups)]
        return list(zip(*testing, strict=True))

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:  # noqa: ARG002
        """Yield training and test rows of each fold, as scikit-learn asks; rows to validate on are in neither."""
        for fold in self.folds(RowRange(0, _row_count(X))):
            yield fold.train_rows(), fold.test_rows()

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:  # noqa: ARG002
        """Return the number of folds."""
        return self.n_folds


def purged_k_fold(n_folds: int = 5, purge: int = 0, embargo: int = 0, validation: float = 0.0) -> CombinatorialPurged:
    """Return a purged k-fold: each of `n_folds` groups is tested once, by what was learned on the others.

    Args:
        n_folds: Folds, at least 2.
        purge: As for `CombinatorialPurged`.
        embargo: As for `CombinatorialPurged`.
        validation: As for `CombinatorialPurged`.

    Raises:
        ConfigError: A setting is out of range.
    """
    return CombinatorialPurged(whole_rows("n_folds", n_folds, 2), 1, purge, embargo, validation)


def _row_count(X: Any) -> int:
    count = len(X)
    if count < LEAST_ROWS:
        raise DataError(f"{count} rows cannot be split; allowed: {LEAST_ROWS} or more")
    return count
