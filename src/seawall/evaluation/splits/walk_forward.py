"""Walk-forward: learn on the past, be judged on what comes next, move on, by bars or by dates."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from seawall.core.errors import ConfigError, DataError
from seawall.core.market import RowRange
from seawall.evaluation.splits.fold import Fold, check_share, training_ranges, with_validation
from seawall.evaluation.splits.lengths import Length, Ruler
from seawall.market.splits import LEAST_ROWS, whole_rows


@dataclass(frozen=True)
class WalkForward:
    """Folds in order of time, each judged on rows after all that it learned from.

    Lengths are numbers of bars (500) or times ("30d"; s, m, h, d, w). A fold's training part ends `purge` rows before its
    test. It serves scikit-learn as a cross-validator; `folds` gives row ranges instead.

    Attributes:
        train: Length of the training part, rows to validate on among them; of the first one where it is anchored.
        test: Length of a test part.
        step: From the start of one test part to that of the next, at least `test`; `test` itself where None.
        anchored: Whether every training part starts at the first row and grows; else it rolls and keeps its length.
        purge: Unused rows between training and test; see `market.splits.purge_rows`.
        validation: Share of a training part to choose checkpoints on, from its end; 0 for none.
        rest: Whether a last test part that is cut short by the end of the series is used too.
    """

    train: int | str
    test: int | str
    step: int | str | None = None
    anchored: bool = True
    purge: int = 0
    validation: float = 0.0
    rest: bool = False

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            ConfigError: One is out of range.
        """
        train, test, step = self._lengths()
        for name, length in (("train", train), ("test", test)):
            if not length.in_time and length.amount < LEAST_ROWS:
                raise ConfigError(f"{name} is {length.amount}; allowed: {LEAST_ROWS} bars or more, or a time")
        if step.in_time == test.in_time and step.amount < test.amount:
            raise ConfigError(f"step is {self.step!r}, shorter than test, {self.test!r}: a bar would be tested twice")
        whole_rows("purge", self.purge)
        check_share("validation", self.validation)

    def folds(self, rows: RowRange, times: np.ndarray | None = None) -> list[Fold]:
        """Return the folds, oldest first; a stretch of time without two bars has none.

        Args:
            rows: All usable rows of one series: warmed up, with whole windows.
            times: Opening time of every row in milliseconds, int64, shape (T,), counted from row 0; needed for lengths in time.

        Raises:
            ConfigError: A length is in time and `times` is None, or steps in one unit are shorter than tests in the other.
            DataError: The rows hold no fold, or too few to learn from or to choose on.
        """
        train = self._lengths()[0]
        ruler = Ruler(times, rows)
        made: list[Fold] = []
        for test in self._tests(ruler, ruler.after(rows.start, train) + self.purge):
            stop = test.start - self.purge
            start = rows.start if self.anchored else max(rows.start, ruler.before(stop, train))
            left = training_ranges(RowRange(start, test.stop), [test], self.purge, 0)
            kept, validation = with_validation(len(made), left, self.validation, self.purge)
            made.append(Fold(len(made), kept, validation, (test,), (len(made),), self.purge))
        if not made:
            raise DataError(
                f"{len(rows)} rows hold no fold of train {self.train}, purge {self.purge} and test {self.test}; "
                "allowed: shorter parts, more rows, or rest for a last test part that is cut short"
            )
        return made

    def _lengths(self) -> tuple[Length, Length, Length]:
        """Return the lengths of train, test and step."""
        train, test = Length.parse("train", self.train), Length.parse("test", self.test)
        return train, test, test if self.step is None else Length.parse("step", self.step)

    def _tests(self, ruler: Ruler, first: int) -> Iterator[RowRange]:
        """Yield the test parts, the first of which starts at row `first`."""
        _train, test, step = self._lengths()
        last_stop = 0
        for count in itertools.count():
            if step.in_time:
                moment = ruler.time(first) + count * step.amount
                start = ruler.row_at(moment)
            else:
                start = first + count * step.amount
                moment = ruler.time(start) if test.in_time and start < ruler.rows.stop else 0
            if start >= ruler.rows.stop:
                return
            stop, whole = _end(ruler, start, moment, test)
            if start < last_stop:
                raise ConfigError(
                    f"step is {self.step!r}, shorter than test, {self.test!r}, at row {start}: a bar would be tested twice"
                )
            if not whole and not self.rest:
                return
            if stop - start >= LEAST_ROWS:
                last_stop = stop
                yield RowRange(start, stop)

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:  # noqa: ARG002
        """Yield training and test rows of each fold, as scikit-learn asks; rows to validate on are in neither.

        Args:
            X: What has rows; for lengths in time with an index of times, as a pandas frame, or such an index itself.
            y: Ignored.
            groups: Ignored.
        """
        for fold in self._folds_of(X):
            yield fold.train_rows(), fold.test_rows()

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:  # noqa: ARG002
        """Return the number of folds of X.

        Raises:
            ConfigError: X is None: the number depends on the rows.
        """
        if X is None:
            raise ConfigError("X is None; allowed: the rows to split, on which the number of walk-forward folds depends")
        return len(self._folds_of(X))

    def _folds_of(self, X: Any) -> list[Fold]:
        if not len(X):
            raise DataError(f"0 rows cannot be split; allowed: {LEAST_ROWS} or more")
        return self.folds(RowRange(0, len(X)), _times_of(X) if any(length.in_time for length in self._lengths()) else None)


def _end(ruler: Ruler, start: int, moment: int, test: Length) -> tuple[int, bool]:
    """Return one past the last row of a test part, and whether the series holds it whole."""
    if not test.in_time:
        return min(start + test.amount, ruler.rows.stop), start + test.amount <= ruler.rows.stop
    return ruler.row_at(moment + test.amount), moment + test.amount <= ruler.end


def _times_of(X: Any) -> np.ndarray:
    """Return the times of rows in milliseconds, int64, from an index of times."""
    import pandas as pd

    index = X if isinstance(X, pd.DatetimeIndex) else getattr(X, "index", None)
    if not isinstance(index, pd.DatetimeIndex):
        raise ConfigError(f"lengths in time need rows with an index of times; {type(X).__name__} has none")
    return index.as_unit("ms").asi8
