"""The store: checked bars on disk, one folder a series, each with a manifest that says what it is.

``<root>/<source>/<symbol>/<timeframe>/`` holds ``bars.parquet``, ``manifest.json`` and, where bars were set aside,
``quarantine.parquet``. A series is replaced as one folder, by one writer at a time; readers need no lock, and see it before or
after.
"""

from __future__ import annotations

import re
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from seawall.core.bars import BAR_COLUMNS, OPTIONAL_COLUMNS, bars_digest
from seawall.core.errors import ConfigError, DataError, TransientError
from seawall.core.files import replacing_folder, to_json
from seawall.core.timeframe import Timeframe
from seawall.market.checks.quality import QualityReport
from seawall.market.storage.lock import held_for_writing, moved_aside
from seawall.market.storage.manifest import NEEDED, TRENDS, kind, new_manifest, read_manifest, refuse_trends, same_name

# An import holds a series for seconds, a fetch for hours: an import waits for another import.
_IMPORT_WAIT_SECONDS = 30.0
# Search interest alone has periods of a calendar month, which is no length of a bar.
_MONTH = "1mo"
_READ_TRIES = 50
_READ_PAUSE_SECONDS = 0.02
_LOOKS = 3
_LONGEST_NAME = 100
# Names that Windows keeps for devices, with any suffix.
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


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
        """Return the folder of a series; BTC/USDT is BTCUSDT, other characters that a file name cannot hold become hyphens.

        Raises:
            ConfigError: A name is empty, dots only or too long, or the timeframe is unknown.
        """
        return self.root / _safe("source", source) / _safe("symbol", symbol) / Timeframe.parse(timeframe).label

    def partial(self, source: str, symbol: str, timeframe: str) -> Path:
        """Return the folder where a fetch of a series keeps its pages until the series is whole; it need not exist."""
        folder = self.folder(source, symbol, timeframe)
        return self.root / ".partial" / folder.relative_to(self.root)

    @contextmanager
    def lock(self, source: str, symbol: str, timeframe: str, wait_seconds: float = 0.0) -> Generator[None]:
        """Hold a series for writing; a second writer, in this process or another, is refused while it is held.

        The thread that holds it may hold it again inside, as `import_bars` does.

        Args:
            source: As in `folder`.
            symbol: As in `folder`.
            timeframe: As in `folder`.
            wait_seconds: How long to wait for another writer before it is refused.

        Raises:
            TransientError: Another writer holds the series.
        """
        with held_for_writing(self.root, self.folder(source, symbol, timeframe), wait_seconds):
            yield

    def import_bars(
        self,
        bars: pd.DataFrame,
        report: QualityReport,
        *,
        source: str,
        symbol: str,
        origin: str,
        provenance: Mapping[str, Any] | None = None,
        overwrite: bool = False,
    ) -> Imported:
        """Store checked bars, whole or not at all.

        Args:
            bars: Bars as `apply_quality` returned them.
            report: Its report; the bars it set aside are stored beside them.
            source: Where the bars come from, as in ``binance``.
            symbol: Name of the series, as in ``BTCUSDT``.
            origin: File they were read from; only its name is kept.
            provenance: How the bars were had, as a source tells it; kept in the manifest.
            overwrite: Replace other bars of the same name.

        Raises:
            ConfigError: Other bars have that name and `overwrite` is off, another series comes to the same folder, or a name or
                column cannot be used.
            DataError: The bars were never passed by a quality policy, or the disk is full.
            TransientError: Another process was writing the series for half a minute.
        """  # fmt: skip
        if not report.policy:
            raise DataError(
                f"bars of {source}/{symbol} were checked but not passed by a quality policy; only passed bars are stored"
            )
        if source == TRENDS:
            raise ConfigError(
                f"bars of {symbol} are named as of the source {TRENDS}, which is kept for search interest; allowed: another"
            )
        _refuse_columns(bars, f"{source}/{symbol}")
        folder = self.folder(source, symbol, report.timeframe)
        manifest = new_manifest(bars, report, source=source, symbol=symbol, origin=origin, provenance=provenance or {})
        status: Literal["imported", "replaced"] = "imported"
        with held_for_writing(self.root, folder, _IMPORT_WAIT_SECONDS):
            if folder.exists():
                present = read_manifest(folder)
                if _same_bars(present, manifest):
                    return Imported(folder, "unchanged", present)
                _refuse_replacing(folder, present, manifest, overwrite)
                status = "replaced"
                manifest["imported_at"] = present.get("imported_at", manifest["imported_at"])
            with replacing_folder(folder) as temporary:
                bars.to_parquet(temporary / "bars.parquet", index=False, compression="zstd")
                if report.dropped:
                    report.quarantined.to_parquet(temporary / "quarantine.parquet", index=False, compression="zstd")
                (temporary / "manifest.json").write_text(to_json(manifest) + "\n", encoding="utf-8")
        return Imported(folder, status, manifest)

    def refuse_other(self, bars: pd.DataFrame, report: QualityReport, *, source: str, symbol: str, overwrite: bool) -> None:
        """Refuse what `import_bars` would refuse for bars that are there already, and store nothing; arguments as there."""
        folder = self.folder(source, symbol, report.timeframe)
        if self._found("/".join((source, symbol, report.timeframe))) is None:
            return
        present = read_manifest(folder)
        new = new_manifest(bars, report, source=source, symbol=symbol, origin="", provenance={})
        if not _same_bars(present, new):
            _refuse_replacing(folder, present, new, overwrite)

    def list(self) -> list[dict[str, Any]]:
        """Return the manifest of every stored series, sorted by its ``reference``.

        ``kind`` is bars, or trends for search interest. One that cannot be read has ``problem``, a text, and None for what is not
        known; the others have None for ``problem``.
        """
        folders: set[Path] = set()
        # A series that is being replaced stands aside for a moment: it is looked for in both places, and in turns, as it may come
        # back between two looks. What vanishes during a look, `glob` passes over.
        for _ in range(_LOOKS):
            folders |= {Path(name).parent for name in glob("*/*/*/manifest.json", root_dir=self.root)}
            aside = (Path(name).parent for name in glob("*/*/.*-old-*/*/manifest.json", root_dir=self.root))
            folders |= {folder.parent.parent / folder.name for folder in aside}
        shown = sorted(folder for folder in folders if not any(part.startswith(".") for part in folder.parts))
        return [self._entry(folder) for folder in shown]

    def _entry(self, relative: Path) -> dict[str, Any]:
        reference = {"reference": relative.as_posix(), "problem": None}
        folder, problem = self.root / relative, ""
        for _ in range(_READ_TRIES):
            before = _stamp(folder)
            try:
                self._settle(folder)
                manifest = read_manifest(folder)
                return {**reference, "kind": kind(manifest), **manifest}
            except DataError as error:
                problem = str(error)
            if before is not None and _stamp(folder) == before:
                break
            # It is being replaced, or was removed.
            time.sleep(_READ_PAUSE_SECONDS)
        source, symbol, timeframe = relative.parts
        named = {"source": source, "symbol": symbol, "timeframe": timeframe}
        return {**dict.fromkeys(NEEDED), **reference, "kind": None, **named, "problem": problem}

    def holds_trends(self, reference: str) -> bool:
        """Say whether a reference names stored search interest, which `seawall.market.trends.storage` reads."""
        folder = self._found(reference)
        try:
            return folder is not None and kind(read_manifest(folder)) == TRENDS
        except DataError:
            # Damaged, or being replaced: whoever reads it says so.
            return False

    def info(self, reference: str) -> dict[str, Any]:
        """Return what is known of a stored series, after reading all of it.

        Args:
            reference: As in `load`.

        Returns:
            The manifest with ``reference``, ``folder``, ``bytes`` (on disk) and ``problem``: None where the bars are those that
            were stored, else what is wrong with them.

        Raises:
            ConfigError: It holds search interest; see `holds_trends`.
            DataError: There is no such series, or its manifest cannot be read.
        """
        folder = self._existing(reference)
        problem = None
        try:
            _, manifest = self.load(reference)
        except DataError as error:
            manifest, problem = read_manifest(folder), str(error)
        size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
        name = "/".join(folder.parts[-3:])
        return {"reference": name, "folder": str(folder), "bytes": size, "problem": problem, **manifest}

    def has(self, reference: str) -> bool:
        """Say whether a reference names a stored series."""
        return self._found(reference) is not None

    def load(self, reference: str, columns: Sequence[str] | None = None) -> tuple[pd.DataFrame, dict[str, Any]]:
        """Read a stored series and compare it with the hash it was stored with.

        Args:
            reference: ``source/symbol/timeframe``, as in ``binance/BTCUSDT/1h``, or the path of a series' folder.
            columns: Columns to return beside the timestamp; all where None. All are read either way, for the hash.

        Returns:
            The bar frame, and its manifest.

        Raises:
            ConfigError: It holds search interest, which are no bars.
            DataError: There is no such series or column, it cannot be read, or its bars were altered since they were stored.
        """
        folder = self._existing(reference)
        for _ in range(_READ_TRIES):
            before = _stamp(folder)
            try:
                bars, manifest = _read(folder)
            except DataError:
                # Where a writer replaced the series meanwhile, the two files were of different states.
                if before is not None and _stamp(folder) == before:
                    raise
            else:
                if _stamp(folder) == before:
                    return _selected(bars, columns, folder), manifest
            time.sleep(_READ_PAUSE_SECONDS)
            self._settle(folder)
        raise TransientError(f"{folder} was replaced {_READ_TRIES} times while it was read; wait for its writers to end")

    def _existing(self, reference: str) -> Path:
        folder = self._found(reference)
        if folder is None:
            stored = ", ".join(str(entry["reference"]) for entry in self.list()) or "nothing"
            raise DataError(f"no stored series {reference!r} under {self.root.resolve()}; stored: {stored}")
        return folder

    def _found(self, reference: str) -> Path | None:
        for folder in self._candidates(reference):
            self._settle(folder)
            if (folder / "manifest.json").is_file():
                return folder
        return None

    def _settle(self, folder: Path) -> None:
        """Wait while a writer swaps the folder; put it back where the writer was killed doing so."""
        for _ in range(_READ_TRIES):
            if not moved_aside(folder) or not folder.is_relative_to(self.root):
                return
            try:
                with held_for_writing(self.root, folder):
                    return
            except TransientError:
                time.sleep(_READ_PAUSE_SECONDS)

    def _candidates(self, reference: str) -> list[Path]:
        found = [Path(reference)]
        source, *symbol, timeframe = reference.split("/") if reference.count("/") >= 2 else ("", "", "")
        try:
            day = self.folder(source, "/".join(symbol), "1d" if timeframe == _MONTH else timeframe)
            found.append(day.parent / _MONTH if timeframe == _MONTH else day)
        except ConfigError:
            # The reference is no name of a series, but may still be a path.
            return found
        return found


