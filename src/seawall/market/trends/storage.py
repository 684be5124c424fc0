"""Stored search interest: ``<root>/trends/<keyword>/<period>/`` holds ``trends.parquet`` and ``manifest.json``.

That of a region other than the whole world has the region in its folder's name too, as in ``trends/bitcoin-Japan/1w``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from seawall import __version__
from seawall.core.bars import from_milliseconds
from seawall.core.errors import ConfigError, DataError
from seawall.core.files import array_digest, read_json, replacing_folder, to_json
from seawall.market.storage.manifest import TRENDS
from seawall.market.storage.store import Imported, Store
from seawall.market.trends.relative import TrendsSeries

SOURCE = "trends"
_SCHEMA = 1
# A file may name no region, or that of all.
_WORLD = (None, "Worldwide")


def store_trends(root: Path, trends: TrendsSeries, *, overwrite: bool = False) -> Imported:
    """Store search interest, whole or not at all.

    Args:
        root: Folder of the store.
        trends: As `read_trends` returned it.
        overwrite: Replace other values of the same keyword and period.

    Raises:
        ConfigError: Other values have that name and `overwrite` is off, or another keyword or region comes to the same folder.
        DataError: The disk is full, or the folder may not be written.
        TransientError: Another process is writing the same keyword.
    """
    region = trends.facts.get("region")
    name = trends.keyword if region in _WORLD else f"{trends.keyword} {region}"
    folder = _folder(root, name, trends.period)
    manifest = _manifest(trends)
    with Store(root).lock(SOURCE, name, "1d"):
        status: Literal["imported", "replaced"] = "imported"
        if folder.exists():
            present = _read_manifest(folder)
            _refuse_another(folder, present, trends)
            if present["content_hash"] == manifest["content_hash"]:
                return Imported(folder, "unchanged", present)
            if not overwrite:
                raise ConfigError(
                    f"{folder} already holds {present['rows']} values of {present['symbol']!r}, {present['first']} to "
                    f"{present['last']}, which differ from these {len(trends)}; a new download has a new scale; allowed: overwrite"
                )
            status = "replaced"
        with replacing_folder(folder) as temporary:
            columns = {"known": from_milliseconds(trends.known_ms), "interest": trends.values}
            table = pd.DataFrame({"timestamp": from_milliseconds(trends.starts_ms), **columns})
            table.to_parquet(temporary / "trends.parquet", index=False, compression="zstd")
            (temporary / "manifest.json").write_text(to_json(manifest) + "\n", encoding="utf-8")
    return Imported(folder, status, manifest)


def trends_info(root: Path, reference: str) -> dict[str, Any]:
    """Return what is known of stored search interest, after reading all of it.

    Args:
        root: Folder of the store.
        reference: As in ``trends/bitcoin/1w``, or the path of its folder.

    Returns:
        The manifest with ``reference``, ``folder``, ``bytes`` (on disk), ``kind`` and ``problem``: None where the values are those
        that were stored, else what is wrong with them.

    Raises:
        DataError: There is none, or its manifest cannot be read.
    """
    path = Path(reference)
    if not (path / "manifest.json").is_file():
        _, *keyword, period = reference.split("/")
        path = _folder(root, "/".join(keyword), period)
    problem = None
    try:
        _load(path)
    except DataError as error:
        problem = str(error)
    size = sum(file.stat().st_size for file in path.iterdir() if file.is_file())
    manifest = _read_manifest(path)
    name = "/".join(path.resolve().parts[-3:])
    return {"reference": name, "folder": str(path), "bytes": size, "kind": TRENDS, "problem": problem, **manifest}


def load_trends(root: Path, keyword: str, period: str) -> TrendsSeries:
    """Read stored search interest and compare it with the hash it was stored with.

    Args:
        root: Folder of the store.
        keyword: What was searched for.
        period: Length of a period, as 1d, 1w or 1mo.

    Raises:
        DataError: There is none, it cannot be read, or it was altered since it was stored.
    """
    folder = _folder(root, keyword, period)
    if not (folder / "manifest.json").is_file():
        stored = ", ".join(sorted(path.parent.relative_to(root).as_posix() for path in root.glob(f"{SOURCE}/*/*/manifest.json")))
        raise DataError(f"no stored search interest {SOURCE}/{keyword}/{period} under {root}; stored: {stored or 'nothing'}")
    return _load(folder)


def _load(folder: Path) -> TrendsSeries:
    manifest = _read_manifest(folder)
    path = folder / "trends.parquet"
    try:
        table = pd.read_parquet(path)
        starts, known = (_times(table[name]) for name in ("timestamp", "known"))
        values = table["interest"].to_numpy(np.float64)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} cannot be read: {error}; fetch it again") from error
    if array_digest(starts, known, values) != manifest["content_hash"]:
        raise DataError(f"{path} was altered since it was stored: its content hash differs from its manifest's; fetch it again")
    return TrendsSeries(manifest["symbol"], manifest["timeframe"], starts, known, values, dict(manifest["facts"]))


def _folder(root: Path, keyword: str, period: str) -> Path:
    # The store makes a keyword a folder's name; a calendar month is no length of a bar.
    return Store(root).folder(SOURCE, keyword, "1d").parent / period


def _refuse_another(folder: Path, present: dict[str, Any], trends: TrendsSeries) -> None:
    held, new = (_subject(word, facts) for word, facts in ((present["symbol"], present["facts"]), (trends.keyword, trends.facts)))
    if held != new:
        raise ConfigError(
            f"{folder} holds search interest in {held}, and that in {new} comes to the same folder; allowed: "
            "data.trends.path=FILE, which needs no storing"
        )


def _subject(keyword: str, facts: dict[str, Any]) -> str:
    region = facts.get("region")
    return f"{keyword!r} of the whole world" if region in _WORLD else f"{keyword!r} of {region}"


def _manifest(trends: TrendsSeries) -> dict[str, Any]:
    first, last = (str(from_milliseconds(trends.starts_ms)[row].strftime("%Y-%m-%dT%H:%M:%SZ")) for row in (0, len(trends) - 1))
    return {
        "schema": _SCHEMA,
        "source": SOURCE,
        "symbol": trends.keyword,
        "timeframe": trends.period,
        "rows": len(trends),
        "first": first,
        "last": last,
        "gaps": int((trends.starts_ms[1:] != trends.known_ms[:-1]).sum()),
        "columns": ["timestamp", "known", "interest"],
        "content_hash": array_digest(trends.starts_ms, trends.known_ms, trends.values),
        "origin": trends.facts.get("file"),
        "imported_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "code_version": __version__,
        "facts": trends.facts,
    }


def _read_manifest(folder: Path) -> dict[str, Any]:
    manifest = read_json(
        folder / "manifest.json", "schema", "symbol", "timeframe", "rows", "first", "last", "content_hash", "facts"
    )
    if manifest["schema"] != _SCHEMA:
        raise DataError(f"{folder / 'manifest.json'} has schema {manifest['schema']!r}; this version reads {_SCHEMA}")
    return manifest


def _times(column: pd.Series[Any]) -> np.ndarray:
    return column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[ms]").astype(np.int64)
