"""Scaling files by what the training rows showed: whole folders, all of them or none.

A file whose name says *train* is what the files named *val* and *test* beside it are scaled by. A file that stands alone is
fitted on its first rows.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from seawall.core.bars import BAR_COLUMNS
from seawall.core.errors import ConfigError, DataError, disk_errors
from seawall.features.file_scaler import FileScaler, FileScalingParams
from seawall.market.formats.tables import SUFFIXES, suffix_of, write_tables

_PART = re.compile(r"(?<![a-z])(train(?:ing)?|val(?:id(?:ation)?)?|test)(?![a-z])", re.IGNORECASE)
_WRITTEN_AS = {".pq": ".parquet", ".ft": ".feather", ".csv.gz": ".csv", ".zip": ".csv", ".hdf": ".h5"}


@dataclass(frozen=True)
class _Family:
    """Files that are scaled by one scaler."""

    name: str
    training: Path
    members: tuple[Path, ...]


@dataclass(frozen=True)
class ScaledFile:
    """One scaled file.

    Attributes:
        source: The file that was read.
        output: The file that was written.
        fitted_on: Name of the file whose rows the scaler saw.
        rows: Rows of each table, by key.
        columns: Scaled columns of each table, by key.
    """

    source: Path
    output: Path
    fitted_on: str
    rows: dict[str, int]
    columns: dict[str, list[str]]


@dataclass(frozen=True)
class ScalingResult:
    """What was scaled.

    Attributes:
        files: One entry a file.
        scalers: The saved parameters.
        remarks: What the user should know, in plain words.
    """

    files: list[ScaledFile] = field(default_factory=list["ScaledFile"])
    scalers: list[Path] = field(default_factory=list[Path])
    remarks: list[str] = field(default_factory=list[str])

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain values, for JSON."""
        return asdict(self)


def scale_files(targets: Sequence[str | Path], params: FileScalingParams, output_dir: Path) -> ScalingResult:
    """Scale files into a folder, all of them or none.

    Args:
        targets: Files, folders or patterns with ``*``.
        params: Columns, method, and what is fitted on.
        output_dir: Folder for the scaled files and ``scaler.json`` (``<name>.scaler.json`` where several were fitted).

    Raises:
        ConfigError: An output would overwrite an input or an existing file, or columns are named wrongly.
        DataError: A file cannot be read or scaled; nothing was written.
    """
    sources = _found(targets, params.file_pattern)
    outputs = {source: output_dir / _output_name(source, params.suffix) for source in sources}
    families = _families(sources, params)
    saved = {family: output_dir / ("scaler.json" if len(families) == 1 else f"{family.name}.scaler.json") for family in families}
    _refuse_outputs(outputs, list(saved.values()), params)
    result = ScalingResult()
    with disk_errors(output_dir), _stage(output_dir) as stage:
        for family in families:
            scaler = _scaler(family, params)
            scaler.save(stage / saved[family].name)
            result.scalers.append(saved[family])
            result.remarks.extend(_remarks(scaler, params))
            for source in family.members:
                tables = scaler.apply(source)
                write_tables(stage / outputs[source].name, tables)
                result.files.append(_told(source, outputs[source], scaler, tables))
        _publish(stage, output_dir)
    return result


def _found(targets: Sequence[str | Path], pattern: str) -> list[Path]:
    sources: list[Path] = []
    for target in targets:
        path = Path(target).expanduser()
        if path.is_dir():
            found = [file for file in sorted(path.glob(pattern)) if file.is_file() and _is_table(file, pattern)]
            missing = f"no file {pattern!r} in folder {path}; allowed: files that end in {', '.join(SUFFIXES)}"
        else:
            found = [path] if path.is_file() else [Path(file) for file in sorted(glob.glob(str(path))) if Path(file).is_file()]
            missing = f"no file {path}"
        if not found:
            raise DataError(missing)
        sources.extend(file for file in found if file not in sources)
    if not sources:
        raise ConfigError("nothing to scale was named; allowed: files, folders or patterns such as data/*.h5")
    return sources


def _is_table(file: Path, pattern: str) -> bool:
    # A pattern of the user's own may not pass over a file in silence.
    return pattern != "*" or (file.name.lower().endswith(SUFFIXES) and not file.name.startswith("."))


