"""Series in files, folders and globs: which files belong together, and their bars as one frame."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from seawall.core.bars import timestamps_ms
from seawall.core.errors import ConfigError, DataError, SeawallError
from seawall.core.timeframe import Timeframe
from seawall.market.files import infer_identity, read_bars, symbols_in
from seawall.market.formats.dialects import bar_names, recognise
from seawall.market.formats.tables import HDF5_SUFFIXES, SUFFIXES, column_names, suffix_of, table_keys

_NO_TIME = np.datetime64("NaT", "ms").astype(np.int64)
# Binance's daily and monthly dumps; parts of one series by their name.
_DUMP = re.compile(r"[A-Z0-9]+-\d+[smhdw]-\d{4}-\d\d(-\d\d)?")
# A stretch of a series that is kept apart, as in binance_BTCUSDT_1m_202407.
_STRETCH = re.compile(r"[a-z][a-z0-9]*_[A-Za-z0-9.]+_\d+[smhdw]_(?P<tail>\d+)")
_BESIDE = (".checksum", ".scaling.json")
# What a folder of the store holds.
_STORED_BARS, _STORED_BESIDE = "bars.parquet", ("quarantine.parquet", "trends.parquet", "manifest.json")
_LABELS = "_labels"
# Text of any kind may be called so; in a folder it is taken for bars only where its first line says so.
_ANY_TEXT = (".txt", ".txt.gz")


@dataclass(frozen=True)
class FileSeries:
    """One series of bars in one file or several.

    Attributes:
        source: Where the bars come from, as the file's name tells it; ``files`` where it does not.
        symbol: Name of the series. A stretch keeps its tail, as in ``BTCUSDT_202407``.
        timeframe: Label of the bar length; None where no name tells it and the bars must.
        paths: The files, by name.
        key: Table of an HDF5 file; None elsewhere.
        part: Symbol in a file of several; None elsewhere.
        shown: What `origin` says where the file's name alone does not tell it from another; None elsewhere.
    """

    source: str
    symbol: str
    timeframe: str | None
    paths: tuple[Path, ...]
    key: str | None = None
    part: str | None = None
    shown: str | None = None

    @property
    def origin(self) -> str:
        """Name of the file, or of the first and the last where there are several."""
        if self.shown is not None:
            return self.shown
        if len(self.paths) == 1:
            return " ".join(filter(None, (self.paths[0].name, self.key, self.part)))
        return f"{self.paths[0].name} to {self.paths[-1].name} ({len(self.paths)} files)"

    def read(self, own: Sequence[str] = ()) -> pd.DataFrame:
        """Read the bars, those of several files joined in the order of time; `apply_quality` comes next.

        Args:
            own: Other columns to keep, as `read_bars` does.

        Raises:
            DataError: A file cannot be read, or two files differ in a bar that both have.
        """
        frames = [read_bars(path, key=self.key, own=own, symbol=self.part) for path in self.paths]
        return frames[0] if len(frames) == 1 else _joined([str(path) for path in self.paths], frames)


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        series: Series to read, sorted by source, symbol and timeframe; each has a name of its own.
        skipped: Names of what in folders and globs holds no bars, or is stored already.
        refused: Files that come to one name, each with the reason.
    """

    series: list[FileSeries]
    skipped: list[str] = field(default_factory=list[str])
    refused: list[tuple[str, DataError]] = field(default_factory=list[tuple[str, DataError]])


def find_series(targets: Sequence[str]) -> list[FileSeries]:
    """Return the series in files, folders and globs, to look at: as `search` does, but names may repeat.

    Their origins do not. A file that cannot be opened is a series too, whose reading says what is wrong.

    Raises:
        ConfigError: There is no target.
        DataError: A target leads to nothing, or a named file is of no kind that is read.
    """
    series = sorted((one for group in _groups(targets, [], None) for one in group), key=_order)
    origins = [one.origin for one in series]
    return [replace(one, shown=_whole_origin(one)) if origins.count(one.origin) > 1 else one for one in series]


def search(targets: Sequence[str], held: Path | None = None) -> Found:
    """Look for series in files, folders and globs, to store them.

    Binance's dumps of one symbol are one series; each table of an HDF5 file is one, and each symbol of a file of several. Any
    other file is a series of its own, and those that come to one name are refused. A file that cannot be opened is a series too,
    whose reading says what is wrong.

    Args:
        targets: Paths of files or folders, or globs such as ``dumps/*.zip`` and ``**/*.parquet``. Folders are searched with
            those below them; names below them that start with a dot are left out.
        held: The store, whose own series are left out of folders and globs; none where None.

    Raises:
        ConfigError: There is no target.
        DataError: A target leads to nothing, or a named file is of no kind that is read.
    """
    skipped: list[str] = []
    found, refused = list[FileSeries](), list[tuple[str, DataError]]()
    for group in _groups(targets, skipped, held):
        if len(group) == 1:
            found += group
        else:
            error = _one_name(group)
            refused += [(_whole_origin(series), error) for series in group]
    return Found(sorted(found, key=_order), sorted(set(skipped)), refused)


