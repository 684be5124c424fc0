"""What the store holds of a series already, and how new bars are joined to it: the seam must agree bar for bar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pandas as pd

from seawall.core.bars import timestamps_ms
from seawall.core.errors import ConfigError, DataError
from seawall.core.timeframe import iso_ms, moment_ms
from seawall.market.fetching.page import between, first_difference
from seawall.market.fetching.rules import SeriesName
from seawall.market.storage.store import Store

_ANEW = "fetch the series anew with --overwrite"


@dataclass(frozen=True)
class Held:
    """A stored series that was fetched from a venue.

    Attributes:
        folder: Where it is.
        manifest: What is known of it.
        bars: Its bars and those set aside, sorted.
        start: Opening time in milliseconds from which the venue's bars are all here; None for its earliest.
        stop: Opening time in milliseconds before which they are.
    """

    folder: Path
    manifest: dict[str, Any]
    bars: pd.DataFrame
    start: int | None
    stop: int

    @classmethod
    def read(cls, store: Store, source: str, series: SeriesName) -> Held | None:
        """Read a series, or return None where there is none.

        Raises:
            ConfigError: The bars of that name were imported from files.
            DataError: The stored bars cannot be read.
        """
        folder = store.folder(source, series.stored, series.timeframe.label)
        if not (folder / "manifest.json").is_file():
            return None
        bars, manifest = store.load(str(folder))
        covered = fetched_from(manifest, folder.relative_to(store.root).as_posix())["covered"]
        aside = folder / "quarantine.parquet"
        if aside.is_file():
            # Bars set aside are the venue's too: without them the seam would look torn.
            bars = pd.concat([bars, _set_aside(aside, list(bars.columns))]).sort_values("timestamp", ignore_index=True)
        try:
            start = None if covered["from"] is None else moment_ms(str(covered["from"]))
            stop = moment_ms(str(covered["to"]))
        except (ConfigError, KeyError, TypeError) as error:
            raise DataError(f"{folder / 'manifest.json'} is damaged: provenance.covered is {covered!r}; {_ANEW}") from error
        return cls(folder, manifest, bars, start, stop)

    def last_bars(self, count: int) -> int:
        """Return the opening time of the first of the latest bars, in milliseconds."""
        return int(timestamps_ms(self.bars)[-count:][0])

    def first_bars(self, count: int) -> int:
        """Return the opening time of the last of the earliest bars, in milliseconds."""
        return int(timestamps_ms(self.bars)[:count][-1])


def _set_aside(path: Path, columns: list[str]) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)[columns]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} cannot be read: {error}; {_ANEW}") from error


def bad_bars_policy(manifest: Mapping[str, Any]) -> Literal["refuse", "drop"]:
    """Return what was to be done with bad bars when a series was stored."""
    quality: Any = manifest.get("quality")
    policy: Any = cast("dict[str, Any]", quality).get("policy") if isinstance(quality, dict) else None
    return "drop" if isinstance(policy, dict) and cast("dict[str, Any]", policy).get("bad_bars") == "drop" else "refuse"


def fetched_from(manifest: Mapping[str, Any], reference: str) -> dict[str, Any]:
    """Return how a stored series was fetched.

    Raises:
        ConfigError: It was imported from files.
    """
    provenance = cast("dict[str, Any]", manifest.get("provenance") or {})
    if "covered" not in provenance or "symbol" not in provenance:
        raise ConfigError(
            f"{reference} holds {manifest['rows']} bars that were imported from files, not fetched from a venue: there is nothing "
            f"to go on from; fetch the series anew with --overwrite, or import newer files with --overwrite"
        )
    return provenance


def joined(held: Held, new: pd.DataFrame, seam: tuple[int, int], series: SeriesName, *, across_gap: bool = False) -> pd.DataFrame:
    """Join a venue's bars to stored ones.

    Args:
        held: What is stored.
        new: Bars of the venue, sorted and unique.
        seam: First and last opening time, in milliseconds, that both must have the same bars in. Of a venue that no longer
            reaches back to the first of them, what it still has is compared.
        series: What it is, for the message.
        across_gap: Join them also where the venue has none of the seam's bars any more.

    Returns:
        All bars, sorted and unique.

    Raises:
        DataError: The venue's bars differ from the stored ones, and the first difference is named with both values; or it no
            longer reaches back to them.
    """
    stored = held.bars.drop_duplicates("timestamp", ignore_index=True)
    if list(stored.columns) != list(new.columns) and len(new):
        raise DataError(
            f"the venue gives {', '.join(new.columns)} for {held.folder}, which holds {', '.join(stored.columns)}; "
            + _way_out(series)
        )
    first = max(seam[0], int(timestamps_ms(new)[0])) if len(new) else seam[0]
    if len(new) and first > seam[1]:
        if not across_gap:
            raise DataError(
                f"the venue no longer reaches back to what is stored of {held.folder}: its bars begin at {iso_ms(first)}, those "
                f"stored end at {iso_ms(seam[1])}; nothing was changed; with --across-gap they are added after the gap"
            )
    else:
        _compare(between(stored, first, seam[1] + 1), between(new, first, seam[1] + 1), held, series)
    fresh = new[~np.isin(timestamps_ms(new), timestamps_ms(stored))]
    return pd.concat([held.bars, fresh]).sort_values("timestamp", kind="stable", ignore_index=True) if len(fresh) else held.bars


def _compare(stored: pd.DataFrame, venue: pd.DataFrame, held: Held, series: SeriesName) -> None:
    ours, theirs = timestamps_ms(stored), timestamps_ms(venue)
    one_sided = np.setxor1d(ours, theirs)
    both = np.intersect1d(ours, theirs)
    found = first_difference(
        stored[np.isin(ours, both)].reset_index(drop=True), venue[np.isin(theirs, both)].reset_index(drop=True)
    )
    if len(one_sided) and (found is None or one_sided[0] < found.at_ms):
        at = int(one_sided[0])
        kind = "is stored, but the venue has it no more" if at in ours else "is the venue's, but is not stored"
        raise DataError(f"the venue changed its history: bar {iso_ms(at)} of {held.folder} {kind}; {_way_out(series)}")
    if found is not None:
        raise DataError(
            f"the venue changed its history: bar {iso_ms(found.at_ms)} of {held.folder} has {found.column} {found.first!r} "
            f"stored and {found.second!r} at the venue; {_way_out(series)}"
        )


def _way_out(series: SeriesName) -> str:
    return f"nothing was changed; to take the venue's word for it, fetch {series.symbol} {series.timeframe.label} with --overwrite"
