"""A scaler of the tables of a file: fitted on the first rows of one file, saved, and applied to others.

Every scaled table says how it was scaled, under `seawall.market.formats.tables.SCALING` of its attributes, so that
nothing scales it twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from pydantic import Field

from seawall.core.bars import BAR_COLUMNS, OPTIONAL_COLUMNS
from seawall.core.errors import ConfigError, DataError
from seawall.core.files import read_json, write_json
from seawall.core.params import Params
from seawall.features.own import LABEL_PREFIX, TIME_COLUMNS
from seawall.features.scaling.scaler import Scaler, ScalingKind, offset_and_scale
from seawall.market.formats.columns import times
from seawall.market.formats.tables import SCALING, read_tables

_SCHEMA = 1


class FileScalingParams(Params):
    """Which columns of files are scaled, how, and by which rows."""

    method: Literal["minmax", "zscore", "robust"] = Field(default="minmax", description="How columns are scaled")
    columns: tuple[str, ...] = Field(default=(), description="Columns to scale; none named: every number but the preserved")
    preserve_columns: tuple[str, ...] = Field(
        default=(*BAR_COLUMNS, *OPTIONAL_COLUMNS), description="Columns that stay as they are, where a file has them"
    )
    suffix: str = Field(default="_normalized", pattern=r"^[\w.+=-]*$", description="Added to the name of each scaled file")
    file_pattern: str = Field(default="*", min_length=1, description="Which files of a folder are scaled, as in *.h5")
    fit: Path | None = Field(default=None, description="Training file, or saved scaler.json, to scale every file by")
    fit_share: float = Field(default=0.70, gt=0.0, le=1.0, description="Share of the first rows that a file alone is fitted on")
    clip: bool = Field(default=True, description="Clip values far outside the training range, as training does")
    recursive: bool = Field(default=False, description="Look into the folders of a folder too; their names are kept")
    force: bool = Field(default=False, description="Replace scaled files that are there already")


@dataclass(frozen=True)
class FileScaler:
    """One fitted scaler a table, with what must be the same in every file that it is applied to.

    Attributes:
        method: minmax, zscore or robust.
        tables: Scaler by key; ``""`` is the table of a file that has one.
        selected: Columns that were asked for; empty for every number but the preserved.
        preserved: Columns that stay as they are.
        clip: Whether values far outside the training range are clipped.
        fitted_on: File, and by key the rows and the last time that the scaler saw; JSON.
    """

    method: ScalingKind
    tables: dict[str, Scaler]
    selected: tuple[str, ...]
    preserved: tuple[str, ...]
    clip: bool
    fitted_on: dict[str, Any]

    @classmethod
    def fit(cls, path: Path, params: FileScalingParams, share: float) -> FileScaler:
        """Fit on the first rows of every table of a file; no later row is looked at but to refuse infinite values.

        Args:
            path: The training file.
            params: Columns and method.
            share: Share of the first rows that is fitted on.

        Raises:
            ConfigError: A column to scale is absent, preserved or a label.
            DataError: The file is scaled already or not in order of time, holds an infinite value, or a column has no number
                to be fitted on.
        """
        tables = _unscaled_tables(path)
        _refuse_absent(tables, params, path.name)
        scalers: dict[str, Scaler] = {}
        seen: dict[str, Any] = {}
        for key, table in tables.items():
            stop = max(1, int(len(table) * share + 1e-9))
            last = _last_time(table, stop, _origin(path.name, key))
            names = columns_to_scale(table, params.columns, params.preserve_columns)
            block = _block(table, names, _origin(path.name, key))
            scalers[key] = _fitted(block[:stop], names, params.method, _origin(path.name, key))
            seen[key] = {"rows": [0, stop], "last": last}
        if not any(scaler.columns for scaler in scalers.values()):
            raise DataError(
                f"{path.name} has no column to scale beside {', '.join(params.preserve_columns)}, times, text and labels"
            )
        fitted_on = {"file": path.name, "tables": seen}
        return cls(params.method, scalers, params.columns, params.preserve_columns, params.clip, fitted_on)

    def apply(self, path: Path) -> dict[str, pd.DataFrame]:
        """Read a file and scale its tables; NaN stays NaN, every other column stays as it is.

        Returns:
            Tables by key, each marked with how it was scaled.

        Raises:
            DataError: The file is scaled already, holds an infinite value, or has other tables or columns than the training file.
        """
        tables = _unscaled_tables(path)
        if sorted(self.tables) != sorted(tables):
            raise DataError(
                f"{path.name} has tables {_listed(tables)}; {self.fitted_on['file']}, which it is scaled by, has "
                f"{_listed(self.tables)}"
            )
        return {key: self._scaled(table, key, path.name) for key, table in tables.items()}

    def _scaled(self, table: pd.DataFrame, key: str, name: str) -> pd.DataFrame:
        scaler = self.tables[key]
        names = columns_to_scale(table, self.selected, self.preserved)
        if sorted(names) != sorted(scaler.columns):
            raise DataError(
                f"{_origin(name, key)} has columns {_listed(names)} to scale; {self.fitted_on['file']}, which it is scaled by, has "
                f"{_listed(scaler.columns)}"
            )
        exact = scaler.mapped(_block(table, scaler.columns, _origin(name, key)), clip=False)
        block = scaler.clipped(exact) if self.clip else exact
        outside = ((block != exact) & ~np.isnan(exact)).sum(axis=0)
        scaled = table.assign(**{column: block[:, index] for index, column in enumerate(scaler.columns)})
        scaled.attrs[SCALING] = {
            "method": self.method,
            "columns": list(scaler.columns),
            "fitted_on": {"file": self.fitted_on["file"], **self.fitted_on["tables"][key]},
            "preserved": [column for column in self.preserved if column in table.columns],
            "clip": self.clip,
            "clipped": {column: int(count) for column, count in zip(scaler.columns, outside, strict=True) if count},
        }
        return scaled

    def save(self, path: Path) -> None:
        """Write the scaler as JSON; `load` gives back every bit."""
        write_json(path, self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return the scaler as plain JSON values."""
        plain = {name: value for name, value in self.__dict__.items() if name != "tables"}
        return {"schema": _SCHEMA, **plain, "tables": {key: scaler.to_dict() for key, scaler in self.tables.items()}}

    @classmethod
    def load(cls, path: Path) -> FileScaler:
        """Read what `save` wrote.

        Raises:
            DataError: The file is missing, damaged or of another schema.
        """
        saved = read_json(path, "schema", "method", "tables", "selected", "preserved", "clip", "fitted_on")
        if saved["schema"] != _SCHEMA:
            raise DataError(f"{path} has schema {saved['schema']!r}; this version reads {_SCHEMA}")
        try:
            tables = {str(key): Scaler.from_dict(value) for key, value in saved["tables"].items()}
            kept = {name: tuple(str(column) for column in saved[name]) for name in ("selected", "preserved")}
            fitted_on = dict(saved["fitted_on"])
            told = [(entry["rows"], pd.Timestamp(entry["last"])) for entry in fitted_on["tables"].values()]
            whole = isinstance(fitted_on["file"], str) and sorted(fitted_on["tables"]) == sorted(tables) and len(told) > 0
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path} is damaged: {type(error).__name__}: {error}") from error
        if not whole:
            raise DataError(f"{path} is damaged: fitted_on does not say on what each of its tables was fitted")
        if saved["method"] not in get_args(FileScalingParams.model_fields["method"].annotation):
            raise DataError(f"{path} is damaged: method is {saved['method']!r}; allowed: minmax, zscore, robust")
        return cls(saved["method"], tables, kept["selected"], kept["preserved"], bool(saved["clip"]), fitted_on)


