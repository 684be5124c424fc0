"""Chronological split of a market into training, validation and test rows, with unused rows between them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from numbers import Integral
from typing import Any

from pydantic import Field, model_validator

from seawall.core.errors import ConfigError, DataError
from seawall.core.market import RowRange
from seawall.core.params import Params

LEAST_ROWS = 2
"""Rows that a part has at least: one to decide at and one to mark."""
# Fractions are decimal, rows are counted: 0.29 * 100 must give 29 rows, although it is 28.999... in binary.
_ROUNDING = 1e-9


class SplitParams(Params):
    """How the usable rows are shared out, oldest first."""

    train: float = Field(default=0.70, gt=0.0, lt=1.0, description="Share of rows to learn from")
    validation: float = Field(default=0.15, gt=0.0, lt=1.0, description="Share of rows on which checkpoints are chosen")
    test: float = Field(default=0.15, gt=0.0, lt=1.0, description="Share of rows on which no choice is made")

    @model_validator(mode="after")
    def _sum_to_one(self) -> SplitParams:
        total = self.train + self.validation + self.test
        if abs(total - 1.0) > _ROUNDING:
            raise ValueError(f"train, validation and test sum to {total:.6g}; they must sum to 1")
        return self


@dataclass(frozen=True)
class Split:
    """Rows to learn from, to choose on and to be judged on: three ranges in order of time, and further ones in cross-validation.

    Attributes:
        train: Rows to learn from, and to fit scalers on.
        validation: Rows on which checkpoints are chosen.
        test: Rows on which the result is judged.
        purge: Unused rows between two consecutive ranges.
        more_train: Further ranges to learn from, after `train` in time; a fold of cross-validation has some, also after its test.
        more_test: Further ranges to be judged on, after `test` in time.
    """

    train: RowRange
    validation: RowRange
    test: RowRange
    purge: int
    more_train: tuple[RowRange, ...] = ()
    more_test: tuple[RowRange, ...] = ()

    @property
    def training(self) -> tuple[RowRange, ...]:
        """All ranges to learn from, in order of time."""
        return (self.train, *self.more_train)

    @property
    def tests(self) -> tuple[RowRange, ...]:
        """All ranges to be judged on, in order of time."""
        return (self.test, *self.more_test)

    @property
    def in_order(self) -> bool:
        """Whether all that is learned from is older than what chooses, and that older than what judges."""
        return self.training[-1].stop <= self.validation.start and self.validation.stop <= self.test.start

    @property
    def last_seen(self) -> int:
        """The newest row that was learned from or chosen on."""
        return max(self.training[-1].stop, self.validation.stop) - 1

    def shown(self, window: int, first: int) -> list[RowRange]:
        """Return the rows that decisions on the training rows see, on which scalers and encoders may be fitted.

        Args:
            window: Rows that a decision sees, its own among them.
            first: First row whose features are known.

        Returns:
            Each training range with the rows of its first window.
        """
        return [RowRange(max(first, each.start - window + 1), each.stop) for each in self.training]

    def to_dict(self) -> dict[str, Any]:
        """Return the split as plain numbers, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Split:
        """Restore what `to_dict` gave.

        Raises:
            DataError: A part of the split is missing.
        """
        try:
            ranges = {name: RowRange(**saved[name]) for name in ("train", "validation", "test")}
            more = {name: tuple(RowRange(**each) for each in saved.get(name, ())) for name in ("more_train", "more_test")}
            return cls(**ranges, purge=int(saved["purge"]), more_train=more["more_train"], more_test=more["more_test"])
        except (KeyError, TypeError) as error:
            raise DataError(f"saved split {dict(saved)} is not whole: train, validation, test and purge are needed") from error


def purge_rows(window: int, horizon: int, warmup: int = 0) -> int:
    """Return how many rows to leave unused between two parts, so that no row of one part is seen from the other.

    Args:
        window: Rows that a decision sees, its own among them; at least 1.
        horizon: Rows after its own that a reward or label reads; at least 0.
        warmup: Rows before its own that a feature reads. It counts where training rows follow test rows: their features
            remember the test. Where every part is older than the next, as in `chronological_split`, the older part is the
            newer one's past, which a live trader knows too, and 0 is right.

    Returns:
        Window + horizon + warm-up.

    Raises:
        ConfigError: One of them is negative or no whole number.
    """
    for name, value, least in (("window", window, 1), ("horizon", horizon, 0), ("warmup", warmup, 0)):
        whole_rows(name, value, least)
    return window + horizon + warmup


def whole_rows(name: str, value: object, least: int = 0) -> int:
    """Return a number of rows.

    Raises:
        ConfigError: It is no whole number, or less than `least`.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
        raise ConfigError(f"{name} is {value!r}; allowed: a whole number of {least} or more")
    return int(value)


def chronological_split(first_row: int, n_rows: int, params: SplitParams, purge: int) -> Split:
    """Cut rows ``first_row .. n_rows - 1`` into three ranges, oldest first.

    A window of length L and a reward that looks H bars ahead reach L + H rows over a cut; `purge` is at least that,
    so that no row of one part is seen from another.

    Args:
        first_row: First usable row: its features are warmed up and its window is whole.
        n_rows: Rows of the market, counted from row 0.
        params: Shares of the parts.
        purge: Rows left unused between consecutive parts, at least 0.

    Returns:
        The split; it uses every row from `first_row` on, but the purged ones.

    Raises:
        ConfigError: `first_row` or `purge` is negative.
        DataError: Too few rows for two in each part.
    """
    for name, value in (("first_row", first_row), ("purge", purge)):
        if value < 0:
            raise ConfigError(f"{name} is {value}; allowed: 0 or more")
    shares = (params.train, params.validation, params.test)
    usable = n_rows - first_row - 2 * purge
    needed = max(math.ceil(LEAST_ROWS / share - _ROUNDING) for share in shares)
    if usable < needed:
        raise DataError(
            f"{n_rows} rows are too few to split: {first_row + 2 * purge + needed} are required "
            f"({first_row} to warm up, {2 * purge} purged, {needed} to share out)"
        )
    train_rows, validation_rows = (math.floor(usable * share + _ROUNDING) for share in shares[:2])
    train = RowRange(first_row, first_row + train_rows)
    validation = RowRange(train.stop + purge, train.stop + purge + validation_rows)
    return Split(train, validation, RowRange(validation.stop + purge, n_rows), purge)
