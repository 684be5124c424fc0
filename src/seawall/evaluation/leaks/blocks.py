"""Calling a function that is judged, and comparing what it returns."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from seawall.core.errors import DataError

# Sums in another order differ in their last bits. Relative to a column's own spread this is far below any edge, and relative to
# its largest value it is a few units in the last place.
RELATIVE_TOLERANCE = 1e-9
_LAST_PLACES = 64 * float(np.finfo(np.float64).eps)


class CallError(DataError):
    """A judged function raised an error, or returned something that cannot be read."""


@dataclass(frozen=True)
class Block:
    """Named columns of numbers, one row a bar.

    Attributes:
        names: Names of the F columns.
        values: float64, shape (T, F).
    """

    names: tuple[str, ...]
    values: np.ndarray


def called(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a judged function without its warnings.

    Raises:
        CallError: It raised an error.
    """
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return function(*arguments)
    except Exception as error:
        raise CallError(f"raised {type(error).__name__}: {error}") from error


def as_block(returned: Any, index: pd.Index, name: str) -> Block:
    """Read what a function returned as columns of numbers.

    Args:
        returned: An array, series, frame or list. A series or frame that lacks some rows of `index` has NaN there.
        index: Of the bars, T rows.
        name: Of a single column; those of an array are numbered.

    Raises:
        CallError: It is not of shape (T,) or (T, F).
    """
    if isinstance(returned, (pd.Series, pd.DataFrame)):
        if len(returned) != len(index) and returned.index.is_unique and returned.index.isin(index).all():
            returned = returned.reindex(index)
        frame = returned.to_frame(name) if isinstance(returned, pd.Series) else returned
        names = tuple(str(column) for column in frame.columns)
        columns = [_numbers(frame.iloc[:, place]) for place in range(frame.shape[1])]
        values = np.column_stack(columns) if columns else np.empty((len(frame), 0))
    else:
        array = np.asarray(returned)
        if array.ndim == 1:
            array = array[:, None]
        if array.ndim != 2:
            raise CallError(f"returned shape {np.asarray(returned).shape}; ({len(index)},) or ({len(index)}, columns) is needed")
        names = (name,) if array.shape[1] == 1 else tuple(f"{name}[{number}]" for number in range(array.shape[1]))
        values = (
            array.astype(np.float64) if array.dtype.kind in "fiub" else np.column_stack([_numbers(pd.Series(c)) for c in array.T])
        )
    if len(values) != len(index):
        raise CallError(f"returned {len(values)} rows for {len(index)} bars; one row a bar is needed")
    return Block(names, values)


def _numbers(column: pd.Series) -> np.ndarray:
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(np.float64, na_value=np.nan)
    if pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_timedelta64_dtype(column):
        return column.astype("int64").to_numpy(np.float64)
    converted = pd.to_numeric(column.astype(object), errors="coerce").to_numpy(np.float64)
    if np.isnan(converted).all() and column.notna().any():
        # Words are compared by their hashes: equal words, equal numbers.
        return (pd.util.hash_array(column.astype(str).to_numpy(object)) >> 12).astype(np.float64)
    return converted


def differing(known: np.ndarray, seen: np.ndarray, loss: float = 1.0) -> np.ndarray:
    """Say where two blocks differ by more than rounding.

    Args:
        known: Shape (T, F).
        seen: Shape (S, F); the first min(S, T) rows are compared.
        loss: Factor on the tolerance, for altered inputs so large that an honest sum over them loses digits.

    Returns:
        bool, shape (min(S, T), F).
    """
    rows = min(len(known), len(seen))
    left, right = known[:rows], seen[:rows]
    equal = (left == right) | (np.isnan(left) & np.isnan(right))
    if equal.all():
        return ~equal
    with np.errstate(all="ignore"):
        finite = np.where(np.isfinite(known), known, np.nan)
        middle = _quietly(np.nanmedian, finite)
        spread = _quietly(np.nanmedian, np.abs(finite - middle))
        largest = np.fmax(_largest(known), _largest(seen))
        tolerance = loss * RELATIVE_TOLERANCE * spread + _LAST_PLACES * largest
        return ~(equal | (np.abs(left - right) <= tolerance))


def _largest(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), np.abs(values), 0.0).max(axis=0, initial=0.0)


def _quietly(function: Callable[..., Any], values: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.nan_to_num(function(values, axis=0))
