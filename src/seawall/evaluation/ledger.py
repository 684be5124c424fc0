"""The ledger: one row for every decision of a judged policy, and the file that keeps the ledgers of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from seawall.core.bars import from_milliseconds
from seawall.core.errors import DataError
from seawall.core.files import replacing_file, to_json
from seawall.core.protocols import OrderTerms
from seawall.core.timeframe import periods_per_year
from seawall.engine.decision import DecisionRecords
from seawall.simulator.kernel.layout import EXIT_NAMES, RUIN_RATIO

COLUMNS = (
    "timestamp",
    "row",
    "close",
    "action",
    "signal",
    "proposed",
    "allowed",
    "guard",
    "reason",
    "illegal",
    "limit",
    "take_profit",
    "stop_loss",
    "order_price",
    "exit",
    "fill_price",
    "traded_notional",
    "quantity",
    "fee",
    "spread",
    "slippage",
    "financing",
    "funding",
    "price_pnl",
    "write_off",
    "liquidated",
    "equity",
    "exposure",
    "next_timestamp",
)
"""Columns of a ledger frame, in order. A row holds what was decided at the close of the bar that opened at
``timestamp``, filled in the next bar and marked at its close. ``fill_price`` is that of the last fill, ``order_price`` that of an
order's; both NaN where there was none. ``exit`` names the rule that closed the position, else it is empty. ``limit``,
``take_profit`` and ``stop_loss`` are what the order carried, as shares of a price."""
COST_PARTS = ("fee", "spread", "slippage", "financing", "funding")
"""Columns that are costs: change of equity = price_pnl − their sum + write_off."""

_WORDED = ("timestamp", "next_timestamp", "guard", "reason", "exit")
# What a ledger lacks that was written before orders had terms and holding had costs.
_ABSENT: dict[str, Any] = {
    **dict.fromkeys(("limit", "take_profit", "stop_loss", "slippage", "financing", "funding"), 0.0),
    "illegal": False,
    "exit": "",
}
_COPIED = tuple(name for name in COLUMNS if name not in _WORDED)
_METADATA_KEY = b"seawall"


@dataclass(frozen=True)
class Ledger:
    """Every decision of one policy over one span of rows.

    Attributes:
        frame: One row per decision, with the columns of `COLUMNS`. It ends early after a liquidation.
        initial_equity: Equity at the close of the first row, before the first decision.
        timestamps_ms: Opening times of all T rows of the span, in milliseconds UTC, int64, shape (T,).
    """

    frame: pd.DataFrame
    initial_equity: float
    timestamps_ms: np.ndarray

    def __post_init__(self) -> None:
        """Refuse a frame that is no ledger of this span."""
        if tuple(self.frame.columns) != COLUMNS:
            raise DataError(f"ledger has the columns {list(self.frame.columns)}; allowed: {list(COLUMNS)}")
        if not 1 <= len(self.frame) <= len(self.timestamps_ms) - 1:
            raise DataError(f"ledger has {len(self.frame)} decisions for {len(self.timestamps_ms)} rows; allowed: 1 to one less")

    @property
    def n_bars(self) -> int:
        """Bars of the span that a decision could have earned on, T − 1."""
        return len(self.timestamps_ms) - 1

    @property
    def periods_per_year(self) -> float:
        """Bars per year of 365.25 days, from the timestamps."""
        return periods_per_year(self.timestamps_ms)

    def column(self, name: str) -> np.ndarray:
        """Return one column as float64, one value per decision."""
        return self.frame[name].to_numpy(np.float64)

    def equity_curve(self) -> np.ndarray:
        """Return the equity at the close of every row of the span, float64, shape (T,); constant after a liquidation."""
        return curve_of(self.initial_equity, self.column("equity"), len(self.timestamps_ms))

    def returns(self) -> np.ndarray:
        """Return the net simple return of every bar, float64, shape (T − 1,); −1 at ruin and 0 after it."""
        return returns_of(self.equity_curve())

    def log_returns(self) -> np.ndarray:
        """Return the net log return of every bar, float64, shape (T − 1,); floored at log(`RUIN_RATIO`)."""
        return np.log(np.maximum(1.0 + self.returns(), RUIN_RATIO))

    def targets(self) -> np.ndarray:
        """Return the exposure in force at every bar, float64, shape (T − 1,); 0 after a liquidation."""
        targets = np.zeros(self.n_bars)
        targets[: len(self.frame)] = self.column("allowed")
        return targets

    def costs(self) -> np.ndarray:
        """Return all costs of every decision's bar, float64, one value per decision; negative where holding earned more."""
        return self.frame[[*COST_PARTS]].to_numpy(np.float64).sum(axis=1)

    def terms(self) -> OrderTerms | None:
        """Return what the orders carried at every bar, shape (T − 1,) each, 0 after an early end; None where none did."""
        padded = [np.zeros(self.n_bars) for _ in OrderTerms._fields]
        for part, name in zip(padded, OrderTerms._fields, strict=True):
            part[: len(self.frame)] = self.column(name)
        return OrderTerms(*padded) if any(part.any() for part in padded) else None

    def exposures(self) -> np.ndarray:
        """Return the exposure at the close of every bar, float64, shape (T − 1,); 0 after a liquidation."""
        exposures = np.zeros(self.n_bars)
        exposures[: len(self.frame)] = self.column("exposure")
        return exposures


