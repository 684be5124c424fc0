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
from seawall.core.errors import ConfigError, DataError
from seawall.core.timeframe import Timeframe
from seawall.market.files import infer_identity, read_bars, symbols_in
from seawall.market.formats.tables import HDF5_SUFFIXES, SUFFIXES, suffix_of, table_keys

_NO_TIME = np.datetime64("NaT", "ms").astype(np.int64)
# Binance's daily and monthly dumps; parts of one series by their name.
_DUMP = re.compile(r"[A-Z0-9]+-\d+[smhdw]-\d{4}-\d\d(-\d\d)?")
# A stretch of a series that is kept apart, as in binance_BTCUSDT_1m_202407.
_STRETCH = re.compile(r"[a-z][a-z0-9]*_[A-Za-z0-9.]+_\d+[smhdw]_(?P<tail>\d+)")
_BESIDE = (".checksum", ".scaling.json")


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
    """

    source: str
    symbol: str
    timeframe: str | None
    paths: tuple[Path, ...]
    key: str | None = None
    part: str | None = None

    @property
    def origin(self) -> str:
        """Name of the file, or of the first and the last where there are several."""
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
        series: Series to read, sorted by source, symbol and timeframe.
        skipped: Names of the files in folders and globs that are of no kind that is read.
    """

    series: list[FileSeries]
    skipped: list[str] = field(default_factory=list[str])


def find_series(targets: Sequence[str]) -> list[FileSeries]:
    """Return the series in files, folders (and those below them) and globs; see `search`."""
    return search(targets).series


def search(targets: Sequence[str]) -> Found:
    """Look for series in files, folders and globs.

    Binance's dumps of one symbol are one series; each table of an HDF5 file is one, and each symbol of a file of several. Any
    other file is a series of its own, and two that come to one name are refused.

    Args:
        targets: Paths of files or folders, or globs such as ``dumps/*.zip`` and ``**/*.parquet``. Folders are searched with
            those below them; names that start with a dot are left out.

    Raises:
        ConfigError: There is no target, or HDF5 is asked for and not installed.
        DataError: A target leads to nothing, a named file is of no kind that is read, or two files have one name.
    """
    if not targets:
        raise ConfigError(f"there is no file to read; allowed: files, folders and globs of {', '.join(SUFFIXES)}")
    named: dict[Path, Path] = {}
    skipped: list[str] = []
    for target in targets:
        for path in _usable(target, skipped):
            named.setdefault(path.resolve(), path)
    groups: dict[tuple[str, str, str | None], FileSeries] = {}
    for path in sorted(named.values(), key=lambda path: (path.name, path)):
        for series in _series_of(path):
            identity = (series.source, series.symbol, series.timeframe)
            groups[identity] = _grouped(groups[identity], series) if identity in groups else series
    return Found(sorted(groups.values(), key=lambda one: (one.source, one.symbol, _length(one), one.paths)), sorted(set(skipped)))


def _length(series: FileSeries) -> int:
    return Timeframe.parse(series.timeframe).seconds if series.timeframe else 0


def _usable(target: str, skipped: list[str]) -> list[Path]:
    path = Path(target).expanduser()
    if path.is_file():
        suffix_of(path)
        return [path]
    if path.is_dir():
        candidates = sorted(path.rglob("*"))
        start = len(path.parts)
    else:
        candidates = sorted(Path(found) for found in glob.glob(str(path), recursive=True))
        start = 0
        if not candidates:
            raise DataError(f"no file {target}: looked for {path.absolute()}; allowed: a file, a folder or a glob as dumps/*.zip")
    files = [file for file in candidates if file.is_file() and not any(part.startswith(".") for part in file.parts[start:])]
    usable = [file for file in files if file.name.lower().endswith(SUFFIXES) and not file.name.lower().endswith(_BESIDE)]
    others = [file.name for file in files if file not in set(usable) and not file.name.lower().endswith(_BESIDE)]
    if not usable:
        more = f"; found {', '.join(others[:5])}{' …' if len(others) > 5 else ''}" if others else ""
        raise DataError(f"{target} holds no file of bars; allowed: {', '.join(SUFFIXES)}{more}")
    skipped.extend(others)
    return usable


def _series_of(path: Path) -> Iterator[FileSeries]:
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
    keys = table_keys(path)
    for key in keys:
        yield _of_key(whole, key, alone=len(keys) == 1)


def _symbols(path: Path) -> list[str]:
    try:
        return symbols_in(path)
    except DataError:
        # Told when the series is read.
        return []


def _of_key(whole: FileSeries, key: str, *, alone: bool) -> FileSeries:
    """Tell a series from its key: /15m, /BTCUSDT/15m and /binance/BTCUSDT/15m name it ever more exactly."""
    *before, last = key.strip("/").split("/")
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


def _grouped(one: FileSeries, other: FileSeries) -> FileSeries:
    files = (*one.paths, *other.paths)
    if all(_DUMP.fullmatch(path.name[: -len(suffix_of(path))]) for path in files):
        return replace(one, paths=files)
    name = "/".join(part for part in (one.source, one.symbol, one.timeframe) if part)
    raise DataError(
        f"{one.paths[-1]}{one.key or ''} and {other.paths[0]}{other.key or ''} both come to the series {name}; "
        "rename one of them, or import them one by one under names of their own"
    )


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
