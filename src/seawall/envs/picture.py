"""An account as a picture: the last bars as candles, its entries and exits, and its equity below."""

from __future__ import annotations

import numpy as np

from seawall.core.bars import CLOSE
from seawall.envs.drawing import ACCENT, FALL, GRID, LINE, QUIET, RISE, WORDS, Box, Canvas, Colour, Mark, Panel, value_range
from seawall.envs.trail import BARS, Record, series_of, when
from seawall.envs.vector import TradingVectorEnv

WIDTH, HEIGHT = 800, 480
_LEFT, _RIGHT = 16, WIDTH - 78
_LONG_BAND, _SHORT_BAND = (19, 40, 42), (46, 29, 33)
_MARKS: dict[float, tuple[Mark, Colour]] = {1.0: ("up", RISE), -1.0: ("down", FALL), 0.0: ("dot", ACCENT)}


def picture(batch: TradingVectorEnv, record: Record, number: int = 0) -> np.ndarray:
    """Draw the last bars as candles with entries (triangles) and exits (dots), and the equity below; uint8, shape (480, 800, 3).

    Args:
        batch: The environment.
        record: What is remembered of the account, at least one close.
        number: Which account of the batch it is.
    """
    market, row = batch.market, int(record.row[-1])
    first = max(market.starts[series_of(batch, row)], row - BARS + 1)
    canvas, bars = Canvas(WIDTH, HEIGHT), market.prices[first : row + 1]
    prices = Panel(canvas, Box(_LEFT, 58, _RIGHT, 322), BARS, value_range(bars[:, : CLOSE + 1]))
    money = Panel(
        canvas, Box(_LEFT, 362, _RIGHT, 446), BARS, value_range(record.equity, np.array([batch.params.simulator.initial_equity]))
    )
    columns = record.row - (row - BARS + 1)
    _shade_positions(prices, record, columns)
    prices.grid()
    prices.candles(bars, BARS - len(bars))
    _mark_trades(prices, record, columns)
    money.grid("{:,.0f}", 3)
    money.level(batch.params.simulator.initial_equity, QUIET)
    money.line(record.equity, LINE, 2.0, int(columns[0]))
    _write(canvas, batch, record, number)
    return canvas.array()


def _shade_positions(panel: Panel, record: Record, columns: np.ndarray) -> None:
    """Shade the bars in which a position was held, from the fill on."""
    half = (panel.box.right - panel.box.left) / BARS / 2.0
    for column, units in zip(columns.tolist(), record.quantity.tolist(), strict=True):
        if units:
            box = Box(panel.x(column) - half, panel.box.top, panel.x(column) + half, panel.box.bottom)
            panel.canvas.rectangle(box, _LONG_BAND if units > 0.0 else _SHORT_BAND)


def _mark_trades(panel: Panel, record: Record, columns: np.ndarray) -> None:
    """Mark where the side of the position changed: with a triangle where one was entered, with a dot where it was left."""
    sides = np.sign(record.quantity)
    for place in np.flatnonzero(np.diff(sides)) + 1:
        price = record.fill_price[place]
        if np.isfinite(price):
            panel.mark(float(columns[place]), float(price), *_MARKS[float(sides[place])])


def _write(canvas: Canvas, batch: TradingVectorEnv, record: Record, number: int) -> None:
    """Write the heading, the names of the panels and the times at both ends."""
    market, row, equity = batch.market, int(record.row[-1]), float(record.equity[-1])
    start, peak = batch.params.simulator.initial_equity, float(batch.simulator.peak_equity[number])
    close = float(market.prices[row, CLOSE])
    share = record.quantity[-1] * close / equity if equity > 0.0 else 0.0
    held = "flat" if share == 0.0 else f"{'long' if share > 0.0 else 'short'} {abs(share):.2f}"
    canvas.words((_LEFT, 12), f"{market.symbols[series_of(batch, row)]}  {close:,.6g}", WORDS, 16)
    canvas.words((_LEFT, 34), when(batch, row), QUIET, 12)
    gain = equity / start - 1.0
    canvas.words((WIDTH - 16, 12), f"{equity:,.2f}  {gain:+.2%}", RISE if gain >= 0.0 else FALL, 16, "ra")
    canvas.words((WIDTH - 16, 34), f"{held}   drawdown {1.0 - equity / peak:.2%}", QUIET, 12, "ra")
    canvas.line([(_LEFT, 338), (WIDTH - 16, 338)], GRID)
    canvas.words((_LEFT, 342), "equity", QUIET, 11)
    first = max(market.starts[series_of(batch, row)], row - BARS + 1)
    canvas.words((_LEFT, 456), when(batch, first), QUIET, 11)
    canvas.words((_RIGHT, 456), when(batch, row), QUIET, 11, "ra")
