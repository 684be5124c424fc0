"""What a fetch has so far, on disk: pages in small files, and a state that is replaced whole after each of them.

A process may die at any moment. A file that the state does not name is no part of the fetch, so the next run goes on from
the last state as if nothing had happened since.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pandas as pd

from seawall.core.bars import bars_digest
from seawall.core.errors import DataError, disk_errors
from seawall.core.files import read_json, replacing_file, write_json
from seawall.market.fetching.page import no_bars

_SCHEMA = 1
_STATE = "state.json"


class Partial:
    """Pages of one stretch of history.

    Attributes:
        folder: Where they are.
        first_asked: Opening time in milliseconds that the stretch begins at, or None for the venue's earliest bar.
        cursor: Opening time of the next bar to ask for, in milliseconds; None before the first page.
        last: The latest bar, as a frame of one row or none.
        rows: Bars held.
        damage: Why what was found on disk is not used; empty where it is.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any], first_asked: int | None) -> None:
        """Take up what an earlier run left, where it is of the same series and reaches what is asked for now.

        Args:
            folder: Where to keep the pages.
            identity: What the series is; pages of another one are discarded.
            first_asked: Opening time of the first bar wanted, in milliseconds, or None for the earliest there is.
        """
        self.folder = folder
        self._identity = dict(identity)
        self.damage = ""
        self._begin(first_asked)
        if folder.exists():
            self._resume(first_asked)

    def keep(self, bars: pd.DataFrame, cursor: int) -> None:
        """Add bars that follow those held.

        Args:
            bars: A bar frame, sorted and unique; it may be empty.
            cursor: Opening time of the next bar to ask for.

        Raises:
            DataError: The disk is full, or the folder may not be written.
        """
        if len(bars):
            name = f"{len(self._parts):06d}.parquet"
            with replacing_file(self.folder / name) as temporary:
                bars.to_parquet(temporary, index=False, compression="zstd")
            self._parts.append({"file": name, "rows": len(bars), "hash": bars_digest(bars)})
            self.rows += len(bars)
            self.last = bars.tail(1)
        self.cursor = cursor
        write_json(
            self.folder / _STATE,
            {
                "schema": _SCHEMA, "identity": self._identity, "first_asked": self.first_asked,
                "cursor": cursor, "parts": self._parts,
            },
        )  # fmt: skip

    def bars(self) -> pd.DataFrame:
        """Return every bar held, sorted; no rows where there is none."""
        return pd.concat(self._read_parts(), ignore_index=True) if self._parts else no_bars()

    def remove(self) -> None:
        """Delete the folder."""
        with disk_errors(self.folder):
            shutil.rmtree(self.folder, ignore_errors=True)

    def _begin(self, first_asked: int | None) -> None:
        self.first_asked = first_asked
        self.cursor: int | None = None
        self.last = no_bars()
        self.rows = 0
        self._parts: list[dict[str, Any]] = []

    def _resume(self, first_asked: int | None) -> None:
        try:
            state = read_json(self.folder / _STATE, "schema", "identity", "first_asked", "cursor", "parts")
            self._take(cast("dict[str, Any]", state), first_asked)
        except (DataError, OSError, ValueError, KeyError, TypeError) as error:
            self.damage = f"what an earlier fetch left is not used ({error}): starting anew"
            self._begin(first_asked)
            self.remove()

    def _take(self, state: dict[str, Any], first_asked: int | None) -> None:
        if state["schema"] != _SCHEMA or state["identity"] != self._identity:
            raise DataError("it is of another series or version")
        held_from, cursor = state["first_asked"], int(state["cursor"])
        # Pages from the earliest bar on serve every later start too.
        before = held_from is None or (first_asked is not None and held_from <= first_asked)
        if not before or (first_asked is not None and first_asked > cursor):
            raise DataError("it is of another range")
        self.first_asked, self.cursor = held_from, cursor
        self._parts = list(state["parts"])
        self.rows = sum(int(part["rows"]) for part in self._parts)
        for part, bars in zip(self._parts, self._read_parts(), strict=True):
            if bars_digest(bars) != part["hash"]:
                raise DataError(f"{part['file']} is damaged")
            self.last = bars.tail(1)

    def _read_parts(self) -> list[pd.DataFrame]:
        return [pd.read_parquet(self.folder / str(part["file"])) for part in self._parts]


def remove_covered(folder: Path, start_ms: int | None, stop_ms: int) -> None:
    """Delete pages that a process left which was killed after it had stored them.

    Args:
        folder: Where a series keeps the pages of its stretches.
        start_ms: Opening time from which the venue's bars are all stored; None for its earliest.
        stop_ms: Opening time before which they are.

    Raises:
        DataError: They may not be deleted.
    """
    for stretch in sorted(folder.glob("*")) if folder.exists() else ():
        try:
            state: Any = read_json(stretch / _STATE, "first_asked", "cursor")
            first, cursor = state["first_asked"], int(state["cursor"])
            begins = start_ms is None or (first is not None and first >= start_ms)
        except (DataError, ValueError, TypeError):
            begins, cursor = True, stop_ms
        if begins and cursor <= stop_ms:
            with disk_errors(stretch):
                shutil.rmtree(stretch)