@dataclass(frozen=True)
class Ledgers:
    """The ledgers of one evaluation, all over the same rows and under the same costs.

    Attributes:
        ensemble: The judged policy.
        seeds: Each trained seed on its own.
        baselines: Each rival by its name.
    """

    ensemble: Ledger
    seeds: Mapping[int, Ledger]
    baselines: Mapping[str, Ledger]

    def __post_init__(self) -> None:
        """Refuse ledgers of different rows, which could not be compared bar by bar."""
        for name, ledger in self.named().items():
            if not np.array_equal(ledger.timestamps_ms, self.ensemble.timestamps_ms):
                raise DataError(f"ledger {name!r} covers other bars than the ensemble's; both must cover the same")

    def named(self) -> dict[str, Ledger]:
        """Return every ledger by its name in the file: ``ensemble``, ``seed 0``, …, then the baselines."""
        seeds = {f"seed {seed}": ledger for seed, ledger in self.seeds.items()}
        return {"ensemble": self.ensemble, **seeds, **self.baselines}

    def write(self, path: Path) -> None:
        """Write all ledgers to one parquet file, told apart by the column ``policy``, whole or not at all.

        Args:
            path: The file.

        Raises:
            DataError: The disk is full or the path may not be written.
        """
        named = self.named()
        frames = [ledger.frame.assign(policy=name) for name, ledger in named.items()]
        table = pa.Table.from_pandas(pd.concat(frames, ignore_index=True), preserve_index=False)
        facts = {
            "initial_equity": {name: ledger.initial_equity for name, ledger in named.items()},
            "timestamps_ms": self.ensemble.timestamps_ms,
            "seeds": list(self.seeds),
            "baselines": list(self.baselines),
        }
        metadata = {**(table.schema.metadata or {}), _METADATA_KEY: to_json(facts, indent=None).encode()}
        with replacing_file(path) as temporary:
            pq.write_table(table.replace_schema_metadata(metadata), temporary, compression="zstd")

    @classmethod
    def read(cls, path: Path) -> Ledgers:
        """Read what `write` wrote.

        Args:
            path: The file.

        Raises:
            DataError: The file is missing, or holds no ledgers.
        """
        table, facts = read_table(path)
        frame = table.to_pandas()
        frames = dict(iter(frame.groupby("policy", sort=False)))
        times = np.asarray(facts["timestamps_ms"], dtype=np.int64)

        def ledger(name: str) -> Ledger:
            part = frames[name].drop(columns="policy").reset_index(drop=True)
            absent = {column: value for column, value in _ABSENT.items() if column not in part}
            part = part.assign(**absent)
            part = part if "order_price" in part else part.assign(order_price=part["fill_price"])
            return Ledger(part[[*COLUMNS]], facts["initial_equity"][name], times)

        return cls(
            ledger("ensemble"),
            {seed: ledger(f"seed {seed}") for seed in facts["seeds"]},
            {name: ledger(name) for name in facts["baselines"]},
        )


