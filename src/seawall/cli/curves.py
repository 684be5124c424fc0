"""Curves in a terminal, drawn with the dots of Braille letters, two by four in each; letters where there are none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from rich.text import Text

COLOURS = ("cyan", "magenta", "yellow", "green", "red", "blue", "bright_cyan", "bright_magenta")
_BRAILLE = 0x2800
# Bits of the eight dots of a Braille letter, by row and column.
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


class Bounds(NamedTuple):
    """What the drawing spans."""

    left: float
    right: float
    low: float
    high: float


def draw_curves(curves: Mapping[str, Sequence[tuple[float, float]]], width: int, height: int, *, plain: bool = False) -> list[Text]:
    """Draw some curves over each other.

    Args:
        curves: Finite points (x, y) of each curve by its name, in order of x.
        width: Letters in a line, beside the scale of y.
        height: Lines, beside the two of the legend.
        plain: Draw with the first letter of each name, for a terminal that shows no Braille.

    Returns:
        Lines of text; one that says so where there is no point yet.
    """
    points = [point for curve in curves.values() for point in curve]
    if not points:
        return [Text("no score yet", style="dim")]
    bounds = _bounds(points)
    masks = [[0] * width for _ in range(height)]
    owners = [[-1] * width for _ in range(height)]
    for number, curve in enumerate(curves.values()):
        for column, row in _pixels(curve, bounds, 2 * width, 4 * height):
            masks[row // 4][column // 2] |= _DOTS[row % 4][column % 2]
            owners[row // 4][column // 2] = number
    names = list(curves)
    labels = {0: f"{bounds.high:+.2f}", height - 1: f"{bounds.low:+.2f}"}
    margin = max(map(len, labels.values()))
    lines = []
    for row in range(height):
        line = Text(f"{labels.get(row, ''):>{margin}} ", style="dim")
        for mask, owner in zip(masks[row], owners[row], strict=True):
            sign = _sign(mask, names[owner] if owner >= 0 else "", plain=plain)
            line.append(sign, style=COLOURS[owner % len(COLOURS)] if owner >= 0 else "")
        lines.append(line)
    ends = f"{bounds.left:,.0f}", f"{bounds.right:,.0f}"
    lines.append(Text(" " * (margin + 1) + ends[0] + ends[1].rjust(max(1, width - len(ends[0]))), style="dim"))
    legend = Text(" " * (margin + 1))
    for number, name in enumerate(names):
        legend.append(f"{name}  ", style=COLOURS[number % len(COLOURS)])
    return [*lines, legend]


def _sign(mask: int, name: str, *, plain: bool) -> str:
    if not mask:
        return " "
    return (name[-1:] or "*") if plain else chr(_BRAILLE + mask)


def _bounds(points: Sequence[tuple[float, float]]) -> Bounds:
    across, up = [x for x, _ in points], [y for _, y in points]
    low, high = min(up), max(up)
    # A flat curve lies in the middle.
    room = 0.0 if high > low else max(abs(high), 1.0) * 0.01
    return Bounds(min(across), max(across), low - room, high + room)


def _pixels(curve: Sequence[tuple[float, float]], bounds: Bounds, columns: int, rows: int) -> list[tuple[int, int]]:
    """Return the dots of a curve, its points joined by straight lines; row 0 is the top."""
    wide, tall = bounds.right - bounds.left, bounds.high - bounds.low
    places = [
        (
            round((x - bounds.left) / wide * (columns - 1)) if wide else 0,
            round((bounds.high - y) / tall * (rows - 1)),
        )
        for x, y in curve
    ]
    dots = places[:1]
    for (column, row), (next_column, next_row) in pairwise(places):
        parts = max(abs(next_column - column), abs(next_row - row), 1)
        dots += [
            (round(column + (next_column - column) * part / parts), round(row + (next_row - row) * part / parts))
            for part in range(1, parts + 1)
        ]
    return dots
