"""One fold: the rows to learn from, to choose on and to be judged on, and the unused rows around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from seawall.core.errors import ConfigError, DataError
from seawall.core.market import RowRange
from seawall.market.splits import LEAST_ROWS, Split


@dataclass(frozen=True)
class Fold:
    """Rows of one fold. Every range has at least two rows.

    No row of `train` or `validation` lies within `purge` rows before a test range, or within `purge` + `embargo` rows after
    one; and no row of `train` lies so near to `validation`.

    Attributes:
        number: Place among the folds, from 0.
        train: Rows to learn from, and to fit scalers on; ranges in order of time.
        validation: Rows on which checkpoints are chosen, from the end of the training part; None where none were asked for.
        test: Rows on which the result is judged, one range for each test group, in order of time.
        groups: Number of the group of each test range.
        purge: Unused rows before and after each test range.
        embargo: Unused rows after each test range, beyond the purge.
    """

    number: int
    train: tuple[RowRange, ...]
    validation: RowRange | None
    test: tuple[RowRange, ...]
    groups: tuple[int, ...]
    purge: int
    embargo: int = 0

    def train_rows(self) -> np.ndarray:
        """Return the training rows in order, int64, shape (N,)."""
        return rows_of(self.train)

    def test_rows(self) -> np.ndarray:
        """Return the test rows in order, int64, shape (M,)."""
        return rows_of(self.test)

    def as_split(self) -> Split:
        """Return the fold as a `Split` of three ranges.

        Raises:
            ConfigError: There is no validation part, or training or test rows are more than one range.
        """
        if self.validation is None or len(self.train) != 1 or len(self.test) != 1:
            raise ConfigError(
                f"fold {self.number} has {len(self.train)} training ranges, {len(self.test)} test ranges and "
                f"{'no' if self.validation is None else 'a'} validation range; allowed: one of each"
            )
        return self.as_whole_split()

    def as_whole_split(self) -> Split:
        """Return the fold as a `Split` with all its ranges, as the run of a fold keeps it.

        Raises:
            ConfigError: There is no validation part.
        """
        if self.validation is None:
            raise ConfigError(f"fold {self.number} has no validation range; allowed: a share of the training rows to choose on")
        return Split(self.train[0], self.validation, self.test[0], self.purge, self.train[1:], self.test[1:])

    def to_dict(self) -> dict[str, Any]:
        """Return the fold as plain numbers, for JSON."""
        return asdict(self)


def rows_of(ranges: Sequence[RowRange]) -> np.ndarray:
    """Return the rows of some ranges, one range after another, int64."""
    parts = [np.arange(each.start, each.stop, dtype=np.int64) for each in ranges]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def training_ranges(rows: RowRange, tests: Sequence[RowRange], purge: int, embargo: int) -> list[RowRange]:
    """Return what is left of `rows` without the test ranges and the unused rows around them.

    Args:
        rows: All usable rows.
        tests: Test ranges in order of time, which do not overlap.
        purge: Rows dropped before and after each.
        embargo: Rows dropped after each, beyond the purge.

    Returns:
        Ranges in order of time; what is shorter than two rows is dropped.
    """
    left: list[RowRange] = []
    start = rows.start
    for test in tests:
        _keep(left, start, test.start - purge)
        start = test.stop + purge + embargo
    _keep(left, start, rows.stop)
    return left


def _keep(ranges: list[RowRange], start: int, stop: int) -> None:
    if stop - start >= LEAST_ROWS:
        ranges.append(RowRange(start, stop))


def check_share(name: str, value: float) -> None:
    """Check a share of the training rows.

    Raises:
        ConfigError: It is not from 0 to below 1.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 <= value < 1.0:
        raise ConfigError(f"{name} is {value!r}; allowed: a share of the training rows, from 0 to below 1")


def with_validation(
    number: int, train: Sequence[RowRange], share: float, purge: int
) -> tuple[tuple[RowRange, ...], RowRange | None]:
    """Cut validation rows off the end of a training part, purged from what is left.

    They are one range, so that a policy can be run through them: the end of the newest training range that is long enough.

    Args:
        number: Of the fold, for the message.
        train: Training ranges, in order of time.
        share: Share of the training rows to validate on; 0 cuts none.
        purge: Unused rows between what is left and the validation rows.

    Returns:
        The training ranges that are left, and the validation rows.

    Raises:
        DataError: No range is long enough, or fewer than two rows are left to learn from.
    """
    total = sum(len(each) for each in train)
    if total < LEAST_ROWS:
        raise DataError(
            f"fold {number} has no rows to learn from beside its test rows and {purge} purged ones: fewer folds, more rows"
        )
    if share == 0.0:
        return tuple(train), None
    wanted = max(LEAST_ROWS, round(share * total))
    for place in range(len(train) - 1, -1, -1):
        if len(train[place]) < wanted:
            continue
        validation = RowRange(train[place].stop - wanted, train[place].stop)
        left = list(train[:place])
        _keep(left, train[place].start, validation.start - purge)
        left += train[place + 1 :]
        if left:
            return tuple(left), validation
    raise DataError(
        f"fold {number} has {total} training rows in {len(train)} ranges, which hold no {wanted} rows to validate on beside "
        f"{purge} purged ones and two to learn from: a smaller validation share, fewer folds, or more rows"
    )
