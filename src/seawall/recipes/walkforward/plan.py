"""How a series is cut into folds: what the user asked for, and the folds that come of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from seawall.core.errors import ConfigError, DataError
from seawall.core.market import RowRange
from seawall.evaluation.splits.crossed import CombinatorialPurged, purged_k_fold
from seawall.evaluation.splits.fold import Fold
from seawall.evaluation.splits.lengths import Length
from seawall.evaluation.splits.walk_forward import WalkForward
from seawall.market.splits import LEAST_ROWS, SplitParams

Scheme = Literal["anchored", "rolling", "kfold", "cpcv"]
SCHEMES: tuple[Scheme, ...] = ("anchored", "rolling", "kfold", "cpcv")
FORWARD = ("anchored", "rolling")
"""Schemes in which a fold learns from nothing that is newer than its test."""
_FOLDS = {"anchored": 5, "rolling": 5, "kfold": 5, "cpcv": 6}
_TEST_GROUPS = 2


def scheme_named(name: str) -> Scheme:
    """Return the scheme of a name.

    Raises:
        ConfigError: There is none.
    """
    for known in SCHEMES:
        if known == name:
            return known
    raise ConfigError(f"--scheme {name} is unknown; allowed: {', '.join(SCHEMES)}")


@dataclass(frozen=True)
class Bars:
    """What is cut.

    Attributes:
        rows: All usable rows: warmed up, with whole windows.
        times_ms: Opening time of every row from row 0 on, int64, shape (T,).
        bar_ms: Length of a bar.
        purge: Unused rows between two parts, where all that is learned is older than the test.
        warmup: Rows that features remember, which add to the purge where something learned is newer.
    """

    rows: RowRange
    times_ms: np.ndarray
    bar_ms: int
    purge: int
    warmup: int


@dataclass(frozen=True)
class WalkPlan:
    """How a series is to be cut. Lengths are bars, or times as in 30d.

    Attributes:
        scheme: ``anchored``: training grows; ``rolling``: it keeps its length; ``kfold``: each of the groups is tested once;
            ``cpcv``: each set of some groups is tested.
        folds: Number of folds, or of groups; None for 5 (6 with cpcv), or as many as `test` makes.
        train: Length of the (first) training part, validation in it; None for what the folds leave.
        test: Length of a test; None for equal ones.
        step: From the start of one test to that of the next; None for `test`.
        embargo: Unused bars after a test, beyond the purge; with kfold and cpcv.
        test_groups: Groups that a fold tests, with cpcv; None for 2.
    """

    scheme: Scheme = "anchored"
    folds: int | None = None
    train: str | None = None
    test: str | None = None
    step: str | None = None
    embargo: str | None = None
    test_groups: int | None = None

    def __post_init__(self) -> None:
        """Refuse what does not go together.

        Raises:
            ConfigError: A setting is out of range, or means nothing in this scheme.
        """
        lengths = {"train": self.train, "test": self.test, "step": self.step}
        forward = self.scheme in FORWARD
        wrong = {"embargo": self.embargo, "test-groups": self.test_groups} if forward else lengths
        if self.scheme == "kfold":
            wrong |= {"test-groups": self.test_groups}
        given = [name for name, value in wrong.items() if value is not None]
        if given:
            why = "nothing is learned after a test" if forward else "all groups are as long as each other, and all are used"
            fits = ("folds", "train", "test", "step") if forward else ("folds", "embargo")
            raise ConfigError(f"--{given[0]} means nothing with --scheme {self.scheme}: {why}; allowed: --{', --'.join(fits)}")
        least = 1 if forward else 2
        if self.folds is not None and self.folds < least:
            raise ConfigError(f"--folds is {self.folds}; allowed: {least} or more with --scheme {self.scheme}")
        if self.test is not None and self.folds is not None:
            raise ConfigError(f"--folds {self.folds} and --test {self.test} both say how long a test is; allowed: one of them")
        if self.step is not None and self.test is None:
            raise ConfigError(f"--step {self.step} needs --test, the length of a test")
        if self.test is not None and self.train is None:
            raise ConfigError(f"--test {self.test} needs --train, the length of the first training part")

    def make(self, bars: Bars, split: SplitParams) -> list[Fold]:
        """Cut a series.

        Args:
            bars: What is cut.
            split: The recipe's; its shares of training and validation rows say how large a fold's validation is.

        Raises:
            ConfigError: Lengths do not go together.
            DataError: There are too few rows.
        """
        validation = split.validation / (split.train + split.validation)
        if self.scheme in FORWARD:
            return self._forward(bars, validation).folds(bars.rows, bars.times_ms)
        return self.crossed(bars, validation).folds(bars.rows)

    def crossed(self, bars: Bars, validation: float) -> CombinatorialPurged:
        """Return the splitter of kfold or cpcv."""
        purge, embargo = bars.purge + bars.warmup, self._embargo_rows(bars)
        groups = self.folds or _FOLDS[self.scheme]
        if self.scheme == "kfold":
            return purged_k_fold(groups, purge, embargo, validation)
        return CombinatorialPurged(groups, self.test_groups or _TEST_GROUPS, purge, embargo, validation)

    def paths(self, bars: Bars) -> list[tuple[int, ...]]:
        """Return the backtest paths: for each the numbers of the folds that test its parts, in order of time."""
        return self.crossed(bars, 0.5).paths()

    def _forward(self, bars: Bars, validation: float) -> WalkForward:
        anchored, purge = self.scheme == "anchored", bars.purge
        if self.test is not None and self.train is not None:
            return WalkForward(self.train, self.test, self.step, anchored, purge, validation)
        folds = self.folds or _FOLDS[self.scheme]
        if self.train is not None:
            length = Length.parse("train", self.train)
            rows = length.amount if not length.in_time else _rows_of(length, bars)
            test = (len(bars.rows) - purge - rows) // folds
        else:
            test = (len(bars.rows) - purge) // (folds + 1)
        if test < LEAST_ROWS:
            raise DataError(
                f"{len(bars.rows)} usable rows are too few for {folds} tests after training and {purge} purged rows; allowed: "
                "fewer folds, or more rows"
            )
        # What does not divide is learned from: the first training part.
        train = len(bars.rows) - purge - folds * test
        return WalkForward(train, test, None, anchored, purge, validation)

    def _embargo_rows(self, bars: Bars) -> int:
        if self.embargo is None or self.embargo.strip() == "0":
            return 0
        length = Length.parse("embargo", self.embargo)
        return -(-length.amount // bars.bar_ms) if length.in_time else length.amount

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain values."""
        return asdict(self)


def _rows_of(length: Length, bars: Bars) -> int:
    """Return how many rows the first stretch of so much time holds."""
    start = int(bars.times_ms[bars.rows.start])
    return int(np.searchsorted(bars.times_ms, start + length.amount)) - bars.rows.start