def _groups(targets: Sequence[str], skipped: list[str], held: Path | None) -> list[list[FileSeries]]:
    """Return the series that were found, those of one name together; dumps of one name are one series."""
    if not targets:
        raise ConfigError(f"there is no file to read; allowed: files, folders and globs of {', '.join(SUFFIXES)}")
    named: dict[Path, Path] = {}
    for target in targets:
        for path in _usable(target, skipped, held):
            named.setdefault(path.resolve(), path)
    groups: dict[tuple[str, str, str | None], list[FileSeries]] = {}
    for path in sorted(named.values(), key=lambda path: (path.name, path)):
        for series in _series_of(path, skipped):
            groups.setdefault((series.source, series.symbol, series.timeframe), []).append(series)
    return [_with_dumps_joined(group) for group in groups.values()]


def _with_dumps_joined(group: list[FileSeries]) -> list[FileSeries]:
    dumps = [one for one in group if _DUMP.fullmatch(one.paths[0].name[: -len(suffix_of(one.paths[0]))])]
    if len(dumps) < 2:
        return group
    joined = replace(dumps[0], paths=tuple(path for one in dumps for path in one.paths))
    return [joined, *(one for one in group if one not in dumps)]


def _one_name(group: Sequence[FileSeries]) -> DataError:
    name = "/".join(part for part in (group[0].source, group[0].symbol, group[0].timeframe) if part)
    return DataError(
        f"{' and '.join(map(_whole_origin, group))} {'both' if len(group) == 2 else 'all'} come to the series {name}; "
        "rename one of them, or import them one by one under names of their own"
    )


def _whole_origin(series: FileSeries) -> str:
    first, *others = series.paths
    return f"{first} to {others[-1].name}" if others else " ".join(filter(None, (str(first), series.key, series.part)))


def _order(series: FileSeries) -> tuple[str, str, int, tuple[Path, ...], str]:
    return series.source, series.symbol, _length(series), series.paths, series.key or ""


def _length(series: FileSeries) -> int:
    return Timeframe.parse(series.timeframe).seconds if series.timeframe else 0


def _usable(target: str, skipped: list[str], held: Path | None) -> list[Path]:
    path = Path(target).expanduser()
    if path.is_file():
        suffix_of(path)
        return [path]
    if path.is_dir():
        # Only what the walk finds below the folder may be hidden; the folder itself was asked for.
        candidates = [file for file in path.rglob("*") if not any(part.startswith(".") for part in file.parts[len(path.parts) :])]
    else:
        # A wildcard meets no hidden name, so that a hidden one stands in the pattern itself.
        candidates = [Path(found) for found in glob.glob(str(path), recursive=True)]
        if not candidates:
            raise DataError(f"no file {target}: looked for {path.absolute()}; allowed: a file, a folder or a glob as dumps/*.zip")
    files = [file for file in sorted(candidates) if file.is_file()]
    left_out = {file: _left_out(file, held) for file in files}
    usable = [file for file in files if left_out[file] is None]
    others = [reason for reason in left_out.values() if reason]
    if not usable:
        more = f"; found {', '.join(others[:5])}{' …' if len(others) > 5 else ''}" if others else ""
        raise DataError(f"{target} holds no file of bars; allowed: {', '.join(SUFFIXES)}{more}")
    skipped.extend(others)
    return usable


def _left_out(file: Path, held: Path | None) -> str | None:
    """Return what to say of a file that holds no bars to read, which may be nothing; None for one that may hold some."""
    name = file.name.lower()
    if name.endswith(_BESIDE) or (_is_stored(file) and name in _STORED_BESIDE):
        return ""
    if not name.endswith(SUFFIXES):
        return file.name
    if _is_stored(file) and name == _STORED_BARS and held is not None and file.resolve().is_relative_to(held.resolve()):
        return f"{'/'.join(file.resolve().parts[-4:-1])} (stored already)"
    if file.name[: -len(suffix_of(file))].endswith(_LABELS):
        return f"{file.name} (labels)"
    return file.name if suffix_of(file) in _ANY_TEXT and not _names_bars(file) else None


def _is_stored(file: Path) -> bool:
    return file.name in (_STORED_BARS, *_STORED_BESIDE) and file.with_name("manifest.json").is_file()


def _names_bars(file: Path) -> bool:
    try:
        recognise(bar_names(column_names(file), file.name)[0], file.name)
    except DataError:
        return False
    return True


def _series_of(path: Path, skipped: list[str]) -> Iterator[FileSeries]:
    if path.name == _STORED_BARS and _is_stored(path):
        source, symbol, timeframe = path.resolve().parts[-4:-1]
        yield FileSeries(source, symbol, timeframe, (path,), shown=f"{source}/{symbol}/{timeframe}/{path.name}")
        return
    source, symbol, timeframe = infer_identity(path)
    stem = path.name[: -len(suffix_of(path))]
    stretch = _STRETCH.fullmatch(stem)
    if stretch is not None and timeframe is not None:
        symbol = f"{symbol}_{stretch['tail']}"
    whole = FileSeries(source, symbol, timeframe, (path,))
    if suffix_of(path) not in HDF5_SUFFIXES:
        parts = _symbols(path)
        yield from (replace(whole, symbol=part, part=part) for part in parts) if parts else (whole,)
        return
    try:
        keys = table_keys(path)
    except SeawallError:
        # Told when the series is read: one damaged file must not hide the others.
        yield whole
        return
    bars = [key for key in keys if not key.endswith(_LABELS)] or keys
    skipped.extend(f"{path.name} {key} (labels)" for key in keys if key not in bars)
    for key in bars:
        yield _of_key(whole, key, alone=len(keys) == 1)


