"""A ledger of Seawall's own, judged as one of another program would be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from seawall.core.bars import CLOSE
from seawall.core.errors import DataError
from seawall.core.timeframe import iso_ms
from seawall.evaluation.foreign.placing import BarsOf
from seawall.evaluation.foreign.rebuilding import Rebuilt
from seawall.evaluation.foreign.recording import RoundTrips
from seawall.evaluation.ledger import Ledger, Ledgers
from seawall.evaluation.trades import round_trips

_ROUNDING = 1e-9


def is_our_ledger(path: Path) -> bool:
    """Say whether a file is one that `Ledgers.write` wrote."""
    if path.suffix.lower() != ".parquet" or not path.is_file():
        return False
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (OSError, ValueError):
        return False
    return b"seawall" in metadata


def our_ledger(path: Path, bars: BarsOf) -> tuple[Rebuilt, BarsOf, list[str]] | None:
    """Read the ensemble's ledger; None where the file is of another program.

    It stands as it is: its equity was marked at every close already. Bars outside of its span are left out.

    Args:
        path: The file.
        bars: The bars that it was made on.

    Returns:
        The ledger, the bars that its decisions were filled in, and remarks.

    Raises:
        DataError: The bars are not those that it was made on, or it holds no ledger.
    """
    if not is_our_ledger(path):
        return None
    ledger = Ledgers.read(path).ensemble
    span = ledger.timestamps_ms[1:]
    rows = np.searchsorted(bars.times_ms, span)
    there = rows < len(bars.times_ms)
    missing = ~there | (bars.times_ms[np.minimum(rows, len(bars.times_ms) - 1)] != span)
    if missing.any():
        raise DataError(
            f"{bars.origin} has no bar at {iso_ms(int(span[missing][0]))} ({int(missing.sum())} of {len(span)} bars of "
            f"{path.name} are not in it); needed: the bars that the ledger was made on"
        )
    kept = BarsOf(span, bars.prices[rows], bars.timeframe, bars.origin)
    _refuse_other_closes(ledger, kept, path.name)
    trades = round_trips(ledger)
    units = np.where(trades.open_at_end, ledger.column("quantity")[-1], 0.0)
    times = ledger.timestamps_ms
    trips = RoundTrips(trades.side, units, times[trades.opened + 1], times[trades.closed + 1], trades.profit)
    return Rebuilt(ledger, trips, trades.profit, None, ()), kept, ["the policy called ensemble is judged, as its ledger stands"]


def _refuse_other_closes(ledger: Ledger, bars: BarsOf, name: str) -> None:
    said, given = ledger.column("close")[1:], bars.prices[: len(ledger.frame) - 1, CLOSE]
    wrong = np.flatnonzero(np.abs(said / given - 1.0) > _ROUNDING)
    if wrong.size:
        place = int(wrong[0])
        raise DataError(
            f"{name} says the close of {iso_ms(int(bars.times_ms[place]))} is {said[place]:.8g}, and "
            f"{bars.origin} {given[place]:.8g} ({wrong.size} bars differ); needed: the bars that the ledger was made on"
        )