def columns_to_scale(table: pd.DataFrame, selected: Sequence[str], preserved: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of a table that are scaled: numbers, neither preserved nor times nor labels, of those selected if any are.

    Args:
        table: The table.
        selected: Columns asked for; none for all.
        preserved: Columns that stay as they are.
    """
    return tuple(
        str(name)
        for name in table.columns
        if pd.api.types.is_numeric_dtype(table[name])
        and not pd.api.types.is_bool_dtype(table[name])
        and name not in preserved
        and (not selected or name in selected)
        and not _is_time_or_label(str(name))
    )


def _is_time_or_label(name: str) -> bool:
    return name.lower().startswith(LABEL_PREFIX) or name.lower() in TIME_COLUMNS


def _unscaled_tables(path: Path) -> dict[str, pd.DataFrame]:
    tables = read_tables(path)
    for key, table in tables.items():
        if SCALING in table.attrs:
            told: Any = table.attrs[SCALING]
            raise DataError(
                f"{_origin(path.name, key)} is scaled already ({told['method']}, fitted on {told['fitted_on']['file']}); "
                "allowed: the file it was made of"
            )
        if not len(table):
            raise DataError(f"{_origin(path.name, key)} has no rows; at least one is needed")
    return tables


def _refuse_absent(tables: Mapping[str, pd.DataFrame], params: FileScalingParams, name: str) -> None:
    for column in params.columns:
        if _is_time_or_label(column):
            raise ConfigError(f"columns has {column}: times and labels ({LABEL_PREFIX}*) are never scaled")
        if column in params.preserve_columns:
            raise ConfigError(f"columns and preserve_columns both have {column}; allowed: one of them")
        held = [table[column] for table in tables.values() if column in table.columns]
        if not held:
            raise ConfigError(
                f"{name} has no column {column} to scale; it has {_listed(list(next(iter(tables.values())).columns))}"
            )
        if not any(column in columns_to_scale(table, params.columns, params.preserve_columns) for table in tables.values()):
            raise ConfigError(f"{name}: column {column} is {held[0].dtype}; only numbers are scaled")


def _last_time(table: pd.DataFrame, stop: int, origin: str) -> str | None:
    """Return the last time that is fitted on; "the first rows" means the oldest only where times ascend."""
    name = next((column for column in table.columns if str(column).lower() in TIME_COLUMNS), None)
    if name is None:
        return None
    moments, _ = times(table[name], str(name), origin)
    if not moments.is_monotonic_increasing:
        raise DataError(f"{origin} is not in order of {name}: its first rows are not the oldest; allowed: rows sorted by time")
    return moments.iloc[stop - 1].isoformat()


def _block(table: pd.DataFrame, names: Sequence[str], origin: str) -> np.ndarray:
    block = np.empty((len(table), len(names)))
    for index, name in enumerate(names):
        block[:, index] = table[name].to_numpy(np.float64, na_value=np.nan)
        infinite = np.flatnonzero(np.isinf(block[:, index]))
        if infinite.size:
            raise DataError(
                f"{origin} row {infinite[0]} has {name} = {block[infinite[0], index]} ({infinite.size} of {len(table)} rows); "
                "allowed: finite numbers, or an empty cell"
            )
    return block


def _fitted(training: np.ndarray, names: tuple[str, ...], method: ScalingKind, origin: str) -> Scaler:
    offset, scale = np.zeros(len(names)), np.ones(len(names))
    for index, name in enumerate(names):
        values = training[~np.isnan(training[:, index]), index]
        if not values.size:
            raise DataError(
                f"{origin} has no number in column {name} in its first {len(training)} rows; a scaler needs at least one. "
                "Allowed: preserve_columns with that column among them, or columns without it"
            )
        offset[index : index + 1], scale[index : index + 1] = offset_and_scale(values[:, None], method)
    return Scaler(method, names, offset, scale, (0, len(training)))


def _origin(name: str, key: str) -> str:
    return f"{name} {key}" if key else name


def _listed(names: Mapping[str, Any] | Sequence[str]) -> str:
    return ", ".join(str(name) or "(one)" for name in names) or "none"
