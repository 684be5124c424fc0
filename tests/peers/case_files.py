"""How a case crosses from Seawall's environment to a peer's and back: one folder a case, numbers in .npz, settings in JSON.

A case holds bars, the exposure wanted at each close, costs and the initial equity. A peer answers with its fills (bar, units with
their sign, price before costs) and its equity at each close. Only numpy is needed, since the two environments share no package.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Settings:
    """What holds for every bar of a case.

    Attributes:
        commission: Cost of an order that fills at once, per unit of traded notional.
        maker_commission: Cost of an order that rests, likewise.
        initial_equity: Money at the first close.
        stop_loss: Distance of the stop from the entry, as a share of it; 0 for none.
        take_profit: Distance of the take-profit, likewise.
        trailing_stop: Distance of a stop from the best price of the bars closed since the entry, likewise; no other stop beside it.
        limit: How far from the last close entries rest, as a share of it; 0 enters at the open.
        exits_rest: Whether exits rest as far away, above to sell and below to buy; else they are at the open.
        slippage: Share of the price by which a peer's fills are worse, for the cases about differences.
        slippage_base: What a market order pays for slippage at every bar, per unit of traded notional.
        slippage_volatility: And what it pays for each unit of the last closed bar's move: see `sliding`.
        lot: Quantities are multiples of it; 0 for any.
        hours: Hours of a weekday in UTC, from 00:00 on, in which orders are filled; their end closes positions. 0: always.
        size: Share of the equity that an order takes: the meaning is the engine's. 1 is all of it.
        plain: Whether an engine is left to habits that its script otherwise works around.
    """

    commission: float
    initial_equity: float
    maker_commission: float = 0.0
    stop_loss: float = 0.0
    take_profit: float = 0.0
    trailing_stop: float = 0.0
    limit: float = 0.0
    exits_rest: bool = False
    slippage: float = 0.0
    slippage_base: float = 0.0
    slippage_volatility: float = 0.0
    lot: float = 0.0
    hours: int = 0
    size: float = 1.0
    plain: bool = False


@dataclass(frozen=True)
class Case:
    """Bars, decisions and settings.

    Attributes:
        prices: Open, high, low, close, float64, shape (T, 4).
        targets: Exposure wanted at the close of each bar, −1, 0 or 1, float64, shape (T,); the last is never filled.
        settings: What holds for every bar.
    """

    prices: np.ndarray
    targets: np.ndarray
    settings: Settings

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        np.savez(folder / "bars.npz", prices=self.prices, targets=self.targets)
        (folder / "case.json").write_text(json.dumps(asdict(self.settings)), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Case:
        with np.load(folder / "bars.npz") as arrays:
            prices, targets = arrays["prices"], arrays["targets"]
        return cls(prices, targets, Settings(**json.loads((folder / "case.json").read_text(encoding="utf-8"))))


def sliding(case: Case) -> np.ndarray:
    """Return the slippage of a fill at each bar's open, as docs/concepts/costs-and-fills.md has it, float64, shape (T,).

    base + multiplier · |return of the last bar closed before the fill|, no more than a tenth; the base alone until two have closed.
    """
    close, settings = case.prices[:, 3], case.settings
    moves = [0.0, 0.0, *(abs(last / before - 1.0) for before, last in pairwise(close[:-1]))]
    return np.minimum(settings.slippage_base + settings.slippage_volatility * np.array(moves), 0.1)


def in_hours(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Say of each bar whether its open lies in the hours of a weekday, and whether its close is the last of them; bool, shape (T,).

    Bars last an hour, the first of which begins with 1970, a Thursday.
    """
    count = np.arange(len(case.prices))
    inside = (count % 24 < case.settings.hours) & ((count // 24 + 3) % 7 < 5) if case.settings.hours else count >= 0
    return inside, inside & (count % 24 == case.settings.hours - 1)


@dataclass(frozen=True)
class Answer:
    """What an engine made of a case.

    Attributes:
        bar: Row of each fill, int64, shape (K,).
        units: Units bought, negative where sold, float64, shape (K,).
        price: Price before costs, float64, shape (K,).
        equity: Equity at each close, float64, shape (T,).
    """

    bar: np.ndarray
    units: np.ndarray
    price: np.ndarray
    equity: np.ndarray

    @classmethod
    def of(cls, fills: list[tuple[int, float, float]], equity: np.ndarray) -> Answer:
        """Join fills of one bar at one price, in time's order, and leave out those that are nothing together."""
        joined: dict[tuple[int, float], float] = {}
        for bar, units, price in sorted(fills, key=lambda fill: fill[0]):
            joined[bar, price] = joined.get((bar, price), 0.0) + units
        kept = [(bar, units, price) for (bar, price), units in joined.items() if units != 0.0]
        bars, sizes, prices = (np.array(column) for column in zip(*kept, strict=True)) if kept else (np.zeros(0),) * 3
        return cls(bars.astype(np.int64), sizes.astype(np.float64), prices.astype(np.float64), np.asarray(equity, dtype=np.float64))

    def write(self, path: Path) -> None:
        np.savez(path, bar=self.bar, units=self.units, price=self.price, equity=self.equity)

    @classmethod
    def read(cls, path: Path) -> Answer:
        with np.load(path) as arrays:
            return cls(*(arrays[name] for name in ("bar", "units", "price", "equity")))


def answer_all(folder: str, engine: str, run: Callable[[Case], Answer]) -> None:
    """Run every case below a folder that names this engine among those asked."""
    for case_folder in asked(Path(folder), engine):
        run(Case.read(case_folder)).write(case_folder / f"{engine}.npz")


def asked(folder: Path, engine: str) -> Iterator[Path]:
    """Folders of the cases that an engine is asked for: those with an empty file of its name."""
    yield from sorted(path.parent for path in folder.glob(f"*/{engine}.asked"))