def ledger_of(
    records: Sequence[DecisionRecords],
    reasons: Mapping[tuple[int, int], tuple[str, str]],
    initial_equity: float,
    times_ms: np.ndarray,
) -> Ledger:
    """Lay the records of one account out as a ledger.

    Args:
        records: Decisions in order, of one account each.
        reasons: Guard and reason in words for every (guard_code, reason) of the records.
        initial_equity: Equity before the first decision.
        times_ms: Opening times of all rows of the span, int64, shape (T,).
    """

    def gathered(name: str) -> np.ndarray:
        return np.concatenate([getattr(record, name) for record in records])

    pairs, places = reason_pairs(gathered("guard_code"), gathered("reason"))
    columns: dict[str, Any] = {name: gathered(name) for name in _COPIED}
    columns["timestamp"] = from_milliseconds(gathered("timestamp_ms"))
    columns["next_timestamp"] = from_milliseconds(gathered("next_timestamp_ms"))
    columns["exit"] = _said(EXIT_NAMES, gathered("exit_code"))
    columns["guard"] = _said([reasons[pair][0] for pair in pairs], places)
    columns["reason"] = _said([reasons[pair][1] for pair in pairs], places)
    return Ledger(pd.DataFrame({name: columns[name] for name in COLUMNS}), initial_equity, np.asarray(times_ms, dtype=np.int64))


def reason_pairs(guard_code: np.ndarray, reason: np.ndarray) -> tuple[list[tuple[int, int]], np.ndarray]:
    """Return the different pairs of guard and reason codes, and the place of each decision's pair among them.

    Args:
        guard_code: Of each decision, int8, shape (D,).
        reason: Likewise.
    """
    places, found = pd.factorize((guard_code.astype(np.int64) << 8) + reason + 128)
    return [(pair >> 8, (pair & 255) - 128) for pair in found.tolist()], places


def _said(words: Sequence[str], places: np.ndarray) -> Any:
    """Return a column of text: the word at each place."""
    return pd.Series(list(words)).array.take(places)


def curve_of(initial_equity: float, equity: np.ndarray, n_rows: int) -> np.ndarray:
    """Return the equity at the close of every row of a span, float64, shape (n_rows,); constant after an early end.

    Args:
        initial_equity: At the first row.
        equity: After each decision, float64, shape (decisions,).
        n_rows: Rows of the span.
    """
    curve = np.empty(n_rows)
    decided = len(equity)
    curve[0] = initial_equity
    curve[1 : decided + 1] = equity
    curve[decided + 1 :] = curve[decided]
    return curve


def returns_of(curve: np.ndarray) -> np.ndarray:
    """Return the simple return of every bar of an equity curve, float64, one fewer than it has rows; −1 at ruin and 0 after it."""
    return np.divide(np.diff(curve), curve[:-1], out=np.zeros(len(curve) - 1), where=curve[:-1] > 0.0)


def ensemble_returns(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the opening times of all rows, int64, shape (T,), and the ensemble's net return of every bar, float64, shape (T − 1,).

    Of a file that `Ledgers.write` wrote, for one series or portfolios, no more is read than that.

    Raises:
        DataError: The file is missing, or holds no ledgers.
    """
    table, facts = read_table(path, ("policy", "equity"))
    equity = table.filter(pc.field("policy") == "ensemble")["equity"].to_numpy()
    times = np.asarray(facts["timestamps_ms"], dtype=np.int64)
    if not 1 <= len(equity) <= len(times) - 1:
        raise DataError(f"ledger {path} has {len(equity)} decisions of the ensemble for {len(times)} rows; allowed: 1 to one less")
    return times, returns_of(curve_of(facts["initial_equity"]["ensemble"], equity, len(times)))


def read_table(path: Path, columns: Sequence[str] | None = None) -> tuple[pa.Table, dict[str, Any]]:
    """Read a parquet file of ledgers and the facts kept in its metadata.

    Args:
        path: The file.
        columns: Those to read; all where None.

    Raises:
        DataError: The file is missing, or holds no ledgers.
    """
    if not path.is_file():
        raise DataError(f"no ledger {path}; make one with: seawall backtest")
    try:
        table = pq.read_table(path, columns=None if columns is None else [*columns])
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"ledger {path} cannot be read: {error}") from error
    metadata = table.schema.metadata or {}
    if _METADATA_KEY not in metadata:
        raise DataError(f"{path} is a parquet file, but holds no ledgers")
    return table, json.loads(metadata[_METADATA_KEY])
