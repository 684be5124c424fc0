"""What is drawn lies where the scale says, in its colour."""

from __future__ import annotations

import numpy as np
import pytest

from seawall.envs.drawing import ACCENT, BACKGROUND, FALL, GRID, LINE, RISE, Box, Canvas, Panel, round_levels, value_range


def panel(columns: int = 10, values: tuple[float, float] = (0.0, 10.0)) -> Panel:
    """A panel over the whole of a picture of 100 by 100 pixels."""
    return Panel(Canvas(100, 100), Box(0, 0, 100, 100), columns, values)


def painted(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Where a picture has exactly a colour: rows and columns, shape (K, 2)."""
    return np.argwhere((picture == colour).all(axis=2))


def test_an_empty_canvas_is_an_rgb_array_of_its_background():
    picture = Canvas(30, 20).array()
    assert (picture.shape, picture.dtype) == ((20, 30, 3), np.uint8)
    assert (picture == BACKGROUND).all()


def test_a_bar_fills_its_share_of_its_column_between_its_values():
    drawn = panel()
    drawn.bars(np.array([2.0, 7.0]), np.array([5.0, 4.0]), [LINE, ACCENT], width=1.0, first=3)
    picture = drawn.canvas.array()
    rows, columns = painted(picture, LINE).T
    assert (rows.min(), rows.max(), columns.min(), columns.max(), len(rows)) == (50, 79, 30, 39, 300)
    rows, columns = painted(picture, ACCENT).T
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (30, 59, 40, 49)


def test_a_bar_of_no_height_is_still_seen_and_one_without_a_number_is_not_drawn():
    drawn = panel()
    drawn.bars(np.array([5.0, np.nan]), np.array([5.0, 7.0]), [LINE], width=1.0)
    rows, columns = painted(drawn.canvas.array(), LINE).T
    assert set(rows.tolist()) == {50}
    assert (columns.min(), columns.max()) == (0, 9)


def test_a_line_goes_through_the_middles_of_its_columns_and_stops_where_there_is_no_number():
    drawn = panel()
    drawn.line(np.array([5.0, 5.0, 5.0, np.nan, 5.0, 5.0]), LINE, width=4.0)
    columns = set(painted(drawn.canvas.array(), LINE)[:, 1].tolist())
    assert {5, 15, 24} <= columns
    assert not columns & set(range(27, 44))
    assert {46, 54} <= columns
    assert not columns & set(range(58, 100))


def test_candles_rise_and_fall_in_their_colours_with_a_wick_from_low_to_high():
    drawn = panel()
    drawn.candles(np.array([[2.0, 9.0, 1.0, 6.0], [6.0, 8.0, 0.5, 3.0]]))
    picture = drawn.canvas.array()
    rows, columns = painted(picture, RISE).T
    assert (rows.min(), rows.max()) == (10, 89)
    assert columns.max() < 10
    rows, columns = painted(picture, FALL).T
    assert (rows.min(), rows.max()) == (20, 94)
    assert columns.min() >= 10


@pytest.mark.parametrize(("kind", "above"), [("up", False), ("down", True)])
def test_a_triangle_points_at_its_value_from_one_side(kind, above):
    drawn = panel()
    drawn.mark(4, 5.0, kind, ACCENT)
    rows, columns = painted(drawn.canvas.array(), ACCENT).T
    assert len(rows) > 20
    assert (rows.max() < 50) if above else (rows.min() >= 50)
    assert abs(columns.min() + columns.max() - 2 * 45) <= 2


def test_values_beyond_the_range_lie_on_its_edge():
    drawn = panel()
    assert (drawn.y(-3.0), drawn.y(0.0), drawn.y(10.0), drawn.y(1e9)) == (100.0, 100.0, 0.0, 0.0)
    assert (drawn.x(0), drawn.x(9)) == (5.0, 95.0)


def test_a_grid_lies_at_round_numbers():
    assert round_levels(1.3, 9.2) == [2.0, 4.0, 6.0, 8.0]
    assert round_levels(-0.031, 0.052, 4) == pytest.approx([0.0, 0.05])
    assert round_levels(9_870.0, 10_230.0, 4) == [9_900.0, 10_000.0, 10_100.0, 10_200.0]
    drawn = panel()
    drawn.grid(count=2)  # at 0, 5 and 10
    assert 50 in painted(drawn.canvas.array(), GRID)[:, 0]


def test_a_range_has_room_and_is_never_empty():
    low, high = value_range(np.array([1.0, np.nan]), np.array([[3.0, np.inf]]))
    assert (low, high) == pytest.approx((0.88, 3.12))
    low, high = value_range(np.array([7.0, 7.0]))
    assert low < 7.0 < high
    assert value_range(np.array([np.nan])) == (0.0, 1.0)


def test_words_are_written_where_they_are_anchored():
    canvas = Canvas(120, 40)
    canvas.words((110, 20), "12.5 %", size=14, anchor="rm")
    rows, columns = np.argwhere((canvas.array() != BACKGROUND).any(axis=2)).T
    assert 105 <= columns.max() <= 111
    assert columns.min() > 50
    assert 34 <= rows.min() + rows.max() <= 46
