"""Writing what a recipe trains on, for other programs: bars and features, cut into training, validation and test parts.

::

    train_data.h5 val_data.h5 test_data.h5       keys /15m /4h /1d, each a table of pandas: pandas.read_hdf(file, "/15m")
    train_data.csv val_data.csv test_data.csv    the recipe's own bars
    dataset_metadata.json feature_scalers.json

The parts are the rows on which the recipe learns, chooses and judges, and the training part also holds the warmed-up rows before
them that the first window reaches back to. A longer bar belongs to a part where all of it does. Row t is known at the close of
its bar.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seawall.core.bars import timestamps_ms
from seawall.core.errors import ConfigError, DataError
from seawall.core.files import refuse_replacing, replacing_folder, write_json
from seawall.core.protocols import FeatureSet
from seawall.core.timeframe import Timeframe, iso_ms
from seawall.features.own import file_columns
from seawall.features.pipeline import compute_features, feature_hash
from seawall.features.registry import feature_set
from seawall.features.scaling.scaler import CLIP, Scaler
from seawall.market.formats.tables import SCALING, write_tables
from seawall.market.resample import resample
from seawall.recipes.dataset import Featured, featured
from seawall.recipes.schema import Recipe

METADATA = "dataset_metadata.json"
SCALERS = "feature_scalers.json"
USUAL_TIMEFRAMES = ("15m", "4h", "1d")
_KIND = "data export"
Parts = dict[str, pd.DataFrame]


@dataclass(frozen=True)
class _Exported:
    """One timeframe, cut into parts.

    Attributes:
        parts: Bars and features of the parts, by name.
        columns: The feature set, or None where there are bars alone.
        named: Name in the tables of each feature.
        scaler: Fitted on the training rows, or None where nothing was scaled.
    """

    parts: Parts
    columns: FeatureSet | None
    named: dict[str, str]
    scaler: Scaler | None


def export_hdf5(
    recipe: Recipe, data_root: Path, folder: Path, timeframes: Sequence[str], *, scaled: bool = False, force: bool = False
) -> dict[str, Any]:
    """Write a recipe's bars and features as HDF5 files, one a part, with a table a timeframe.

    Args:
        recipe: What to export.
        data_root: Folder of imported bars.
        folder: Where to; whole or not at all.
        timeframes: Keys beside the recipe's own timeframe, each a whole multiple of it; none named: those of `USUAL_TIMEFRAMES`
            that the bars can make.
        scaled: Add each feature scaled by the training rows, as ``<name>_scaled``.
        force: Replace an older export.

    Returns:
        The metadata, as written to ``dataset_metadata.json``, with ``files`` and ``notes``.

    Raises:
        ConfigError: A timeframe cannot be made of the recipe's bars, or HDF5 is not installed.
        DataError: The bars are missing, bad or too few, the folder holds something else, or the disk is full.
    """
    refuse_replacing(folder, METADATA, _KIND, force=force)
    made = featured(recipe, data_root)
    notes: list[str] = []
    exported = {made.timeframe: _own_timeframe(made, recipe, scaled)}
    for length in _longer(made.timeframe, timeframes):
        try:
            exported[length] = _longer_timeframe(made, length, recipe, notes, scaled=scaled)
        except DataError as error:
            if timeframes:
                raise
            notes.append(f"/{length.label} is left out: {error}")
    ordered = sorted(exported, key=lambda length: length.seconds)
    tables = {
        f"{part}_data.h5": {f"/{length.label}": exported[length].parts[part] for length in ordered}
        for part in ("train", "val", "test")
    }
    return _write(folder, tables, made, recipe, {length.label: exported[length] for length in ordered}, notes)


def export_csv(recipe: Recipe, data_root: Path, folder: Path, *, scaled: bool = False, force: bool = False) -> dict[str, Any]:
    """Write a recipe's own bars and features as CSV files, one a part; arguments, result and errors as for `export_hdf5`."""
    refuse_replacing(folder, METADATA, _KIND, force=force)
    made = featured(recipe, data_root)
    own = _own_timeframe(made, recipe, scaled)
    tables = {f"{part}_data.csv": {"": table} for part, table in own.parts.items()}
    return _write(folder, tables, made, recipe, {made.timeframe.label: own}, [])


def _longer(base: Timeframe, timeframes: Sequence[str]) -> list[Timeframe]:
    lengths = [Timeframe.parse(label) for label in timeframes or USUAL_TIMEFRAMES]
    fitting = [length for length in lengths if length.seconds > base.seconds and length.seconds % base.seconds == 0]
    unfit = [length.label for length in lengths if length not in fitting and length != base]
    if timeframes and unfit:
        raise ConfigError(f"bars of {base.label} make none of {', '.join(unfit)}; allowed: whole multiples of {base.label}")
    return list(dict.fromkeys(fitting))


def _own_timeframe(made: Featured, recipe: Recipe, scaled: bool) -> _Exported:
    split = made.split
    rows = {
        "train": slice(made.warmup, split.train.stop),
        "val": slice(split.validation.start, split.validation.stop),
        "test": slice(split.test.start, split.test.stop),
    }
    scaler = made.scaler(recipe.features.scaling) if scaled else None
    return _cut(made.bars, made.columns, made.block, rows, scaler)


