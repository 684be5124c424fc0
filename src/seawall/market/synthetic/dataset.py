"""A made dataset on disk: training, validation and test parts, cut at the same instants on every timeframe and for every asset.

::

    train_data.h5 val_data.h5 test_data.h5       hdf5: keys /15m /4h /1d; several assets: /BTCUSDT/15m; labels: /15m_labels
    synthetic_dataset.h5                         the same, uncut
    train/ val/ test/ synthetic_dataset/         parquet: synthetic_<symbol>_<timeframe>.parquet; labels: labels/train/ ...
    dataset_metadata.json

A part's labels end where its own bars end, so that no label of the training part tells of the validation part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from seawall.core.bars import from_milliseconds, timestamps_ms
from seawall.core.errors import ConfigError, DataError
from seawall.core.files import array_digest, digest, refuse_replacing, replacing_folder, write_json
from seawall.core.timeframe import Timeframe
from seawall.market.formats.tables import write_tables
from seawall.market.resample import grid_phase, resample
from seawall.market.synthetic.assets import correlated_markets
from seawall.market.synthetic.config import SynthConfig
from seawall.market.synthetic.labels import LABEL_PREFIX, label_table
from seawall.market.synthetic.regimes import REGIME_NAMES, RegimeMarket

METADATA = "dataset_metadata.json"
WHOLE = "synthetic_dataset"
PARTS = ("train", "val", "test")
_LEAST_BARS = 2
# Share of the training rows in which an indicator must have a number.
_LEAST_KNOWN = 0.5
Format = Literal["parquet", "hdf5"]
Indicators = Callable[[pd.DataFrame, Timeframe], pd.DataFrame]
Tables = dict[str, pd.DataFrame]


@dataclass(frozen=True)
class _Cuts:
    """Opening times, in milliseconds, of the first bar of the validation part and of the test part."""

    validation: int
    test: int

    def rows(self, times: np.ndarray) -> dict[str, slice]:
        first, second = (int(row) for row in np.searchsorted(times, [self.validation, self.test]))
        return {
            WHOLE: slice(0, len(times)),
            "train": slice(0, first),
            "val": slice(first, second),
            "test": slice(second, len(times)),
        }


def write_dataset(
    folder: Path,
    config: SynthConfig,
    format: Format = "parquet",
    indicators: Indicators | None = None,
    on_progress: Callable[[str, int, int], None] | None = None,
    *,
    force: bool = False,
) -> dict[str, Any]:
    """Make the markets of a configuration and write them, whole or not at all.

    Args:
        folder: Where to. It must not exist, unless `force` replaces an older dataset.
        config: Market, assets, timeframes, parts and what to include.
        format: parquet: one file a part, symbol and timeframe; hdf5: one file a part. Either has the same bytes for the same
            configuration.
        indicators: Takes a bar frame and its timeframe, and returns indicator columns row for row, each known at the close of its
            bar. Needed where the configuration includes indicators.
        on_progress: Told what is done, how many steps are, and of how many.
        force: Replace a folder that holds a dataset.

    Returns:
        The metadata, as written to ``dataset_metadata.json``: creation_date, format, symbols, timeframes, rows_per_timeframe, cuts,
        columns, regimes, seed, config, ``notes`` in plain words, and per file the hashes of its bytes and of each table's content.

    Raises:
        ConfigError: Indicators are asked for without a way to compute them, or their columns cannot be used.
        DataError: The folder exists, the bars are too few to share out, or the disk is full.
    """
    if config.include_indicators and indicators is None:
        raise ConfigError("include_indicators is true, and no indicators were given to compute; allowed: give them, or false")
    refuse_replacing(folder, METADATA, "made dataset", force=force)
    tell = on_progress or _unheard
    steps = len(config.assets.symbols) + len(PARTS) + 1
    markets = correlated_markets(config, config.assets, config.seed)
    parts: dict[str, Tables] = {name: {} for name in (*PARTS, WHOLE)}
    cuts = _cuts(config)
    notes: dict[str, None] = {}
    for done, symbol in enumerate(config.assets.symbols):
        bars = _bars_by_timeframe(markets[symbol].bars, config)
        computed = indicators if config.include_indicators else None
        told = _add_symbol(parts, symbol, bars, markets.pop(symbol), cuts, config, computed)
        notes.update(dict.fromkeys(told))
        tell(f"made {symbol}", done + 1, steps)
    with replacing_folder(folder) as temporary:
        files: dict[str, Any] = {}
        for done, (part, tables) in enumerate(parts.items(), start=len(config.assets.symbols)):
            files.update(_write_part(temporary, part, tables, config, format))
            tell(f"wrote {part}", done + 1, steps)
        metadata = {"creation_date": datetime.now(UTC).isoformat(timespec="seconds"), "format": format}
        metadata |= _describe(parts, cuts, config) | {"notes": list(notes), "hashes": files}
        write_json(temporary / METADATA, metadata)
    return metadata


def _unheard(_what: str, _done: int, _total: int) -> None:
    """Tell nobody."""


def _bars_by_timeframe(bars: pd.DataFrame, config: SynthConfig) -> dict[Timeframe, pd.DataFrame]:
    base = Timeframe.parse(config.timeframe)
    return {length: bars if length == base else resample(bars, base, length, partial="drop")[0] for length in config.lengths()}


def _cuts(config: SynthConfig) -> _Cuts:
    """Cut where a bar of the longest timeframe opens, at or before the share of the time, so that no bar lies across a cut."""
    longest = config.lengths()[-1]
    times = timestamps_ms(pd.DataFrame({"timestamp": config.timestamps()}))
    span = config.n_bars * Timeframe.parse(config.timeframe).milliseconds
    wanted = [int(times[0]) + round(span * share) for share in (config.split.train, config.split.train + config.split.validation)]
    return _Cuts(*(when - (when - grid_phase(longest)) % longest.milliseconds for when in wanted))


def _refuse_thin_parts(rows: Mapping[str, slice], length: Timeframe, config: SynthConfig) -> None:
    for part, where in rows.items():
        count = where.stop - where.start
        if count < _LEAST_BARS:
            raise DataError(
                f"{config.n_bars} bars of {config.timeframe} leave {count} bars of {length.label} for {part}; "
                f"allowed: at least {_LEAST_BARS} in each part, so more bars or shorter timeframes"
            )


def _add_symbol(
    parts: Mapping[str, Tables],
    symbol: str,
    bars: Mapping[Timeframe, pd.DataFrame],
    market: RegimeMarket,
    cuts: _Cuts,
    config: SynthConfig,
    indicators: Indicators | None,
) -> list[str]:
    """Add one symbol's tables to every part; return what the user should know."""
    notes: list[str] = []
    base_times = timestamps_ms(market.bars)
    for length, frame in bars.items():
        ranges = cuts.rows(timestamps_ms(frame))
        _refuse_thin_parts(ranges, length, config)
        table = frame
        if indicators is not None:
            columns = indicators(frame, length)
            known = columns.iloc[ranges["train"]].notna().mean()
            empty = [str(name) for name in columns.columns if known[name] < _LEAST_KNOWN]
            if empty:
                notes.append(f"{length.label}: {len(frame):,} bars are too few for {', '.join(empty)}, left out")
            table = with_indicators(frame, columns.drop(columns=empty))
        for part, rows in ranges.items():
            parts[part][_key(symbol, length, config)] = table.iloc[rows].reset_index(drop=True)
            if config.include_labels:
                own = frame.iloc[rows].reset_index(drop=True)
                labels = label_table(own, length, config.labels, base_times, market.regimes)
                parts[part][_key(symbol, length, config) + "_labels"] = labels
    return notes


