"""Scaling features by what the training rows showed, and by nothing later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

import numpy as np

from seawall.core.errors import DataError
from seawall.features.pipeline import difference

ScalingKind = Literal["minmax", "zscore", "robust", "none"]
CLIP: dict[str, tuple[float, float]] = {
    "minmax": (-1.0, 2.0),
    "zscore": (-10.0, 10.0),
    "robust": (-10.0, 10.0),
    "none": (-np.inf, np.inf),
}


class Rows(Protocol):
    """Consecutive rows, as `RowRange`, `range` and `slice` describe them."""

    @property
    def start(self) -> int:
        """First row."""
        ...

    @property
    def stop(self) -> int:
        """One past the last row."""
        ...


@dataclass(frozen=True, eq=False)
class Scaler:
    """A linear map of each column, ``(x − offset) / scale``, clipped, fitted once and saved with the model.

    ``minmax`` maps the training range to 0..1 and clips to −1..2; ``zscore`` gives mean 0 and deviation 1 on the training
    rows and clips to ±10; ``robust`` takes the training median away, divides by the distance from the lower to the upper
    quartile and clips to ±10; ``none`` passes values, and their outliers, as they are. A live value far outside the
    training range therefore reaches a network as a bounded number. A column that is constant in training maps to 0.5
    (``minmax``) or 0 (``zscore``, ``robust``) with scale 1; so does a column whose quartiles are equal, with ``robust``.

    Attributes:
        kind: The rule.
        columns: Names of the F columns.
        offset: float64, shape (F,).
        scale: float64, shape (F,), above 0.
        fitted_rows: First, and one past the last, row it was fitted on.
        unscaled: Columns that pass as they are, neither scaled nor clipped: their file holds them scaled already.
        seen: Lowest and highest value of each unscaled column in those rows, float64, shape (2, F); None where it was not kept.
    """

    kind: ScalingKind
    columns: tuple[str, ...]
    offset: np.ndarray
    scale: np.ndarray
    fitted_rows: tuple[int, int]
    unscaled: tuple[str, ...] = ()
    seen: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Refuse a scaler that is not whole."""
        shape = (len(self.columns),)
        if self.kind not in CLIP:
            raise DataError(f"scaler kind {self.kind!r} is unknown; allowed: {', '.join(CLIP)}")
        if self.offset.shape != shape or self.scale.shape != shape:
            raise DataError(f"scaler has {shape[0]} columns, offsets {self.offset.shape} and scales {self.scale.shape}")
        if self.seen is not None and (self.seen.shape != (2, *shape) or not (self.seen[0] <= self.seen[1]).all()):
            raise DataError(f"scaler has {shape[0]} columns, and a training range of shape {self.seen.shape} that is none")
        if not (np.isfinite(self.offset).all() and np.isfinite(self.scale).all() and (self.scale > 0).all()):
            raise DataError("scaler has an offset that is not finite, or a scale that is not above 0")
        passed = self._passed()
        if set(self.unscaled) - set(self.columns) or self.offset[passed].any() or (self.scale[passed] != 1.0).any():
            raise DataError(f"scaler passes {', '.join(self.unscaled)} unscaled, but lacks or scales one of them")

    @classmethod
    def fit(cls, block: np.ndarray, rows: Rows, columns: Sequence[str], kind: ScalingKind, unscaled: Sequence[str] = ()) -> Scaler:
        """Fit on the training rows; no other row is looked at.

        Args:
            block: Unscaled features, float64, shape (T, F).
            rows: The training rows.
            columns: Names of the F columns.
            kind: ``minmax``, ``zscore``, ``robust`` or ``none``.
            unscaled: Columns to pass as they are, as they were scaled before.

        Raises:
            DataError: The training rows do not lie in the block, or hold a value that is not finite, as in a warm-up.
        """
        start, stop = int(rows.start), int(rows.stop)
        if not 0 <= start < stop <= len(block):
            raise DataError(f"training rows {start}..{stop} do not lie within the {len(block)} rows of features")
        _check_width(block, columns)
        training = np.asarray(block[start:stop], dtype=np.float64)
        if not np.isfinite(training).all():
            row, column = (int(index) for index in np.argwhere(~np.isfinite(training))[0])
            raise DataError(
                f"feature {columns[column]} is {training[row, column]} at training row {start + row}; "
                "a scaler needs finite rows, after the warm-up"
            )
        offset, scale = offset_and_scale(training, kind)
        passed = np.isin(columns, unscaled)
        offset[passed], scale[passed] = 0.0, 1.0
        seen = np.stack([training.min(axis=0), training.max(axis=0)])
        return cls(kind, tuple(columns), offset, scale, (start, stop), tuple(unscaled), seen)

    def transform(self, block: np.ndarray, columns: Sequence[str] | None = None) -> np.ndarray:
        """Scale and clip; NaN (a warm-up) stays NaN.

        Args:
            block: Unscaled features, shape (T, F).
            columns: Names of the block's columns, compared with the scaler's where given.

        Returns:
            float32, shape (T, F).

        Raises:
            DataError: The block has other columns than the scaler.
        """
        if columns is not None:
            self.require_columns(columns)
        _check_width(block, self.columns)
        with np.errstate(over="ignore"):
            return self.mapped(block).astype(np.float32)

    def mapped(self, block: np.ndarray, *, clip: bool = True) -> np.ndarray:
        """Scale, and clip unless told not to, in float64; NaN stays NaN.

        Args:
            block: Unscaled columns, shape (T, F), in the scaler's order.
            clip: Whether values far outside the training range are clipped.

        Returns:
            float64, shape (T, F).
        """
        scaled = (block - self.offset) / self.scale
        return self.clipped(scaled) if clip else scaled

    def clipped(self, scaled: np.ndarray) -> np.ndarray:
        """Clip scaled columns, shape (T, F), to what `CLIP` allows; those that pass unscaled stay."""
        low, high = (np.full(len(self.columns), bound) for bound in CLIP[self.kind])
        passed = self._passed()
        low[passed], high[passed] = CLIP["none"]
        return np.clip(scaled, low, high)

    @property
    def training_range(self) -> np.ndarray | None:
        """Lowest and highest scaled value of each column in the training rows, float64, shape (2, F); None where not kept.

        They are rounded as the scaled rows are, so that no training row lies outside.
        """
        return None if self.seen is None else self.transform(self.seen).astype(np.float64)

    def require_columns(self, columns: Sequence[str]) -> None:
        """Refuse columns that differ from the scaler's in name, number or order.

        Raises:
            DataError: They differ; the message says how.
        """
        unlike = difference(self.columns, columns)
        if unlike:
            raise DataError(f"the scaler was fitted on other features ({unlike})")

    def _passed(self) -> np.ndarray:
        return np.isin(self.columns, self.unscaled)

    def to_dict(self) -> dict[str, Any]:
        """Return the scaler as plain JSON values; `from_dict` gives back every bit."""
        return {
            "kind": self.kind,
            "columns": list(self.columns),
            "offset": self.offset.tolist(),
            "scale": self.scale.tolist(),
            "fitted_rows": list(self.fitted_rows),
            "unscaled": list(self.unscaled),
            "seen": None if self.seen is None else self.seen.tolist(),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Scaler:
        """Read what `to_dict` wrote.

        Raises:
            DataError: A part is missing, or the parts do not fit together.
        """
        try:
            offset, scale = (np.asarray(value[name], dtype=np.float64) for name in ("offset", "scale"))
            start, stop = (int(row) for row in value["fitted_rows"])
            columns = tuple(cast("list[str]", value["columns"]))
            unscaled = tuple(cast("list[str]", value.get("unscaled", [])))
            seen = None if value.get("seen") is None else np.asarray(value["seen"], dtype=np.float64)
            return cls(value["kind"], columns, offset, scale, (start, stop), unscaled, seen)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"scaler cannot be read: {type(error).__name__}: {error}") from error


