"""Rows told as two small numbers come back as they were, up to the last that two float32 can tell."""

from __future__ import annotations

import numpy as np

from seawall.core.rows import join_rows, split_rows


def test_rows_are_split_and_joined_exactly_up_to_the_last_that_can_be_told():
    rows = np.array([0, 65_535, 65_536, 2**24 + 1, 2**40 - 1])
    parts = split_rows(rows)
    assert parts.tolist() == [[0, 0], [0, 65_535], [1, 0], [256, 1], [2**24 - 1, 65_535]]
    assert join_rows(parts).tolist() == rows.tolist()
    assert join_rows(parts[None]).shape == (1, 5)
