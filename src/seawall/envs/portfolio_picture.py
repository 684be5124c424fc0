"""How a portfolio is shown: in a line of text, and as an image of its equity, its benchmark and its weights."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from seawall.core.timeframe import iso_ms
from seawall.envs.drawing import LINE, QUIET, SERIES, WORDS, Box, Canvas, Panel, value_range
from seawall.simulator.portfolio.simulator import PortfolioSimulator

WIDTH, HEIGHT = 600, 200
_LEFT, _RIGHT = 8, 500
_MOST_COLUMNS = _RIGHT - _LEFT
_LEGEND_ROWS = 12


@dataclass
class History:
    """What an episode has been so far.

    Attributes:
        equity: At the start and after each bar.
        benchmark: Likewise, of equal-weight buy-and-hold.
        weights: Of cash and the assets, each of shape (A + 1,).
    """

    equity: list[float] = field(default_factory=list[float])
    benchmark: list[float] = field(default_factory=list[float])
    weights: list[np.ndarray] = field(default_factory=list[np.ndarray])

    def add(self, equity: float, benchmark: float, weights: np.ndarray) -> None:
        """Take down one bar."""
        self.equity.append(equity)
        self.benchmark.append(benchmark)
        self.weights.append(weights)


def sentence(accounts: PortfolioSimulator) -> str:
    """Return the time, the equity, its ratio to the benchmark and the weights of the first account."""
    bars = accounts.panel
    names = ("cash", *bars.symbols)
    weights = ", ".join(f"{name} {weight:.1%}" for name, weight in zip(names, accounts.weights[0].tolist(), strict=True))
    equity, excess = float(accounts.equity[0]), float(accounts.equity[0] / accounts.benchmark[0] - 1.0)
    return f"{iso_ms(int(bars.timestamps[accounts.row[0]]))} equity {equity:,.2f} ({excess:+.2%} to the benchmark): {weights}"


def picture(history: History, symbols: tuple[str, ...]) -> np.ndarray:
    """Draw equity against the benchmark, and below it the weights: the first asset lowest, cash what is left on top.

    Some bars are left out where an episode has more than the image has columns, and names where they do not fit.

    Args:
        history: The episode so far, at least its start.
        symbols: The assets.

    Returns:
        uint8, shape (HEIGHT, WIDTH, 3).
    """
    shown = np.unique(np.linspace(0, len(history.equity) - 1, _MOST_COLUMNS).round().astype(np.int64))
    equity, benchmark = np.array(history.equity)[shown], np.array(history.benchmark)[shown]
    weights = np.stack(history.weights)[shown]
    canvas = Canvas(WIDTH, HEIGHT)
    upper = Panel(canvas, Box(_LEFT, 18, _RIGHT, 104), len(shown), value_range(equity, benchmark))
    upper.grid(count=3)
    upper.line(benchmark, QUIET)
    upper.line(equity, LINE, 2.0)
    canvas.words((_LEFT, 2), f"equity {history.equity[-1]:,.2f}", LINE, 11)
    canvas.words((_RIGHT, 2), f"benchmark {history.benchmark[-1]:,.2f}", QUIET, 11, "ra")
    lower = Panel(canvas, Box(_LEFT, 112, _RIGHT, 194), len(shown), (0.0, 1.0))
    tops, names = np.cumsum(weights[:, 1:], axis=1), [("cash", WORDS, float(weights[-1, 0]))]
    for asset, symbol in reversed(list(enumerate(symbols))):
        colour = SERIES[asset % len(SERIES)]
        # A little wider than a column, so that rounding leaves no gap between them.
        lower.bars(tops[:, asset] - weights[:, asset + 1], tops[:, asset], [colour], 1.1)
        names.append((symbol, colour, float(weights[-1, asset + 1])))
    for place, (name, colour, weight) in enumerate(names[:_LEGEND_ROWS]):
        canvas.words((_RIGHT + 8, 112 + 7 * place), f"{name[:9]} {weight:.0%}", colour, 7)
    return canvas.array()
