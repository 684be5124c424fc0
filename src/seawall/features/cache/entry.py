"""One kept block of features on disk: written beside and renamed, checked when it is read, moved away before it is removed."""

from __future__ import annotations

import os
import shutil
import tempfile
import zlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seawall.core.bars import timestamps_ms
from seawall.core.errors import DataError
from seawall.core.files import read_json, replacing_folder, to_json
from seawall.core.protocols import FeatureSet
from seawall.core.timeframe import Timeframe, iso_ms

BLOCK, META = "block.npy", "meta.json"
_FACTS = ("set", "columns", "rows", "timeframe", "first", "last", "seconds", "created_at", "bytes", "crc32")


@dataclass(frozen=True)
class CacheEntry:
    """A block on disk.

    Attributes:
        key: Its hash.
        folder: Where it is.
        facts: What ``meta.json`` says, or None where it cannot be read.
        size: Bytes on disk.
        used: When it was last asked for, seconds since 1970.
    """

    key: str
    folder: Path
    facts: dict[str, Any] | None
    size: int
    used: float


def keep_block(folder: Path, block: np.ndarray, facts: dict[str, Any]) -> None:
    """Write an entry, whole or not at all, in place of one that is there; its lock must be held.

    Args:
        folder: Of the entry.
        block: float32, shape (T, F).
        facts: As of `block_facts`.

    Raises:
        DataError: The disk is full, or the folder may not be written.
    """
    remove_left(folder.parent)
    move_away(folder)
    with replacing_folder(folder) as temporary:
        np.save(temporary / BLOCK, block, allow_pickle=False)
        facts = {**facts, "bytes": (temporary / BLOCK).stat().st_size, "crc32": zlib.crc32(block.data)}
        (temporary / META).write_text(to_json(facts) + "\n", encoding="utf-8")


def mapped_block(entry: Path, shape: tuple[int, int]) -> np.ndarray | None:
    """Map an entry and remember that it was used; None where it is not there or is damaged."""
    path = entry / BLOCK
    try:
        facts = read_json(entry / META, *_FACTS)
        block = np.lib.format.open_memmap(path, mode="r")
        sound = block.dtype == np.float32 and block.shape == shape == (facts["rows"], len(facts["columns"]))
        if not sound or not block.flags.c_contiguous or path.stat().st_size != facts["bytes"]:
            return None
        if zlib.crc32(block.data) != facts["crc32"]:
            return None
    except (DataError, OSError, ValueError, TypeError, SyntaxError):
        return None
    with suppress(OSError):
        os.utime(entry / META)
    return block


def block_facts(bars: pd.DataFrame, feature_set: FeatureSet, timeframe: Timeframe, seconds: float) -> dict[str, Any]:
    """Return what is told of a block that took so many seconds to compute."""
    times = timestamps_ms(bars)
    return {
        "set": feature_set.name,
        "columns": list(feature_set.columns),
        "rows": len(bars),
        "timeframe": timeframe.label,
        "first": iso_ms(int(times[0])),
        "last": iso_ms(int(times[-1])),
        "seconds": round(seconds, 6),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def read_entry(folder: Path) -> CacheEntry | None:
    """Return what an entry is; None where it is no entry, or was dropped meanwhile."""
    if folder.name.startswith("."):
        return None
    try:
        sizes = [file.stat().st_size for file in folder.iterdir() if file.is_file()]
        meta = folder / META
        used = (meta if meta.is_file() else folder).stat().st_mtime
    except OSError:
        return None
    try:
        facts = read_json(meta, *_FACTS)
    except DataError:
        facts = None
    return CacheEntry(folder.name, folder, facts, sum(sizes), used)


def move_away(entry: Path) -> None:
    """Remove an entry so that nobody sees half of it, even where this process is killed meanwhile."""
    if not entry.exists():
        return
    aside = Path(tempfile.mkdtemp(dir=entry.parent, prefix=f".{entry.name}-"))
    os.replace(entry, aside / entry.name)
    shutil.rmtree(aside, ignore_errors=True)


def remove_left(shard: Path) -> None:
    """Remove what builders that were killed left behind; the lock of these entries must be held."""
    for left in shard.glob(".*"):
        shutil.rmtree(left, ignore_errors=True)
