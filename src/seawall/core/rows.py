"""Rows of a market as small float32 numbers, for libraries that make float32 of everything they are shown."""

from __future__ import annotations

import numpy as np

ROW_BASE = 65_536
"""A row is told as ``row // ROW_BASE`` and ``row % ROW_BASE``. One float32 alone holds whole numbers up to 2^24."""
ROW_PARTS = 1 << 24
"""The first of the two numbers is below this, so that rows below 2^40 are exact."""


def split_rows(rows: np.ndarray) -> np.ndarray:
    """Return rows as two whole numbers each, float32, shape (N, 2), exact below row 2^40; a new array.

    Args:
        rows: Rows, int64, shape (N,), at least 0.
    """
    out = np.empty((len(rows), 2), dtype=np.float32)
    out[:, 0], out[:, 1] = rows >> 16, rows & 0xFFFF
    return out


def join_rows(parts: np.ndarray) -> np.ndarray:
    """Return the rows that `split_rows` made two numbers each of, int64, shape (...).

    Args:
        parts: Whole numbers, shape (..., 2).
    """
    whole = parts.astype(np.int64)
    return (whole[..., 0] << 16) | whole[..., 1]
