"""Pictures as arrays: lines, bars, marks and words on an image. Nothing here knows what they show.

A canvas is drawn at twice its size and shrunk once, so that edges are smooth. A panel is a part of it with a scale of its
own: columns from left to right, values from bottom to top.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Mark = Literal["up", "down", "dot"]

BACKGROUND: Colour = (18, 22, 30)
GRID: Colour = (38, 45, 58)
QUIET: Colour = (132, 143, 160)
WORDS: Colour = (222, 228, 238)
RISE: Colour = (52, 178, 158)
FALL: Colour = (226, 104, 92)
LINE: Colour = (108, 160, 245)
ACCENT: Colour = (240, 190, 88)
SERIES: tuple[Colour, ...] = (LINE, ACCENT, RISE, FALL, (186, 140, 236), (120, 206, 232), (236, 144, 190), (170, 190, 110))
"""Colours of several lines or bars in one panel, in order."""

_SCALE = 2
_ROOM = 0.06


@dataclass(frozen=True)
class Box:
    """A rectangle of a canvas, in pixels from its upper left corner."""

    left: float
    top: float
    right: float
    bottom: float


class Canvas:
    """An RGB image to draw on."""

    def __init__(self, width: int, height: int, background: Colour = BACKGROUND) -> None:
        """Start empty.

        Args:
            width: Pixels.
            height: Pixels.
            background: Colour of what is not drawn on.
        """
        self.width, self.height = width, height
        self._image = Image.new("RGB", (width * _SCALE, height * _SCALE), background)
        self._pen = ImageDraw.Draw(self._image)

    def line(self, points: list[tuple[float, float]], colour: Colour, width: float = 1.0) -> None:
        """Join points, in pixels."""
        at = [(x * _SCALE, y * _SCALE) for x, y in points]
        self._pen.line(at, fill=colour, width=max(1, round(width * _SCALE)), joint="curve")

    def rectangle(self, box: Box, colour: Colour) -> None:
        """Fill a rectangle, at least one pixel high."""
        bottom = max(box.bottom, box.top + 1.0)
        self._pen.rectangle(
            (box.left * _SCALE, box.top * _SCALE, box.right * _SCALE - 1, bottom * _SCALE - 1), fill=colour, width=0
        )

    def polygon(self, points: list[tuple[float, float]], colour: Colour, edge: Colour | None = None) -> None:
        """Fill a polygon, with an edge of another colour if one is given."""
        self._pen.polygon([(x * _SCALE, y * _SCALE) for x, y in points], fill=colour, outline=edge)

    def words(self, place: tuple[float, float], text: str, colour: Colour = WORDS, size: int = 12, anchor: str = "la") -> None:
        """Write a line of text.

        Args:
            place: Where its anchor lies, in pixels.
            text: The words.
            colour: Their colour.
            size: Height of the font in pixels.
            anchor: ``l``, ``m`` or ``r`` for left, middle or right, then ``a``, ``m`` or ``d`` for top, middle or bottom.
        """
        self._pen.text((place[0] * _SCALE, place[1] * _SCALE), text, fill=colour, font=_font(size), anchor=anchor)

    def array(self) -> np.ndarray:
        """Return the image, uint8, shape (height, width, 3); a new array."""
        return np.array(self._image.resize((self.width, self.height), Image.Resampling.BOX))


@lru_cache
def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """Return the font that comes with the imaging library."""
    return ImageFont.load_default(size * _SCALE)


def value_range(*blocks: np.ndarray) -> tuple[float, float]:
    """Return the least and the greatest finite number of some arrays with a little room; never an empty range."""
    values = np.concatenate([np.ravel(block) for block in blocks])
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    room = _ROOM * (high - low) or max(abs(high) * 1e-3, 1e-9)
    return low - room, high + room


def round_levels(low: float, high: float, count: int = 4) -> list[float]:
    """Return round numbers within a range, about as many as asked for: steps of 1, 2 or 5 times a power of ten."""
    raw = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= raw * (1 - 1e-12))
    return [number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


class Panel:
    """A part of a canvas with a scale: columns from left to right, values from bottom to top."""

    def __init__(self, canvas: Canvas, box: Box, columns: int, values: tuple[float, float]) -> None:
        """Take a part of a canvas.

        Args:
            canvas: What is drawn on.
            box: Where.
            columns: Number of columns, at least 1.
            values: The values at the bottom and at the top, as from `value_range`.
        """
        self.canvas, self.box = canvas, box
        self._column = (box.right - box.left) / columns
        self._low, self._high = values

    def x(self, column: float) -> float:
        """Return where the middle of a column lies, in pixels from the left."""
        return self.box.left + (column + 0.5) * self._column

    def y(self, value: float) -> float:
        """Return where a value lies, in pixels from the top; values beyond the range lie on its edge."""
        share = (value - self._low) / (self._high - self._low)
        return self.box.bottom - min(max(share, 0.0), 1.0) * (self.box.bottom - self.box.top)

    def grid(self, form: str = "{:,.6g}", count: int = 4) -> None:
        """Draw lines at round values, each with its number at the right.

        Args:
            form: Format of the numbers.
            count: About how many lines.
        """
        for value in round_levels(self._low, self._high, count):
            self.level(value, GRID)
            self.canvas.words((self.box.right + 6, self.y(value)), form.format(value), QUIET, 11, "lm")

    def level(self, value: float, colour: Colour) -> None:
        """Draw a line across at a value."""
        self.canvas.line([(self.box.left, self.y(value)), (self.box.right, self.y(value))], colour)

    def line(self, values: np.ndarray, colour: Colour, width: float = 1.5, first: int = 0) -> None:
        """Join one value a column; NaN interrupts the line.

        Args:
            values: The values, shape (K,).
            colour: Colour of the line.
            width: Pixels.
            first: Column of the first value.
        """
        run: list[tuple[float, float]] = []
        for number, value in enumerate(values.tolist()):
            if math.isfinite(value):
                run.append((self.x(first + number), self.y(value)))
                continue
            self._join(run, colour, width)
            run = []
        self._join(run, colour, width)

    def _join(self, run: list[tuple[float, float]], colour: Colour, width: float) -> None:
        if len(run) > 1:
            self.canvas.line(run, colour, width)

    def bars(self, low: np.ndarray, high: np.ndarray, colours: list[Colour], width: float = 0.7, first: int = 0) -> None:
        """Draw one bar a column, from one value to another: candles' bodies, volumes, stacked weights.

        Args:
            low: One end of each bar, shape (K,).
            high: The other end, shape (K,); it may be the lower one.
            colours: Colour of each bar, or one for all.
            width: Share of the column that the bar takes. Below 1 it is rounded to an odd number of pixels, which is sharp.
            first: Column of the first bar.
        """
        half = 0.5 * width * self._column
        for number, (one, other) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
            if math.isfinite(one) and math.isfinite(other):
                x, ends = self.x(first + number), sorted((self.y(one), self.y(other)))
                sides = (
                    (x - half, x + half)
                    if width >= 1.0
                    else (math.floor(x) - math.floor(half), math.floor(x) + math.floor(half) + 1)
                )
                self.canvas.rectangle(Box(sides[0], ends[0], sides[1], ends[1]), colours[number % len(colours)])

    def candles(self, bars: np.ndarray, first: int = 0) -> None:
        """Draw one candle a column.

        Args:
            bars: Open, high, low, close; shape (K, at least 4).
            first: Column of the first candle.
        """
        colours = [RISE if bar[3] >= bar[0] else FALL for bar in bars]
        self.bars(bars[:, 2], bars[:, 1], colours, 0.0, first)
        self.bars(bars[:, 0], bars[:, 3], colours, 0.7, first)

    def mark(self, column: float, value: float, kind: Mark, colour: Colour, size: float = 6.0) -> None:
        """Draw a triangle below a value (``up``) or above it (``down``), or a dot on it, with a dark edge.

        Args:
            column: The column.
            value: The value.
            kind: The shape.
            colour: Its colour.
            size: Half its width in pixels.
        """
        x, y = self.x(column), self.y(value)
        if kind == "dot":
            angles = np.linspace(0.0, 2.0 * math.pi, 16, endpoint=False).tolist()
            points = [(x + 0.7 * size * math.cos(angle), y + 0.7 * size * math.sin(angle)) for angle in angles]
        else:
            sign = 1.0 if kind == "up" else -1.0
            tip, base = y + sign * 0.5 * size, y + sign * 2.2 * size
            points = [(x, tip), (x - size, base), (x + size, base)]
        self.canvas.polygon(points, colour, BACKGROUND)