def _safe(what: str, name: str) -> str:
    safe = re.sub(r"[^A-Za-z0-9._=+-]+", "-", name.strip().replace("/", ""))
    if not safe.strip(".-") and not re.search(r"\w", name):
        raise ConfigError(f"{what} {name!r} cannot name a folder; allowed: letters, digits, dots, hyphens and underscores")
    if len(safe) > _LONGEST_NAME:
        raise ConfigError(f"{what} {name[:20]!r}… has {len(safe)} characters; allowed: {_LONGEST_NAME} at most")
    # Windows drops a dot at the end, and a dot at the start hides a folder.
    safe = re.sub(r"^\.|\.$", "-", safe)
    return f"{safe}_" if _DEVICES.fullmatch(safe) else safe


def _refuse_columns(bars: pd.DataFrame, name: str) -> None:
    known = ("timestamp", *BAR_COLUMNS, *OPTIONAL_COLUMNS)
    other = [str(column) for column in bars.columns if column not in known]
    if other:
        raise ConfigError(
            f"bars of {name} have columns {', '.join(other)}, which the store does not keep; allowed: {', '.join(known)}"
        )


def _same_bars(present: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return same_name(present, new) and present["content_hash"] == new["content_hash"]


def _refuse_replacing(folder: Path, present: Mapping[str, Any], new: Mapping[str, Any], overwrite: bool) -> None:
    told = (
        f"{folder} already holds {present['rows']} bars of {present['source']}/{present['symbol']}, {present['first']} to "
        f"{present['last']}"
    )
    if not same_name(present, new):
        raise ConfigError(f"{told}, and {new['source']}/{new['symbol']} comes to the same folder; allowed: another symbol")
    if not overwrite:
        raise ConfigError(
            f"{told}, which differ from these {new['rows']} bars, {new['first']} to {new['last']}; "
            "allowed: another symbol, or overwrite"
        )


def _stamp(folder: Path) -> bytes | None:
    try:
        return (folder / "manifest.json").read_bytes()
    except OSError:
        return None


def _read(folder: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    manifest = read_manifest(folder)
    refuse_trends(manifest, "/".join(folder.parts[-3:]))
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


def _selected(bars: pd.DataFrame, columns: Sequence[str] | None, folder: Path) -> pd.DataFrame:
    if columns is None:
        return bars
    absent = [name for name in columns if name not in bars.columns]
    if absent:
        raise DataError(f"{folder} has no column {', '.join(absent)}; its columns are {', '.join(map(str, bars.columns))}")
    return bars[["timestamp", *(name for name in columns if name != "timestamp")]]
