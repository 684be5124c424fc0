"""Blocks of features kept on disk, by a hash of all that they depend on, and mapped into memory where they are there.

``<folder>/<first two letters>/<hash>/`` holds ``block.npy``, float32 of shape (T, F), and ``meta.json``. An entry is written beside
and renamed, so readers need no lock and see it whole or not at all. Builders hold one of 256 locks, by the first two letters;
whoever holds it removes what builders that were killed left behind there. What is read is compared with its checksum.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

from seawall.core.bars import BAR_COLUMNS
from seawall.core.errors import ConfigError, DataError
from seawall.core.protocols import FeatureSet
from seawall.core.timeframe import Timeframe
from seawall.features.cache.entry import CacheEntry, block_facts, keep_block, mapped_block, move_away, read_entry, remove_left
from seawall.features.cache.key import Undescribed, block_key
from seawall.features.pipeline import check_inputs, compute_features

SWITCH, LIMIT = "SEAWALL_CACHE", "SEAWALL_CACHE_GIB"
FOLDER = Path(".cache") / "features"
_GIB = 2**30
_DEFAULT_GIB = 4.0
_WAIT_SECONDS = 1_800.0


class FeatureCache:
    """Blocks of features below one folder; many processes may use it at once.

    Attributes:
        notes: Why blocks were not kept, in plain words.
    """

    def __init__(self, folder: Path, limit_gib: float | None = None) -> None:
        """Name the folder, which need not exist, and how much it may hold; SEAWALL_CACHE_GIB, or 4 GiB, where that is None.

        Raises:
            ConfigError: The limit is no number of at least 0.
        """
        self.folder = folder
        self.limit_bytes = int(_GIB * (_limit_gib() if limit_gib is None else limit_gib))
        self.notes: list[str] = []

    def block(self, bars: pd.DataFrame, feature_set: FeatureSet, timeframe: Timeframe) -> np.ndarray:
        """Return the columns of a feature set for every bar: mapped where they are kept, else computed and kept.

        Args:
            bars: As for `compute_features`.
            feature_set: What to compute; it sees no columns of the bars but those that it requires.
            timeframe: Length of a bar.

        Returns:
            float32, shape (T, F), not writable, equal bit for bit to `compute_features` in float32. Where it cannot be kept, as
            on a full disk, `notes` says why.

        Raises:
            ConfigError, DataError: As `compute_features`.
        """
        check_inputs(bars, feature_set, timeframe)
        shape = (len(bars), len(feature_set.columns))
        try:
            key = block_key(bars, feature_set, timeframe)
        except Undescribed as unknown:
            self.notes.append(
                f"the features are computed by every run: no hash can tell {unknown} in {feature_set.name} from another"
            )
            return _computed(bars, feature_set, timeframe)
        entry = self.folder / key[:2] / key
        found = mapped_block(entry, shape)
        if found is not None:
            return found
        with self._lock(key[:2], _WAIT_SECONDS) as unheld:
            # Another process may have built it meanwhile.
            found = mapped_block(entry, shape)
            if found is not None:
                return found
            started = time.perf_counter()
            block = _computed(bars, feature_set, timeframe)
            facts = block_facts(bars, feature_set, timeframe, time.perf_counter() - started)
            refused = unheld or self._kept(entry, block, facts)
        if refused:
            self.notes.append(f"the features are not kept for later runs: {refused}")
            return block
        self.trim(key)
        found = mapped_block(entry, shape)
        return block if found is None else found

    def entries(self) -> list[CacheEntry]:
        """Return all that is kept, last used first."""
        found = [entry for entry in map(read_entry, self.folder.glob("??/*")) if entry is not None]
        return sorted(found, key=lambda entry: -entry.used)

    def trim(self, used: str | None = None) -> None:
        """Drop what was not used for the longest time, until the limit is kept; never the entry `used`, nor one being built."""
        entries = self.entries()
        total = sum(entry.size for entry in entries)
        for entry in reversed(entries):
            if total <= self.limit_bytes:
                return
            if entry.key != used and self._drop(entry):
                total -= entry.size

    def clear(self) -> list[CacheEntry]:
        """Drop all entries and all that killed builders left behind; return those dropped, without any that is being built."""
        dropped = [entry for entry in self.entries() if self._drop(entry)]
        for shard in self.folder.glob("??"):
            with self._lock(shard.name) as refused:
                if not refused:
                    remove_left(shard)
        return dropped

    @contextmanager
    def _lock(self, shard: str, wait_seconds: float = 0.0) -> Generator[str]:
        """Hold the lock of the entries whose keys begin alike; gives why it could not be had, or an empty text."""
        path = (self.folder / ".locks" / f"{shard}.lock").absolute()
        lock, refused = FileLock(path), ""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=wait_seconds, poll_interval=0.05)
        except Timeout:
            refused = f"another process has held {path} for {wait_seconds:.0f} seconds"
        except (OSError, NotImplementedError) as error:
            refused = f"{path} cannot be held ({error})"
        try:
            yield refused
        finally:
            lock.release()

    def _kept(self, entry: Path, block: np.ndarray, facts: dict[str, Any]) -> str:
        """Write an entry while its lock is held; return why that could not be done, or an empty text."""
        if block.nbytes > self.limit_bytes:
            return f"they are {block.nbytes / _GIB:.3g} GiB, and {LIMIT} allows {self.limit_bytes / _GIB:.3g}"
        try:
            keep_block(entry, block, facts)
        except (DataError, OSError) as error:
            return str(error)
        return ""

    def _drop(self, entry: CacheEntry) -> bool:
        with self._lock(entry.key[:2]) as refused:
            if not refused:
                with suppress(OSError):
                    move_away(entry.folder)
        return not entry.folder.exists()


def cached_features(
    bars: pd.DataFrame, feature_set: FeatureSet, timeframe: Timeframe, data_root: Path
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Compute the columns of a feature set, or map them where they are kept below a data folder; SEAWALL_CACHE=off keeps none.

    Returns:
        float32, shape (T, F), not writable, the same either way; and notes for the user.

    Raises:
        ConfigError: As `compute_features`; or the environment's switch or limit has a value that is not allowed.
        DataError: As `compute_features`.
    """
    switch = os.environ.get(SWITCH, "on").strip().lower()
    if switch not in ("on", "off"):
        raise ConfigError(f"{SWITCH} is {os.environ[SWITCH]!r}; allowed: on, off")
    if switch == "off":
        return _computed(bars, feature_set, timeframe), ()
    cache = FeatureCache(data_root / FOLDER)
    block = cache.block(bars, feature_set, timeframe)
    return block, tuple(cache.notes)


def _limit_gib() -> float:
    text = os.environ.get(LIMIT, str(_DEFAULT_GIB))
    try:
        limit = float(text)
    except ValueError:
        limit = math.nan
    if not 0.0 <= limit < math.inf:
        raise ConfigError(f"{LIMIT} is {text!r}; allowed: a number of GiB, at least 0")
    return limit


def _computed(bars: pd.DataFrame, feature_set: FeatureSet, timeframe: Timeframe) -> np.ndarray:
    """Compute a block on the columns that the set says it reads, and no others: the key knows of no others."""
    check_inputs(bars, feature_set, timeframe)
    seen = bars[list(dict.fromkeys(("timestamp", *BAR_COLUMNS, *feature_set.requires)))]
    try:
        block = np.ascontiguousarray(compute_features(seen, feature_set, timeframe, np.float32))
    except KeyError as error:
        undeclared = [str(name) for name in bars.columns if name not in seen.columns and repr(name) in str(error)]
        if not undeclared:
            raise
        raise ConfigError(
            f"feature set {feature_set.name!r} reads {', '.join(undeclared)}, which is not among its requires; add it there"
        ) from error
    block.flags.writeable = False
    return block