def with_indicators(bars: pd.DataFrame, columns: pd.DataFrame) -> pd.DataFrame:
    """Return bars with indicator columns beside them, row for row.

    Raises:
        ConfigError: An indicator has the name of a bar column or of a label, or another number of rows.
    """
    refused = [name for name in columns.columns if name in bars.columns or str(name).startswith(LABEL_PREFIX)]
    if refused:
        raise ConfigError(
            f"indicators hold {', '.join(map(str, refused))}; allowed: names of no bar column, not starting {LABEL_PREFIX}"
        )
    if len(columns) != len(bars):
        raise ConfigError(f"indicators have {len(columns)} rows for {len(bars)} bars; allowed: one row a bar")
    return pd.concat([bars.reset_index(drop=True), columns.reset_index(drop=True)], axis=1)


def _key(symbol: str, length: Timeframe, config: SynthConfig) -> str:
    return f"/{length.label}" if len(config.assets.symbols) == 1 else f"/{symbol}/{length.label}"


def _write_part(folder: Path, part: str, tables: Tables, config: SynthConfig, format: Format) -> dict[str, Any]:
    if format == "hdf5":
        held = {f"{part}.h5" if part == WHOLE else f"{part}_data.h5": tables}
    else:
        held = {_parquet_name(part, key, config): {"": table} for key, table in tables.items()}
    files: dict[str, Any] = {}
    for name, content in held.items():
        write_tables(folder / name, content)
        with open(folder / name, "rb") as handle:
            bytes_hash = hashlib.file_digest(handle, "sha256").hexdigest()
        files[name] = {"sha256": bytes_hash, "tables": {key: table_digest(table) for key, table in content.items()}}
    return files


def _parquet_name(part: str, key: str, config: SynthConfig) -> str:
    *symbol, name = key.strip("/").split("/")
    length, _, labels = name.partition("_")
    stem = f"synthetic_{(symbol or config.assets.symbols)[0]}_{length}"
    return f"labels/{part}/{stem}_labels.parquet" if labels else f"{part}/{stem}.parquet"


def table_digest(table: pd.DataFrame) -> str:
    """Return a content hash over the names and values of a table's columns, independent of how it was stored.

    Args:
        table: A column ``timestamp`` of UTC times, and columns of numbers.
    """
    names = [str(name) for name in table.columns]
    values = [timestamps_ms(table) if name == "timestamp" else table[name].to_numpy() for name in names]
    return digest([names, array_digest(*values)])


def _describe(parts: Mapping[str, Tables], cuts: _Cuts, config: SynthConfig) -> dict[str, Any]:
    symbol = config.assets.symbols[0]
    lengths = config.lengths()
    keys = {length.label: _key(symbol, length, config) for length in lengths}
    first = parts[WHOLE][keys[lengths[0].label]]
    labels = parts[WHOLE].get(keys[lengths[0].label] + "_labels")
    return {
        "symbols": list(config.assets.symbols),
        "timeframes": list(keys),
        "rows_per_timeframe": {label: {part: len(tables[key]) for part, tables in parts.items()} for label, key in keys.items()},
        "cuts": {
            name: from_milliseconds(np.array([when]))[0].isoformat()
            for name, when in (("validation", cuts.validation), ("test", cuts.test))
        },
        "columns": {
            "bars": [str(name) for name in first.columns],
            "labels": [] if labels is None else [str(name) for name in labels.columns],
        },
        "regimes": list(REGIME_NAMES),
        "seed": config.seed,
        "config": config.model_dump(mode="json"),
    }
