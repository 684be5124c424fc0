"""The ledger of a portfolio: one row for every decision, with a column for what was asked of and held in each asset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from seawall.core.bars import from_milliseconds
from seawall.core.errors import DataError
from seawall.engine.portfolio_decision import PortfolioRecords
from seawall.evaluation.ledger import Ledger, Ledgers, read_table

SHARED_COLUMNS = (
    "timestamp",
    "row",
    "hold",
    "traded_notional",
    "fee",
    "spread",
    "slippage",
    "financing",
    "funding",
    "price_pnl",
    "equity",
    "benchmark",
    "exposure",
    "next_timestamp",
)
"""Columns that every portfolio has. A row holds what was decided at the close of the bar that opened at ``timestamp``, filled in
the next bar and marked at its close. ``exposure`` is what is not in cash then, as a share of equity. ``financing`` and ``funding``
are 0: portfolios that borrow nothing are not charged any. After these stand ``target.cash``, ``target.A``, …: the weights asked
for; ``weight.cash``, ``weight.A``, …: the weights at that close; and ``units.A``, …: the units held."""

_COPIED = ("row", "hold", "traded_notional", "fee", "spread", "slippage", "price_pnl", "equity", "benchmark")


class PortfolioLedger(Ledger):
    """Every decision of one policy of portfolios over one span of rows; it ends early after a stop at a loss."""

    def __post_init__(self) -> None:
        """Refuse a frame that is no ledger of a portfolio of this span."""
        wanted = portfolio_columns(self.symbols)
        if tuple(self.frame.columns) != wanted:
            raise DataError(f"portfolio ledger has the columns {list(self.frame.columns)}; allowed: {list(wanted)}")
        if not 1 <= len(self.frame) <= len(self.timestamps_ms) - 1:
            raise DataError(f"ledger has {len(self.frame)} decisions for {len(self.timestamps_ms)} rows; allowed: 1 to one less")

    @property
    def symbols(self) -> tuple[str, ...]:
        """The assets."""
        return tuple(str(name).removeprefix("units.") for name in self.frame.columns if str(name).startswith("units."))

    def targets(self) -> np.ndarray:
        """Return the weights of cash and the assets that were asked for at every bar, float64, shape (T − 1, A + 1).

        After an early end they are all in cash.
        """
        return self._padded("target", 1.0)

    def weights(self) -> np.ndarray:
        """Return the weights at the close of every bar, float64, shape (T − 1, A + 1); all in cash after an early end."""
        return self._padded("weight", 1.0)

    def held(self) -> np.ndarray:
        """Return whether everything was to be left as it is at every bar, bool, shape (T − 1,); true after an early end."""
        held = np.ones(self.n_bars, dtype=np.bool_)
        held[: len(self.frame)] = self.frame["hold"].to_numpy(np.bool_)
        return held

    def _padded(self, kind: str, cash: float) -> np.ndarray:
        names = [f"{kind}.{owner}" for owner in ("cash", *self.symbols)]
        padded = np.zeros((self.n_bars, len(names)))
        padded[:, 0] = cash
        padded[: len(self.frame)] = self.frame[names].to_numpy(np.float64)
        return padded


class PortfolioLedgers(Ledgers):
    """The ledgers of one evaluation of portfolios, all over the same rows and under the same costs."""

    @classmethod
    def read(cls, path: Path) -> PortfolioLedgers:
        """Read what `write` wrote.

        Args:
            path: The file.

        Raises:
            DataError: The file is missing, or holds no ledgers of portfolios.
        """
        table, facts = read_table(path)
        times = np.asarray(facts["timestamps_ms"], dtype=np.int64)
        ledgers = {
            str(name): PortfolioLedger(
                part.drop(columns="policy").reset_index(drop=True), facts["initial_equity"][str(name)], times
            )
            for name, part in table.to_pandas().groupby("policy", sort=False)
        }
        seeds = {seed: ledgers[f"seed {seed}"] for seed in facts["seeds"]}
        return cls(ledgers["ensemble"], seeds, {name: ledgers[name] for name in facts["baselines"]})


def portfolio_columns(symbols: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of a ledger of these assets, in order."""
    owners = ("cash", *symbols)
    return (
        *SHARED_COLUMNS,
        *(f"target.{owner}" for owner in owners),
        *(f"weight.{owner}" for owner in owners),
        *(f"units.{symbol}" for symbol in symbols),
    )


def portfolio_ledger_of(
    records: Sequence[PortfolioRecords], symbols: Sequence[str], initial_equity: float, times_ms: np.ndarray
) -> PortfolioLedger:
    """Lay the records of one portfolio out as a ledger.

    Args:
        records: Decisions in order, of one portfolio each.
        symbols: The assets.
        initial_equity: Equity before the first decision.
        times_ms: Opening times of all rows of the span, int64, shape (T,).
    """

    def gathered(name: str) -> np.ndarray:
        return np.concatenate([getattr(record, name) for record in records])

    columns: dict[str, object] = {name: gathered(name) for name in _COPIED}
    columns["timestamp"] = from_milliseconds(gathered("timestamp_ms"))
    columns["next_timestamp"] = from_milliseconds(gathered("next_timestamp_ms"))
    columns["financing"] = columns["funding"] = np.zeros(len(gathered("row")))
    for kind, block in (("target", gathered("targets")), ("weight", gathered("weights"))):
        columns |= {f"{kind}.{owner}": block[:, place] for place, owner in enumerate(("cash", *symbols))}
    columns["exposure"] = 1.0 - gathered("weights")[:, 0]
    columns |= {f"units.{symbol}": gathered("units")[:, place] for place, symbol in enumerate(symbols)}
    frame = pd.DataFrame({name: columns[name] for name in portfolio_columns(symbols)})
    return PortfolioLedger(frame, initial_equity, np.asarray(times_ms, dtype=np.int64))
