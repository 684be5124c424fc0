"""``seawall data resample``, ``align`` and ``export``: other forms of bars that are there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer
from rich.markup import escape

from seawall.cli import options
from seawall.cli.data.words import listed, stored_document
from seawall.cli.output import out, print_json, table

if TYPE_CHECKING:
    import pandas as pd

    from seawall.core.timeframe import Timeframe

Stored = Annotated[str, typer.Argument(metavar="SERIES", help="A stored series, as in binance/BTCUSDT/5m.")]
Many = Annotated[list[str], typer.Argument(metavar="SERIES...", help="Stored series of one timeframe, or files of them.")]


def resample(
    series: Stored,
    to: Annotated[str, typer.Option("--to", help="Longer timeframes, as in 15m,1h,4h.")],
    partial: Annotated[str, typer.Option(help="keep | drop longer bars of which shorter ones are missing.")] = "keep",
    overwrite: Annotated[bool, typer.Option(help="Replace stored series of that name that have other content.")] = False,
    data_dir: options.DataFolder = options.DATA,
    json: options.Json = False,
) -> None:
    """Make longer bars out of a stored series and store them, each with a manifest of its own.

    Examples:
        seawall data resample binance/BTCUSDT/5m --to 15m,1h,4h
    """
    from seawall.core.errors import ConfigError
    from seawall.core.timeframe import Timeframe
    from seawall.market.checks.quality import QualityParams, apply_quality
    from seawall.market.resample import resample as make
    from seawall.market.storage.store import Store

    if partial not in ("keep", "drop"):
        raise ConfigError(f"--partial is {partial!r}; allowed: keep, drop")
    lengths = [Timeframe.parse(label) for label in listed(to)]
    if not lengths:
        raise ConfigError("--to names no timeframe; allowed: one or several, as in 15m,1h")
    store = Store(data_dir)
    bars, manifest = store.load(series)
    made = [
        make(bars, Timeframe.parse(manifest["timeframe"]), length, partial=cast(Literal["keep", "drop"], partial))
        for length in lengths
    ]
    ready = [(*apply_quality(longer, QualityParams(gaps="bridge"), Timeframe.parse(facts["to"])), facts) for longer, facts in made]
    named = {"source": manifest["source"], "symbol": manifest["symbol"]}
    for longer, report, _ in ready:
        # All are refused before one is stored.
        store.refuse_other(longer, report, **named, overwrite=overwrite)
    documents: list[dict[str, Any]] = []
    for longer, report, facts in ready:
        origin = {"derived_from": series, "content_hash": manifest["content_hash"], "resampled": facts}
        stored = store.import_bars(longer, report, **named, origin=series, provenance=origin, overwrite=overwrite)
        documents.append(stored_document(stored, data_dir))
    if json:
        print_json({"series": documents})
        return
    for document in documents:
        facts = document["provenance"]["resampled"]
        count = facts["partial_bars"]
        told = (
            f"{count} more left out for bars missing inside" if facts["partial"] == "drop" else f"{count} with bars missing inside"
        )
        whole = f", {told}" if count else ""
        out.print(f"{document['reference']} is {document['status']}: {document['rows']:,} bars{whole}")


def align(
    series: Many,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File of the panel, one row a time and symbol: .parquet, .feather or .csv.")
    ],
    rule: Annotated[
        str, typer.Option(help="intersection: bars that all have; forward_fill: all, missing ones flat and marked stale.")
    ] = "intersection",
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there, other than one that is read.")] = False,
    data_dir: options.DataFolder = options.DATA,
    json: options.Json = False,
) -> None:
    """Put several series on one clock.

    Examples:
        seawall data align binance/BTCUSDT/1h binance/ETHUSDT/1h --output panel.parquet

        seawall data align binance/BTCUSDT/1h binance/SOLUSDT/1h --rule forward_fill --output panel.parquet
    """
    from seawall.core.errors import ConfigError
    from seawall.core.files import refuse_replacing_file
    from seawall.market.formats.tables import write_tables
    from seawall.market.panel import align as make

    if output.suffix.lower() not in (".parquet", ".feather", ".csv"):
        raise ConfigError(f"a panel cannot be written to {output.name}; allowed: a name that ends in .parquet, .feather or .csv")
    refuse_replacing_file(output, force=force)
    frames, timeframe, read = _frames(series, data_dir)
    if output.resolve() in read:
        raise ConfigError(f"{output} is one of the files that are read, and is never replaced; allowed: another name")
    panel = make(frames, timeframe, cast(Any, rule))
    write_tables(output, {"": panel.to_frame()})
    facts = {"file": str(output), **panel.facts}
    if json:
        print_json(facts)
        return
    out.print(f"Wrote {len(panel.timestamps):,} bars of {len(panel.symbols)} symbols to {escape(str(output))}, by the rule {rule}")
    stale = panel.stale.sum(axis=1)
    rows = [(name, f"{len(frames[name]):,}", f"{count:,}") for name, count in zip(panel.symbols, stale, strict=True)]
    out.print(table("", ("symbol", "bars", "stale in the panel"), rows))


def export(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE|SERIES", help="A recipe, for its bars and features; or a stored series, for its bars.")
    ],
    overrides: options.Overrides = None,
    plugin: options.Plugins = None,
    hdf5: Annotated[Path | None, typer.Option("--hdf5", help="Folder for train_data.h5, val_data.h5 and test_data.h5.")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Folder for CSV files of a recipe; a file for a stored series.")] = None,
    timeframes: Annotated[
        str | None, typer.Option(help="Keys of the HDF5 files beside the recipe's own; 15m, 4h and 1d as far as its bars go.")
    ] = None,
    scaled: Annotated[bool, typer.Option("--scaled", help="Add the features scaled by the training rows, as NAME_scaled.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an export that is there.")] = False,
    data_dir: options.DataFolder = options.DATA,
    json: options.Json = False,
) -> None:
    """Write bars and features for other programs: pandas reads the HDF5 files by the keys /15m, /4h and /1d.

    Examples:
        seawall data export tradernet --hdf5 exported

        seawall data export tradernet data=binance/BTCUSDT/15m --csv exported

        seawall data export binance/BTCUSDT/1h --csv btc.csv
    """
    from seawall.core.errors import ConfigError, DataError
    from seawall.market.storage.store import Store

    if (hdf5 is None) == (csv is None):
        raise ConfigError("where to export to is not clear; allowed: one of --hdf5 and --csv")
    if csv is not None and timeframes is not None:
        raise ConfigError(
            "--timeframes names keys of HDF5 files, and --csv writes the recipe's own bars; allowed: --hdf5 beside it"
        )
    if Store(data_dir).has(recipe):
        unfit = [name for name, value in (("--scaled", scaled), ("--timeframes", timeframes), ("overrides", overrides)) if value]
        if unfit:
            raise ConfigError(f"{', '.join(unfit)} change a recipe's export, and {recipe} is a stored series; allowed: a recipe")
        facts = _export_series(recipe, hdf5, csv, force, data_dir)
    elif recipe.count("/") == 2 and not Path(recipe).exists() and Path(recipe).suffix.lower() not in (".yaml", ".yml", ".json"):
        stored = ", ".join(str(entry["reference"]) for entry in Store(data_dir).list()) or "nothing"
        raise DataError(f"no stored series {recipe!r} under {data_dir}, and no recipe of that name; stored: {stored}")
    else:
        facts = _export_recipe(recipe, list(overrides or ()), list(plugin or ()), (hdf5, csv), timeframes, scaled, force, data_dir)
    if json:
        print_json(facts)
        return
    for name in facts["files"]:
        out.print(f"wrote {name}")
    for note in facts.get("notes", ()):
        out.print(f"  note: {note}")


def _export_series(reference: str, hdf5: Path | None, csv: Path | None, force: bool, data_dir: Path) -> dict[str, Any]:
    from seawall.core.errors import ConfigError
    from seawall.core.files import refuse_replacing_file
    from seawall.market.formats.tables import write_tables
    from seawall.market.storage.store import Store

    bars, manifest = Store(data_dir).load(reference)
    target = csv if csv is not None else hdf5
    assert target is not None
    allowed = (".csv",) if csv is not None else (".h5", ".hdf5")
    if target.suffix not in allowed:
        raise ConfigError(f"{target} is to hold one series; allowed: a file that ends in {' or '.join(allowed)}")
    refuse_replacing_file(target, force=force)
    write_tables(target, {"" if csv is not None else f"/{manifest['timeframe']}": bars})
    return {"files": [str(target)], "rows": len(bars), "reference": reference}


def _export_recipe(
    reference: str,
    overrides: list[str],
    plugins: list[Path],
    folders: tuple[Path | None, Path | None],
    timeframes: str | None,
    scaled: bool,
    force: bool,
    data_dir: Path,
) -> dict[str, Any]:
    from seawall.recipes.export import export_csv, export_hdf5
    from seawall.recipes.schema import load_recipe

    recipe = load_recipe(reference, overrides, plugins)
    hdf5, csv = folders
    if hdf5 is not None:
        return export_hdf5(recipe, data_dir, hdf5, listed(timeframes), scaled=scaled, force=force)
    assert csv is not None
    return export_csv(recipe, data_dir, csv, scaled=scaled, force=force)


def _frames(targets: list[str], data_dir: Path) -> tuple[dict[str, pd.DataFrame], Timeframe, set[Path]]:
    from seawall.core.errors import ConfigError, DataError
    from seawall.core.timeframe import Timeframe
    from seawall.market.checks.quality import QualityParams, apply_quality
    from seawall.market.sources.files import find_series
    from seawall.market.storage.store import Store

    store = Store(data_dir)
    frames: dict[str, pd.DataFrame] = {}
    lengths: dict[str, str] = {}
    read: set[Path] = set()
    for target in targets:
        if not Path(target).is_file() and store.has(target):
            bars, manifest = store.load(target)
            found = [(manifest["symbol"], bars, manifest["timeframe"])]
        else:
            found = []
            for series in find_series([target]):
                bars, report = apply_quality(series.read(), QualityParams(gaps="bridge"))
                read.update(path.resolve() for path in series.paths)
                found.append((series.symbol, bars, report.timeframe))
        for symbol, bars, length in found:
            if symbol in frames:
                raise ConfigError(f"{symbol} is named twice; allowed: each symbol once")
            frames[symbol], lengths[symbol] = bars, length
    if len(set(lengths.values())) != 1:
        told = ", ".join(f"{symbol} {length}" for symbol, length in lengths.items())
        raise DataError(f"series of different timeframes share no clock: {told}; allowed: one timeframe")
    return frames, Timeframe.parse(next(iter(lengths.values()))), read