def _symbols(path: Path) -> list[str]:
    try:
        return symbols_in(path)
    except DataError:
        # Told when the series is read.
        return []


def _of_key(whole: FileSeries, key: str, *, alone: bool) -> FileSeries:
    """Tell a series from its key: /15m, /BTCUSDT/15m and /binance/BTCUSDT/15m name it ever more exactly.

    freqtrade writes /BTC/USDT/ohlcv/tf_1h.
    """
    *before, last = key.strip("/").split("/")
    if len(before) > 1 and before[-1] == "ohlcv" and last.startswith("tf_"):
        before, last = ["freqtrade", "_".join(before[:-1])], last.removeprefix("tf_")
    match = re.fullmatch(r"(?:(?P<name>.+)_)?(?P<timeframe>[1-9]\d*[smhdw])", last)
    if match is None:
        rest = "" if alone else f"_{key.strip('/').replace('/', '_')}"
        return replace(whole, symbol=whole.symbol + rest, key=key)
    names = [*before, *([match["name"]] if match["name"] else [])]
    source, symbol = whole.source, whole.symbol
    if not names and whole.timeframe is None and (parts := re.fullmatch(r"([a-z][a-z0-9]*)_([A-Z][A-Z0-9.]+)", symbol)):
        source, symbol = parts[1], parts[2]
    elif names:
        source, symbol = "_".join(names[:-1]) or source, names[-1]
    return replace(whole, source=source, symbol=symbol, timeframe=Timeframe.parse(match["timeframe"]).label, key=key)


def _joined(paths: list[str], frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Put files one after the other, each bar once."""
    starts: list[int] = np.argsort([int(timestamps_ms(frame).min()) for frame in frames], kind="stable").tolist()
    names, ordered = [paths[place] for place in starts], [frames[place] for place in starts]
    shared = [column for column in ordered[0].columns if all(column in frame.columns for frame in ordered)]
    bars = pd.concat([frame[shared] for frame in ordered], ignore_index=True)
    times = timestamps_ms(bars)
    file = np.repeat(np.arange(len(ordered)), [len(frame) for frame in ordered])
    order = np.lexsort((file, times))
    repeats = (times[order][1:] == times[order][:-1]) & (file[order][1:] != file[order][:-1]) & (times[order][1:] != _NO_TIME)
    first, again = order[:-1][repeats], order[1:][repeats]
    values = bars[shared[1:]].to_numpy(np.float64)
    same = ((values[first] == values[again]) | (np.isnan(values[first]) & np.isnan(values[again]))).all(axis=1)
    if not same.all():
        _refuse_difference(bars, int(first[~same][0]), int(again[~same][0]), (names, file))
    kept = np.ones(len(bars), dtype=bool)
    kept[again] = False
    bars = bars[kept].reset_index(drop=True)
    # Files that were each in order stay so where one lies inside another; disorder inside a file is left for the quality check.
    if all((np.diff(timestamps_ms(frame)) >= 0).all() for frame in ordered):
        bars = bars.sort_values("timestamp", kind="stable", ignore_index=True)
    bars.attrs.update(_attributes(ordered, names, shared))
    return bars


def _refuse_difference(bars: pd.DataFrame, first: int, again: int, where: tuple[list[str], np.ndarray]) -> None:
    names, file = where
    one, other = bars.iloc[first], bars.iloc[again]
    column = next(str(name) for name in bars.columns[1:] if one[name] != other[name])
    raise DataError(
        f"{names[file[first]]} and {names[file[again]]} differ in the bar of {one['timestamp'].strftime('%Y-%m-%dT%H:%M:%SZ')}: "
        f"{column} is {one[column]:.12g} and {other[column]:.12g}; download both again, or leave one out"
    )


def _attributes(frames: list[pd.DataFrame], names: list[str], shared: list[str]) -> dict[str, Any]:
    notes = list(dict.fromkeys(note for frame in frames for note in cast("list[str]", frame.attrs["notes"])))
    left_out = sorted({str(column) for frame in frames for column in frame.columns} - set(shared))
    notes += [f"column {column} is left out: not every one of the {len(frames)} files has it" for column in left_out]
    attributes: dict[str, Any] = {"notes": notes}
    scalings = [frame.attrs.get("scaling") for frame in frames]
    if any(scaling != scalings[0] for scaling in scalings):
        other = next(place for place, scaling in enumerate(scalings) if scaling != scalings[0])
        raise DataError(f"{names[0]} and {names[other]} were scaled differently; allowed: files scaled together, or not at all")
    if scalings[0] is not None:
        attributes["scaling"] = scalings[0]
    return attributes