def _output_name(source: Path, suffix: str) -> str:
    ending = suffix_of(source)
    return source.name[: -len(ending)] + suffix + _WRITTEN_AS.get(ending, ending)


def _families(sources: Sequence[Path], params: FileScalingParams) -> list[_Family]:
    """Put each val and test file with the training file of the same name; a file without such a word stands alone."""
    if params.fit is not None:
        return [_Family("scaler", params.fit, tuple(sources))]
    grouped: dict[tuple[str, ...], list[Path]] = {}
    for source in sources:
        stem = source.name[: -len(suffix_of(source))]
        name = _PART.sub("", stem).strip(" ._-") if _PART.search(stem) else stem
        parted = "parts" if _PART.search(stem) else "alone"
        grouped.setdefault((str(source.parent), name, suffix_of(source), parted), []).append(source)
    families: list[_Family] = []
    for (_, name, _, parted), members in grouped.items():
        training = members if parted == "alone" else [file for file in members if _part(file).startswith("train")]
        if len(training) != 1:
            raise DataError(
                f"{', '.join(file.name for file in members)}: {len(training)} of them are training files; one is needed to fit on "
                "(its name says train), or name it with fit"
            )
        taken = [family.name for family in families]
        unique = name if name and name not in taken else f"{name or 'scaler'}-{len(families) + 1}"
        families.append(_Family(unique, training[0], tuple(members)))
    return families


def _part(file: Path) -> str:
    found = _PART.search(file.name)
    return found[1].lower() if found else ""


def _scaler(family: _Family, params: FileScalingParams) -> FileScaler:
    if params.fit is not None and params.fit.suffix == ".json":
        return FileScaler.load(params.fit)
    declared = params.fit is not None or _part(family.training).startswith("train")
    return FileScaler.fit(family.training, params, 1.0 if declared else params.fit_share)


def _refuse_outputs(outputs: Mapping[Path, Path], scalers: Sequence[Path], params: FileScalingParams) -> None:
    inputs = {source.resolve() for source in (*outputs, *([params.fit] if params.fit else []))}
    written: dict[Path, Path] = {}
    for source, output in outputs.items():
        if output.resolve() in inputs:
            raise ConfigError(f"{output} is an input and is never overwritten; allowed: another output_dir or suffix")
        if output in written:
            raise ConfigError(f"{written[output]} and {source} would both become {output}; allowed: files of different names")
        written[output] = source
    there = [path for path in (*written, *scalers) if path.exists() and path.resolve() not in inputs]
    if there and not params.force:
        raise ConfigError(f"{there[0]} is there already ({len(there)} such files); allowed: another output_dir or suffix, or force")


def _remarks(scaler: FileScaler, params: FileScalingParams) -> list[str]:
    scaled = {column for one in scaler.tables.values() for column in one.columns}
    touched = [column for column in BAR_COLUMNS if column in scaled]
    remarks: list[str] = []
    if touched:
        remarks.append(
            f"{', '.join(touched)} are scaled: costs and returns cannot be computed on these files, training refuses them"
        )
    if scaler.method != params.method:
        remarks.append(f"method is {scaler.method}, as {scaler.fitted_on['file']} was fitted, not {params.method}")
    return remarks


def _told(source: Path, output: Path, scaler: FileScaler, tables: Mapping[str, pd.DataFrame]) -> ScaledFile:
    columns = {key: list(scaler.tables[key].columns) for key in tables}
    return ScaledFile(source, output, str(scaler.fitted_on["file"]), {key: len(table) for key, table in tables.items()}, columns)


@contextmanager
def _stage(output_dir: Path) -> Generator[Path]:
    output_dir.parent.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(dir=output_dir.parent, prefix=f".{output_dir.name}-"))
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _publish(stage: Path, output_dir: Path) -> None:
    """Move every staged file to its place; where one move fails, all are taken back."""
    files = sorted(stage.iterdir())
    if not output_dir.exists():
        os.chmod(stage, 0o755)
        os.replace(stage, output_dir)
        return
    older = stage / ".older"
    older.mkdir()
    moved: list[Path] = []
    try:
        for file in files:
            target = output_dir / file.name
            if target.exists():
                os.replace(target, older / file.name)
            moved.append(target)
            os.replace(file, target)
    except OSError:
        for target in moved:
            target.unlink(missing_ok=True)
            if (older / target.name).exists():
                os.replace(older / target.name, target)
        raise
