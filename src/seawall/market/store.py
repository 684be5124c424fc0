"""The store: checked bars on disk, one folder a series, each with a manifest that says what it is.

``<root>/<source>/<symbol>/<timeframe>/`` holds ``bars.parquet``, ``manifest.json`` and, where bars were set aside,
``quarantine.parquet``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast

import pandas as pd

from seawall import __version__
from seawall.core.bars import bars_digest
from seawall.core.errors import ConfigError, DataError
from seawall.core.files import read_json, replacing_folder, to_json
from seawall.core.timeframe import Timeframe
from seawall.market.quality import QualityReport

_SCHEMA = 1
_NEEDED = ("schema", "source", "symbol", "timeframe", "rows", "first", "last", "gaps", "columns", "content_hash")


@dataclass(frozen=True)
class Imported:
    """What an import did.

    Attributes:
        folder: Where the series is.
        status: imported: it is new; unchanged: the same bars were there already; replaced: it took the place of other bars.
        manifest: What is known of the series.
    """

    folder: Path
    status: Literal["imported", "unchanged", "replaced"]
    manifest: dict[str, Any]


class Store:
    """All stored series under one root folder."""

    def __init__(self, root: Path) -> None:
        """Name the root; it need not exist before the first import."""
        self.root = root

    def folder(self, source: str, symbol: str, timeframe: str) -> Path:
        """Return the folder of a series; characters that a file name cannot hold, as in BTC/USDT, become hyphens.

        Raises:
            ConfigError: A name is empty or dots only, or the timeframe is unknown.
        """
        return self.root / _safe("source", source) / _safe("symbol", symbol) / Timeframe.parse(timeframe).label

    def import_bars(
        self, bars: pd.DataFrame, report: QualityReport, *, source: str, symbol: str, origin: str, overwrite: bool = False
    ) -> Imported:
        """Store checked bars, whole or not at all.

        Args:
            bars: Bars as `apply_quality` returned them.
            report: Its report; the bars it set aside are stored beside them.
            source: Where the bars come from, as in ``binance``.
            symbol: Name of the series, as in ``BTCUSDT``.
            origin: File they were read from; only its name is kept.
            overwrite: Replace other bars of the same name.

        Raises:
            ConfigError: Other bars have that name and `overwrite` is off, or a name cannot be used.
            DataError: The bars were never passed by a quality policy, or the disk is full.
        """
        if not report.policy:
            raise DataError(
                f"bars of {source}/{symbol} were checked but not passed by a quality policy; only passed bars are stored"
            )
        folder = self.folder(source, symbol, report.timeframe)
        manifest = _manifest(bars, report, source=source, symbol=symbol, origin=Path(origin).name)
        status: Literal["imported", "replaced"] = "imported"
        if folder.exists():
            present = _read_manifest(folder)
            if _same_series(present, manifest):
                return Imported(folder, "unchanged", present)
            if not overwrite:
                raise ConfigError(
                    f"{folder} already holds {present['rows']} bars of {present['source']}/{present['symbol']}, "
                    f"{present['first']} to {present['last']}, which differ from these {len(bars)} bars, {report.first} to "
                    f"{report.last}; allowed: another symbol, or overwrite"
                )
            status = "replaced"
        with replacing_folder(folder) as temporary:
            bars.to_parquet(temporary / "bars.parquet", index=False, compression="zstd")
            if report.dropped:
                report.quarantined.to_parquet(temporary / "quarantine.parquet", index=False, compression="zstd")
            (temporary / "manifest.json").write_text(to_json(manifest) + "\n", encoding="utf-8")
        return Imported(folder, status, manifest)

    def list(self) -> list[dict[str, Any]]:
        """Return the manifest of every stored series, sorted by its ``reference``.

        Raises:
            DataError: A manifest cannot be read.
        """
        folders = (path.parent for path in self.root.glob("*/*/*/manifest.json"))
        shown = sorted(folder for folder in folders if not folder.name.startswith("."))
        return [{"reference": folder.relative_to(self.root).as_posix(), **_read_manifest(folder)} for folder in shown]

    def has(self, reference: str) -> bool:
        """Say whether a reference names a stored series."""
        return any((folder / "manifest.json").is_file() for folder in self._candidates(reference))

    def load(self, reference: str) -> tuple[pd.DataFrame, dict[str, Any]]:
        """Read a stored series and compare it with the hash it was stored with.

        Args:
            reference: ``source/symbol/timeframe``, as in ``binance/BTCUSDT/1h``, or the path of a series' folder.

        Returns:
            The bar frame, and its manifest.

        Raises:
            DataError: There is no such series, it cannot be read, or its bars were altered since they were stored.
        """
        candidates = self._candidates(reference)
        folder = next((folder for folder in candidates if (folder / "manifest.json").is_file()), None)
        if folder is None:
            stored = ", ".join(str(entry["reference"]) for entry in self.list()) or "nothing"
            raise DataError(f"no stored series {reference!r} under {self.root.resolve()}; stored: {stored}")
        manifest = _read_manifest(folder)
        path = folder / "bars.parquet"
        try:
            bars = pd.read_parquet(path)
            content = bars_digest(bars)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{path} cannot be read: {error}; import the series again") from error
        if content != manifest["content_hash"]:
            raise DataError(
                f"{path} was altered since it was stored: its content hash is {content[:12]}…, its manifest says "
                f"{str(manifest['content_hash'])[:12]}…; import the series again"
            )
        return bars, manifest

    def _candidates(self, reference: str) -> list[Path]:
        found = [Path(reference)]
        source, *symbol, timeframe = reference.split("/") if reference.count("/") >= 2 else ("", "", "")
        try:
            found.append(self.folder(source, "/".join(symbol), timeframe))
        except ConfigError:
            # The reference is no name of a series, but may still be a path.
            return found
        return found


def _safe(what: str, name: str) -> str:
    safe = re.sub(r"[^A-Za-z0-9._=+-]+", "-", name.strip())
    if not safe.strip(".-"):
        raise ConfigError(f"{what} {name!r} cannot name a folder; allowed: letters, digits, dots, hyphens and underscores")
    return safe


def _manifest(bars: pd.DataFrame, report: QualityReport, *, source: str, symbol: str, origin: str) -> dict[str, Any]:
    return {
        "schema": _SCHEMA,
        "source": source,
        "symbol": symbol,
        "timeframe": report.timeframe,
        "rows": len(bars),
        "first": report.first,
        "last": report.last,
        "gaps": report.gaps,
        "columns": [str(name) for name in bars.columns],
        "content_hash": bars_digest(bars),
        "origin": origin,
        "imported_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "code_version": __version__,
        "quality": report.to_dict(),
    }


def _same_series(present: dict[str, Any], new: dict[str, Any]) -> bool:
    return all(present[name] == new[name] for name in ("source", "symbol", "content_hash"))


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    found = read_json(path)
    manifest = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    absent = [name for name in _NEEDED if name not in manifest]
    if absent:
        raise DataError(f"{path} has no {', '.join(absent)}; import the series again")
    if manifest["schema"] != _SCHEMA:
        raise DataError(f"{path} has schema {manifest['schema']!r}; this version reads {_SCHEMA}")
    return manifest
