"""The files that a scaling is asked for: found, and told which part of a dataset each is."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seawall.core.errors import ConfigError, DataError
from seawall.features.scaling.file_scaler import FileScalingParams, columns_to_scale
from seawall.market.formats.tables import SUFFIXES, read_tables, suffix_of

_PART = re.compile(r"(?<![a-z])(train(?:ing)?|val(?:id(?:ation)?)?|test)(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """A file to scale.

    Attributes:
        path: Where it is.
        place: Where its scaled form goes, relative to the folder of outputs, but for the name.
        part: train, val or test, where its name or its folder says so; empty elsewhere.
        name: What it is called without the part.
    """

    path: Path
    place: Path
    part: str
    name: str


def found_sources(targets: Sequence[str | Path], params: FileScalingParams) -> list[Source]:
    """Return the files that are named, each once.

    Args:
        targets: Files, folders or patterns with ``*``.
        params: Which files of a folder, and whether of its folders too.

    Raises:
        ConfigError: Nothing is named, or the pattern leaves its folder.
        DataError: There is no such file.
    """
    sources: dict[Path, Source] = {}
    for target in targets:
        path = Path(target).expanduser()
        if path.is_dir():
            found = _in_folder(path, params)
        else:
            files = [path] if path.is_file() else [Path(file) for file in sorted(glob.glob(str(path))) if Path(file).is_file()]
            found = [_source(file, Path()) for file in files]
            if not found:
                raise DataError(f"no file {path}")
        for source in found:
            sources.setdefault(source.path.resolve(), source)
    if not sources:
        raise ConfigError("nothing to scale was named; allowed: files, folders or patterns such as data/*.h5")
    return list(sources.values())


def _in_folder(folder: Path, params: FileScalingParams) -> list[Source]:
    pattern = params.file_pattern
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        raise ConfigError(f"file_pattern is {pattern!r}; allowed: names of files in the folder {folder}, as in *.h5")
    try:
        every = sorted(folder.rglob(pattern) if params.recursive else folder.glob(pattern))
    except ValueError as error:
        raise ConfigError(f"file_pattern is {pattern!r}: {error}; allowed: names of files, as in *.h5") from error
    files = [file for file in every if file.is_file() and _is_table(file, folder, pattern)]
    if files:
        return [_source(file, file.parent.relative_to(folder)) for file in files]
    deeper = "" if params.recursive else next((f"; {file.name} lies deeper, in {file.parent}: allowed: recursive"
        for file in sorted(folder.rglob(pattern)) if file.is_file() and _is_table(file, folder, pattern)), "")  # fmt: skip
    raise DataError(f"no file {pattern!r} in folder {folder}; allowed: files that end in {', '.join(SUFFIXES)}{deeper}")


def _is_table(file: Path, folder: Path, pattern: str) -> bool:
    # A pattern of the user's own may not pass over a file in silence.
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return not hidden and (pattern != "*" or file.name.lower().endswith(SUFFIXES))


def _source(file: Path, place: Path) -> Source:
    """Tell a file's part by its name, or by its folder where a folder of another part stands beside that one."""
    stem = file.name[: -len(suffix_of(file))]
    found = _PART.search(stem)
    if found is not None:
        return Source(file, place, _part(found[1]), f"{file.parent.resolve()}/{_PART.sub('', stem).strip(' ._-')}")
    folder = file.parent.resolve()
    if _PART.fullmatch(folder.name) and any(
        beside.is_dir() and beside != folder and _PART.fullmatch(beside.name) for beside in folder.parent.iterdir()
    ):
        return Source(file, place, _part(folder.name), f"{folder.parent}/*/{stem}")
    return Source(file, place, "", f"{folder}/{stem}")


def _part(word: str) -> str:
    return next(part for part in ("train", "val", "test") if word.lower().startswith(part))


def with_something_to_scale(sources: list[Source], params: FileScalingParams, remarks: list[str]) -> list[Source]:
    """Leave out files that hold labels alone, of those that were found in folders of folders."""
    if not params.recursive:
        return sources
    kept: list[Source] = []
    bare: list[Path] = []
    for source in sources:
        tables = read_tables(source.path).values()
        if any(columns_to_scale(table, params.columns, params.preserve_columns) for table in tables):
            kept.append(source)
        else:
            bare.append(source.place / source.path.name)
    if bare and kept:
        remarks.append(f"{len(bare)} files, as {bare[0]}, have no column to scale and are left out")
    if not kept:
        raise DataError(f"none of {len(sources)} files has a column to scale beside {', '.join(params.preserve_columns)}")
    return kept
