"""``seawall data cache``: the blocks of features that are kept for later runs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seawall.cli import options
from seawall.cli.output import out, print_json, table

if TYPE_CHECKING:
    from seawall.features.cache.entry import CacheEntry

_MIB = 2**20


def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Remove all entries; later runs compute their features anew.")] = False,
    data_dir: options.DataFolder = options.DATA,
    json: options.Json = False,
) -> None:
    """List the blocks of features that are kept below the data folder, last used first.

    SEAWALL_CACHE=off keeps none; SEAWALL_CACHE_GIB says how much is kept, 4 GiB where it is not set.

    Examples:
        seawall data cache

        seawall data cache --clear
    """
    from seawall.features.cache.cache import FOLDER, FeatureCache

    held = FeatureCache(data_dir / FOLDER)
    dropped = held.clear() if clear else []
    entries = held.entries()
    if json:
        print_json(
            {
                "folder": str(held.folder),
                "entries": [_document(entry) for entry in entries],
                "bytes": sum(entry.size for entry in entries),
                "limit_bytes": held.limit_bytes,
                "removed": [entry.key for entry in dropped],
            }
        )
        return
    if clear:
        out.print(f"Removed {len(dropped)} entries of {_mib(dropped)} MiB from {held.folder}", markup=False)
    if entries:
        columns = ("set", "columns", "bars", "of", "first", "last", "MiB", "last used", "key")
        out.print(table("", columns, [_row(entry) for entry in entries]))
    told = f"{len(entries)} entries, {_mib(entries)} MiB of at most {held.limit_bytes / _MIB:,.0f}, in {held.folder}"
    out.print(told, markup=False)


def _document(entry: CacheEntry) -> dict[str, Any]:
    known = {"problem": "meta.json cannot be read"} if entry.facts is None else {"problem": None, **entry.facts}
    return {"key": entry.key, "used_at": _time(entry).isoformat(timespec="seconds"), **known, "bytes": entry.size}


def _row(entry: CacheEntry) -> tuple[str, ...]:
    ends = (f"{entry.size / _MIB:,.1f}", f"{_time(entry):%Y-%m-%d %H:%M}", entry.key[:12])
    if entry.facts is None:
        return ("damaged", *("–" for _ in range(5)), *ends)
    facts = entry.facts
    spans = (str(facts["first"])[:10], str(facts["last"])[:10])
    return (facts["set"], str(len(facts["columns"])), f"{facts['rows']:,}", facts["timeframe"], *spans, *ends)


def _time(entry: CacheEntry) -> datetime:
    return datetime.fromtimestamp(entry.used, UTC)


def _mib(entries: list[CacheEntry]) -> str:
    return f"{sum(entry.size for entry in entries) / _MIB:,.1f}"