def _longer_timeframe(made: Featured, length: Timeframe, recipe: Recipe, notes: list[str], *, scaled: bool) -> _Exported:
    bars, _ = resample(made.bars, made.timeframe, length)
    columns = _without_own(recipe)
    if columns is None:
        notes.append(f"/{length.label} holds bars alone: columns of your own file are known for its own bars only")
    block = np.zeros((len(bars), 0)) if columns is None else compute_features(bars, columns, length, np.float32)
    warmup = 0 if columns is None else columns.warmup
    rows = _rows_within(made, timestamps_ms(bars), length, warmup)
    scaler = None
    if scaled and columns is not None:
        scaler = Scaler.fit(block, rows["train"], columns.columns, recipe.features.scaling)
    return _cut(bars, columns, block, rows, scaler)


def _without_own(recipe: Recipe) -> FeatureSet | None:
    own = file_columns(recipe.features.columns)
    computed = tuple(name for name in recipe.features.columns if name not in own)
    if not recipe.features.sets and not computed:
        return None
    return feature_set(recipe.features.model_copy(update={"columns": computed, "timeframes": ()}))


def _rows_within(made: Featured, times: np.ndarray, length: Timeframe, warmup: int) -> dict[str, slice]:
    """Return the longer bars that lie in each part from their opening to their close."""
    base, split = timestamps_ms(made.bars), made.split
    starts = {"train": base[0], "val": base[split.validation.start], "test": base[split.test.start]}
    stops = {"train": split.train.stop, "val": split.validation.stop, "test": split.test.stop}
    rows: dict[str, slice] = {}
    for part, start in starts.items():
        end = base[stops[part] - 1] + made.timeframe.milliseconds
        first = int(np.searchsorted(times, start, side="left"))
        last = int(np.searchsorted(times + length.milliseconds, end, side="right"))
        first = max(first, warmup) if part == "train" else first
        if last <= first:
            raise DataError(f"{len(times)} bars of {length.label} leave none for {part}, after {warmup} to warm up")
        rows[part] = slice(first, last)
    return rows


def _cut(
    bars: pd.DataFrame, columns: FeatureSet | None, block: np.ndarray, rows: Mapping[str, slice], scaler: Scaler | None
) -> _Exported:
    names = () if columns is None else columns.columns
    named = {name: f"{name}_feature" if name in bars.columns else name for name in names}
    # The numbers that training reads, in the width in which a CSV gives them back.
    wide = block.astype(np.float64)
    features = pd.DataFrame({named[name]: wide[:, place] for place, name in enumerate(names)}, index=bars.index)
    tables = [bars, features]
    if scaler is not None:
        mapped = scaler.mapped(block)
        tables.append(pd.DataFrame({f"{named[name]}_scaled": mapped[:, place] for place, name in enumerate(names)}))
    whole = pd.concat(tables, axis=1)
    parts = {part: whole.iloc[chosen].reset_index(drop=True) for part, chosen in rows.items()}
    if scaler is not None:
        mark = _mark(scaler, named, bars)
        for table in parts.values():
            table.attrs[SCALING] = mark
    return _Exported(parts, columns, named, scaler)


def _mark(scaler: Scaler, named: Mapping[str, str], bars: pd.DataFrame) -> dict[str, Any]:
    first, stop = scaler.fitted_rows
    last = bars["timestamp"].iloc[stop - 1].isoformat()
    return {
        "method": scaler.kind,
        "columns": [f"{named[name]}_scaled" for name in scaler.columns],
        "fitted_on": {"file": "the training part", "rows": [first, stop], "last": last},
        "preserved": [str(name) for name in bars.columns],
        "clip": CLIP[scaler.kind] != CLIP["none"],
    }


def _write(
    folder: Path,
    tables: Mapping[str, Mapping[str, pd.DataFrame]],
    made: Featured,
    recipe: Recipe,
    exported: Mapping[str, _Exported],
    notes: Sequence[str],
) -> dict[str, Any]:
    metadata = {
        "creation_date": datetime.now(UTC).isoformat(timespec="seconds"),
        "recipe": recipe.name,
        **made.origin,
        "timeframes": list(exported),
        "rows_per_timeframe": {label: {part: len(table) for part, table in one.parts.items()} for label, one in exported.items()},
        "columns": {label: [str(name) for name in one.parts["train"].columns] for label, one in exported.items()},
        "features": {label: one.named for label, one in exported.items()},
        "feature_hashes": {label: one.columns and feature_hash(one.columns) for label, one in exported.items()},
        "omitted": list(recipe.features.omit),
        "trends": made.trends,
        "spans": {part: _span(table) for part, table in exported[made.timeframe.label].parts.items()},
        "purged_bars": made.split.purge,
        "quality": made.quality.to_dict(),
        "notes": [*made.notes, *notes],
    }
    scalers = {label: one.scaler.to_dict() for label, one in exported.items() if one.scaler is not None}
    with replacing_folder(folder) as temporary:
        for name, content in tables.items():
            write_tables(temporary / name, content)
        write_json(temporary / METADATA, metadata)
        if scalers:
            write_json(temporary / SCALERS, scalers)
    return {**metadata, "files": [str(folder / name) for name in (*tables, METADATA, *([SCALERS] if scalers else []))]}


def _span(table: pd.DataFrame) -> dict[str, Any]:
    times = timestamps_ms(table)
    return {"first": iso_ms(int(times[0])), "last": iso_ms(int(times[-1])), "bars": len(times)}
