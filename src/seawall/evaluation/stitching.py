"""One ledger out of those of several tests, each of a policy of its own: what retraining as one went would have made.

Every test starts in cash with the equity that the one before it left. At its last mark the position is closed, at the costs of a
market order; up to the first decision of the next test the account is flat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import numpy as np
import pandas as pd

from seawall.core.bars import from_milliseconds
from seawall.core.errors import DataError
from seawall.core.market import RowRange
from seawall.evaluation.baselines import UNGUARDED
from seawall.evaluation.ledger import Ledger, Ledgers
from seawall.evaluation.portfolio_ledger import PortfolioLedger, PortfolioLedgers
from seawall.simulator.costs.params import CostParams

FOLD_END = "fold_end"
"""Name of the exit by which a test's position is closed."""
_MONEY = (
    "traded_notional", "quantity", "fee", "spread", "slippage", "financing", "funding", "price_pnl", "write_off", "equity",
    "benchmark",
)  # fmt: skip
_WORDS = ("guard", "reason", "exit")
_PRICES = ("order_price", "fill_price")


@dataclass(frozen=True)
class Between:
    """What is known of the bars between tests.

    Attributes:
        times_ms: Opening time of every row of the market, int64, shape (T,).
        close: Close of every row, float64, shape (T,); None for portfolios, whose ledgers hold no prices.
        costs: Of closing a position.
    """

    times_ms: np.ndarray
    close: np.ndarray | None
    costs: CostParams


def stitched(tests: Sequence[tuple[RowRange, Ledgers]], between: Between) -> Ledgers:
    """Chain the ledgers of several tests, policy by policy.

    Args:
        tests: Rows and ledgers of each test, in order of time; no two share a row.
        between: What is known of the bars between them.

    Returns:
        Ledgers over all rows from the first test's first to the last test's last. Where a rival was walked without guards in some
        tests only, it is the same as with them in the others.

    Raises:
        DataError: There is no test, two overlap, or their seeds or rivals differ.
    """
    if not tests:
        raise DataError("no test was given to chain; allowed: one or more")
    for (earlier, _), (later, _) in pairwise(tests):
        if later.start < earlier.stop:
            raise DataError(f"test rows {later.start}..{later.stop - 1} begin before row {earlier.stop}; allowed: each row once")
    rows, parts = [rows for rows, _ in tests], [_complete(ledgers, tests) for _, ledgers in tests]
    named = {name: _chained(rows, [part[name] for part in parts], between) for name in parts[0]}
    first = tests[0][1]
    seeds = {seed: named[f"seed {seed}"] for seed in first.seeds}
    others = {name: ledger for name, ledger in named.items() if name != "ensemble" and name not in {f"seed {s}" for s in seeds}}
    return type(first)(named["ensemble"], seeds, others)


def _complete(ledgers: Ledgers, tests: Sequence[tuple[RowRange, Ledgers]]) -> dict[str, Ledger]:
    """Return the ledgers of one test under every name that any test has."""
    own, wanted = ledgers.named(), dict.fromkeys(name for _, each in tests for name in each.named())
    missing = [name for name in wanted if name.removesuffix(UNGUARDED) not in own]
    if missing:
        raise DataError(f"the ledgers of a test lack {', '.join(missing)}, which others have; allowed: the same seeds and rivals")
    return {name: own.get(name, own[name.removesuffix(UNGUARDED)]) for name in wanted}


def _chained(rows: Sequence[RowRange], ledgers: Sequence[Ledger], between: Between) -> Ledger:
    frames: list[pd.DataFrame] = []
    equity = benchmark = ledgers[0].initial_equity
    for place, (test, ledger) in enumerate(zip(rows, ledgers, strict=True)):
        frames.append(_carried(ledger, equity, benchmark))
        equity = float(frames[-1]["equity"].iloc[-1])
        benchmark = float(frames[-1]["benchmark"].iloc[-1]) if "benchmark" in frames[-1] else equity
        if equity <= 0.0:
            # A ruined account has nothing to go on with; its ledger ends here, as that of any other.
            break
        stop = rows[place + 1].start if place + 1 < len(rows) else test.stop - 1
        first = test.start + len(ledger.frame)
        if first < stop:
            frames.append(_flat(frames[-1], RowRange(first, stop), between))
            equity = float(frames[-1]["equity"].iloc[-1])
    times = between.times_ms[rows[0].start : rows[-1].stop]
    frame = pd.concat(frames, ignore_index=True)
    return type(ledgers[0])(frame, ledgers[0].initial_equity, np.asarray(times, dtype=np.int64))


def _carried(ledger: Ledger, equity: float, benchmark: float) -> pd.DataFrame:
    """Return a ledger's frame with its money as of an account that begins with another equity."""
    factor, frame = equity / ledger.initial_equity, ledger.frame.copy()
    for name in frame.columns:
        if name in _MONEY or str(name).startswith("units."):
            frame[name] = frame[name] * (benchmark / ledger.initial_equity if name == "benchmark" else factor)
    return frame


def _flat(before: pd.DataFrame, rows: RowRange, between: Between) -> pd.DataFrame:
    """Return the decisions of rows on which the account is flat, the first of which closes what was held."""
    last = cast("dict[str, Any]", before.iloc[-1].to_dict())
    number, zeros = len(rows), np.zeros(len(rows))
    columns: dict[str, Any] = {name: np.full(number, False) if before[name].dtype == bool else zeros for name in before.columns}
    columns |= {name: [""] * number for name in _WORDS if name in before}
    columns |= {name: np.full(number, np.nan) for name in _PRICES if name in before}
    columns["row"] = np.arange(rows.start, rows.stop)
    columns["timestamp"] = from_milliseconds(between.times_ms[rows.start : rows.stop])
    columns["next_timestamp"] = from_milliseconds(between.times_ms[rows.start + 1 : rows.stop + 1])
    columns |= {name: np.ones(number) for name in ("target.cash", "weight.cash") if name in before}
    if "benchmark" in before:
        columns["benchmark"] = np.full(number, last["benchmark"])
    if "close" in before and between.close is not None:
        columns["close"] = between.close[rows.start : rows.stop]
    frame = pd.DataFrame(columns)[[*before.columns]]
    for name in before.columns:
        frame[name] = frame[name].astype(before[name].dtype)
    return _closed(frame, last, between)


def _closed(frame: pd.DataFrame, last: dict[str, Any], between: Between) -> pd.DataFrame:
    """Charge the first of some flat decisions for closing what was held at the mark before it."""
    equity, costs = float(last["equity"]), between.costs
    notional = abs(float(last["exposure"])) * equity
    parts = {
        "fee": notional * costs.taker_rate,
        "spread": notional * costs.half_spread_rate,
        "slippage": notional * costs.slippage.base_bps * 1e-4,
    }
    for name, value in ({**parts, "traded_notional": notional} if notional else {}).items():
        frame.loc[0, name] = value
    if notional and "exit" in frame:
        frame.loc[0, "exit"] = FOLD_END
        frame.loc[0, [*_PRICES]] = float(frame["close"].iloc[0])
    frame["equity"] = equity - (sum(parts.values()) if notional else 0.0)
    return frame


def portfolio(ledgers: Ledgers) -> PortfolioLedgers:
    """Return chained ledgers of portfolios as what they are."""
    if not isinstance(ledgers, PortfolioLedgers) or not isinstance(ledgers.ensemble, PortfolioLedger):
        raise DataError(f"ledgers are {type(ledgers).__name__}; allowed: those of portfolios")
    return ledgers