def offset_and_scale(training: np.ndarray, kind: ScalingKind) -> tuple[np.ndarray, np.ndarray]:
    """Return what each column is moved and divided by.

    Args:
        training: The training rows, finite, float64, shape (T, F).
        kind: The rule.

    Returns:
        Offsets and scales, float64, shape (F,) each; scales are above 0.
    """
    low = np.asarray(training.min(axis=0), dtype=np.float64)
    high = np.asarray(training.max(axis=0), dtype=np.float64)
    if kind == "none":
        return np.zeros_like(low), np.ones_like(low)
    if kind == "minmax":
        offset, scale = low.copy(), high - low
    elif kind == "robust":
        lower, offset, upper = np.asarray(np.percentile(training, (25, 50, 75), axis=0), dtype=np.float64)
        scale = upper - lower
    else:
        offset = np.asarray(training.mean(axis=0), dtype=np.float64)
        scale = np.asarray(training.std(axis=0), dtype=np.float64)
    # The quartiles of a column that moves seldom may be equal; its median stays its middle.
    flat = (low == high) | (scale == 0.0)
    moved = (low == high) if kind == "robust" else flat
    offset[moved] = low[moved] - (0.5 if kind == "minmax" else 0.0)
    scale[flat] = 1.0
    return offset, scale


def _check_width(block: np.ndarray, columns: Sequence[str]) -> None:
    if block.ndim != 2 or block.shape[1] != len(columns):
        raise DataError(f"feature block has shape {block.shape}; (rows, {len(columns)}) is needed")
