"""Scaling files by what the training rows showed: whole folders, all of them or none.

A file whose name says *train*, or the folder it lies in, is what the files of the same name in *val* and *test* are scaled by.
A file that stands alone is fitted on its first rows.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from seawall.core.bars import BAR_COLUMNS, OPTIONAL_COLUMNS
from seawall.core.errors import ConfigError, DataError, disk_errors
from seawall.features.scaling.file_scaler import FileScaler, FileScalingParams
from seawall.features.scaling.sources import Source, found_sources, with_something_to_scale
from seawall.market.formats.tables import SCALING, suffix_of, write_tables

_WRITTEN_AS = {".pq": ".parquet", ".ft": ".feather", ".csv.gz": ".csv", ".zip": ".csv", ".hdf": ".h5"}


@dataclass(frozen=True)
class _Family:
    """Files that are scaled by one scaler."""

    name: str
    training: Path
    members: tuple[Source, ...]
    declared: bool


@dataclass(frozen=True)
class ScaledFile:
    """One scaled file.

    Attributes:
        source: The file that was read.
        output: The file that was written.
        fitted_on: Name of the file whose rows the scaler saw.
        rows: Rows of each table, by key.
        columns: Scaled columns of each table, by key.
        method: How they were scaled.
        clipped: By key and column, values that lay far outside the training range and were clipped; none where it is 0.
    """

    source: Path
    output: Path
    fitted_on: str
    rows: dict[str, int]
    columns: dict[str, list[str]]
    method: str
    clipped: dict[str, dict[str, int]]


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
    result = ScalingResult()
    sources = with_something_to_scale(found_sources(targets, params), params, result.remarks)
    outputs = {source: output_dir / source.place / _output_name(source.path, params.suffix) for source in sources}
    families = _families(sources, params)
    saved = {family: output_dir / ("scaler.json" if len(families) == 1 else f"{family.name}.scaler.json") for family in families}
    _refuse_outputs({source.path: output for source, output in outputs.items()}, list(saved.values()), params)
    unknown = set(params.preserve_columns) - set(FileScalingParams().preserve_columns)
    with disk_errors(output_dir), _stage(output_dir) as stage:
        for family in families:
            scaler = _scaler(family, params)
            scaler.save(stage / saved[family].name)
            result.scalers.append(saved[family])
            result.remarks.extend(_remarks(scaler, params))
            for source in family.members:
                tables = scaler.apply(source.path)
                unknown -= {str(name) for table in tables.values() for name in table.columns}
                write_tables(stage / source.place / outputs[source].name, tables)
                result.files.append(_told(source.path, outputs[source], scaler, tables))
        if unknown:
            raise ConfigError(
                f"preserve_columns has {', '.join(sorted(unknown))}, which no file has; allowed: columns of the files"
            )
        _publish(stage, output_dir)
    result.remarks.extend(_clipping(result.files))
    return result


def _output_name(source: Path, suffix: str) -> str:
    ending = suffix_of(source)
    return source.name[: -len(ending)] + suffix + _WRITTEN_AS.get(ending, ending)


def _families(sources: Sequence[Source], params: FileScalingParams) -> list[_Family]:
    """Put each val and test file with the training file of the same name; a file without such a word stands alone."""
    if params.fit is not None:
        return [_Family("scaler", params.fit, tuple(sources), declared=True)]
    grouped: dict[tuple[str, str, bool], list[Source]] = {}
    for source in sources:
        grouped.setdefault((source.name, suffix_of(source.path), bool(source.part)), []).append(source)
    families: list[_Family] = []
    for (name, _, parted), members in grouped.items():
        training = members if not parted else [source for source in members if source.part == "train"]
        if len(training) != 1:
            raise DataError(
                f"{', '.join(str(source.place / source.path.name) for source in members)}: {len(training)} of them are training "
                "files; one is needed to fit on (its name, or that of its folder, says train), or name it with fit"
            )
        short, taken = name.rpartition("/")[2], [family.name for family in families]
        unique = short if short and short not in taken else f"{short or 'scaler'}-{len(families) + 1}"
        families.append(_Family(unique, training[0].path, tuple(members), declared=parted))
    return families


def _scaler(family: _Family, params: FileScalingParams) -> FileScaler:
    if params.fit is not None and params.fit.suffix.lower() == ".json":
        return FileScaler.load(params.fit)
    return FileScaler.fit(family.training, params, 1.0 if family.declared else params.fit_share)


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
    touched = [column for column in (*BAR_COLUMNS, *OPTIONAL_COLUMNS) if column in scaled]
    remarks: list[str] = []
    if set(touched) & set(BAR_COLUMNS):
        remarks.append(
            f"{', '.join(touched)} are scaled: costs and returns cannot be computed of these files, training refuses them"
        )
    elif touched:
        remarks.append(f"{', '.join(touched)} are scaled: features that are computed of them cannot be, and are left out")
    fit = params.fit
    if fit is None or fit.suffix.lower() != ".json":
        return remarks
    given = params.model_fields_set
    for name, told, held in (
        ("method", params.method, scaler.method),
        ("columns", params.columns, scaler.selected),
        ("preserve_columns", params.preserve_columns, scaler.preserved),
        ("clip", params.clip, scaler.clip),
    ):
        if name in given and told != held:
            raise ConfigError(f"{name} is {told!r}, and {fit} was fitted with {held!r}; allowed: no {name} beside fit={fit.name}")
    if "fit_share" in given:
        raise ConfigError(f"fit_share is {params.fit_share:g}, and {fit} is fitted already; allowed: no fit_share beside it")
    return remarks


def _clipping(files: Sequence[ScaledFile]) -> list[str]:
    counts = {file.output.name: sum(sum(one.values()) for one in file.clipped.values()) for file in files}
    return [
        f"{name}: {count:,} values lay far outside the training range and were clipped; clip=false keeps them"
        for name, count in counts.items()
        if count
    ]


def _told(source: Path, output: Path, scaler: FileScaler, tables: Mapping[str, pd.DataFrame]) -> ScaledFile:
    columns = {key: list(scaler.tables[key].columns) for key in tables}
    rows = {key: len(table) for key, table in tables.items()}
    clipped = {key: dict(table.attrs[SCALING]["clipped"]) for key, table in tables.items()}
    return ScaledFile(source, output, str(scaler.fitted_on["file"]), rows, columns, scaler.method, clipped)


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
    files = sorted(file for file in stage.rglob("*") if file.is_file())
    if not output_dir.exists():
        os.chmod(stage, 0o755)
        os.replace(stage, output_dir)
        return
    older = stage / ".older"
    older.mkdir()
    moved: list[Path] = []
    try:
        for file in files:
            target = output_dir / file.relative_to(stage)
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():
                (older / target.relative_to(output_dir)).parent.mkdir(parents=True, exist_ok=True)
                os.replace(target, older / target.relative_to(output_dir))
            moved.append(target)
            os.replace(file, target)
    except OSError:
        for target in moved:
            target.unlink(missing_ok=True)
            if (older / target.relative_to(output_dir)).exists():
                os.replace(older / target.relative_to(output_dir), target)
        raise
