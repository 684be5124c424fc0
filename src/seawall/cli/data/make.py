"""``seawall data synth``: bars where there are none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seawall.cli import options
from seawall.cli.data.words import listed, validated
from seawall.cli.output import out, print_json
from seawall.core.progress import progress_bars

if TYPE_CHECKING:
    from seawall.market.synthetic.config import SynthConfig

_FILE_BARS = 20_000
_HDF5 = (".h5", ".hdf5")
_TOLD = (
    "volatility_per_bar",
    "excess_kurtosis",
    "autocorrelation_1",
    "largest_autocorrelation",
    "absolute_autocorrelation_1",
    "absolute_autocorrelation_10",
    "absolute_autocorrelation_50",
)


Output = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FILE]", help="One file of bars: .parquet, .csv, .feather or .h5; a whole dataset where none is named."
    ),
]
Kind = Annotated[
    str,
    typer.Option(help="regimes, or a market of known answer: random_walk | planted_edge | indicator_edge | regime_edge | pair."),
]
Samples = Annotated[int | None, typer.Option("--num-samples", "--num_samples", "--bars", help="Number of bars.", min=100)]
Years = Annotated[float | None, typer.Option(help="Length in years of 365 days, in place of a number of bars.", min=0.01)]
Length = Annotated[str | None, typer.Option(help="Bar length, as in 15m.")]
Seed = Annotated[int | None, typer.Option(help="The same seed makes the same bars.", min=0)]
Config = Annotated[Path | None, typer.Option(help="JSON or YAML with any setting of the market; the command line wins over it.")]
OutputDir = Annotated[
    Path | None, typer.Option("--output-dir", "--output_dir", help="Folder for train, val and test parts of every timeframe.")
]
Hdf5 = Annotated[bool, typer.Option("--hdf5", help="Write the dataset as train_data.h5, val_data.h5, test_data.h5.")]
Indicators = Annotated[bool | None, typer.Option("--indicators/--no-indicators", help="Add technical indicator columns.")]
Labels = Annotated[bool | None, typer.Option("--labels/--no-labels", help="Write labels, in tables of their own.")]
Timeframes = Annotated[str | None, typer.Option(help="Timeframes of the dataset, as in 15m,4h,1d.")]
Symbols = Annotated[str | None, typer.Option(help="Several assets, as in AAA,BBB,CCC.")]
Correlation = Annotated[float | None, typer.Option(help="Correlation of the assets' shocks.")]
Process = Annotated[str | None, typer.Option(help="gbm | ou.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a dataset that is there.")]


def synth(
    output: Output = None,
    kind: Kind = "regimes",
    num_samples: Samples = None,
    years: Years = None,
    timeframe: Length = None,
    seed: Seed = None,
    config: Config = None,
    output_dir: OutputDir = None,
    hdf5: Hdf5 = False,
    indicators: Indicators = None,
    labels: Labels = None,
    timeframes: Timeframes = None,
    symbols: Symbols = None,
    correlation: Correlation = None,
    process: Process = None,
    force: Force = False,
    json: options.Json = False,
) -> None:
    """Make a synthetic market: five regimes with volatility clustering, or one whose best result is known.

    Examples:
        seawall data synth market.parquet

        seawall data synth --years 10 --timeframe 15m --output-dir data/synthetic_10y --hdf5 --seed 42

        seawall data synth noise.parquet --kind random_walk --bars 50000 --seed 7

        seawall data synth --config generation.json --output-dir data/synthetic --symbols AAA,BBB --correlation 0.6
    """
    given = {
        "n_bars": num_samples, "years": years, "timeframe": timeframe, "seed": seed, "process": process, "correlation": correlation,
        "output_dir": None if output_dir is None else str(output_dir), "include_indicators": indicators, "include_labels": labels,
        "timeframes": listed(timeframes) or None, "symbols": listed(symbols) or None,
    }  # fmt: skip
    if kind != "regimes":
        _known(kind, output, output_dir, given, config, json)
    elif output is not None:
        _one_file(output, given, config, json)
    else:
        _dataset(_resolved(given, config), hdf5=hdf5, force=force, json=json)


def _resolved(given: dict[str, Any], config: Path | None) -> SynthConfig:
    from seawall.core.errors import ConfigError
    from seawall.market.synthetic.config import SynthConfig, load_config, resolve

    if given["n_bars"] is not None and given["years"] is not None:
        raise ConfigError(f"--num-samples {given['n_bars']} and --years {given['years']:g} are both given; allowed: one of them")
    return resolve(SynthConfig(), given) if config is None else load_config(config, given)


def _one_file(output: Path, given: dict[str, Any], config: Path | None, json: bool) -> None:
    from seawall.core.errors import ConfigError
    from seawall.core.timeframe import Timeframe
    from seawall.market.formats.tables import write_tables
    from seawall.market.synthetic.dataset import with_indicators
    from seawall.market.synthetic.facts import regime_facts
    from seawall.market.synthetic.regimes import regime_bars

    unfit = [
        f"--{name.removeprefix('include_').replace('_', '-')}"
        for name in ("output_dir", "timeframes", "symbols", "include_labels")
        if given[name]
    ]
    if unfit:
        raise ConfigError(
            f"{', '.join(unfit)} make a dataset of several files, and {output} is one file; allowed: --output-dir in its place"
        )
    if config is None:
        length = None if given["n_bars"] or given["years"] else _FILE_BARS
        given = {**given, "n_bars": given["n_bars"] or length, "seed": given["seed"] or 0}
    settings = _resolved(given, config)
    if len(settings.assets.symbols) > 1 or settings.include_labels:
        raise ConfigError(
            f"{config} makes several tables (of assets, or of labels), and {output} is one file; allowed: --output-dir in its place"
        )
    market = regime_bars(settings, settings.seed)
    bars = market.bars
    if settings.include_indicators:
        bars = with_indicators(bars, _indicators(bars, Timeframe.parse(settings.timeframe)))
    write_tables(output, {f"/{settings.timeframe}" if output.suffix in _HDF5 else "": bars})
    facts = {
        "file": str(output),
        "kind": "regimes",
        "seed": settings.seed,
        "rows": len(market.bars),
        **regime_facts(market, settings),
    }
    if json:
        print_json(facts)
        return
    _print_facts(facts)
    failed = [name.replace("_", " ") for name, passed in facts["accepted"].items() if not passed]
    if failed:
        out.print(f"  not like a real market: {', '.join(failed)}")
    out.print(f"Train on it:  seawall train tradernet data={output}")


def _dataset(settings: SynthConfig, *, hdf5: bool, force: bool, json: bool) -> None:
    from seawall.market.synthetic.dataset import write_dataset

    folder = Path(settings.output_dir)
    with progress_bars() as bars:
        task = bars.add_task("synth", total=None, note="")

        def show(what: str, done: int, total: int) -> None:
            bars.update(task, completed=done, total=total, note=what)

        metadata = write_dataset(folder, settings, "hdf5" if hdf5 else "parquet", _indicators, show, force=force)
    if json:
        print_json({"folder": str(folder), **metadata, "facts": _facts_of(settings)})
        return
    rows = ", ".join(f"{parts['synthetic_dataset']:,} of {name}" for name, parts in metadata["rows_per_timeframe"].items())
    out.print(f"Wrote {len(settings.assets.symbols)} market(s) of {settings.n_bars:,} bars to {folder}: {rows}")
    for name in sorted(metadata["hashes"]):
        out.print(f"  {folder / name}")


def _facts_of(settings: SynthConfig) -> dict[str, Any]:
    from seawall.market.synthetic.assets import correlated_markets
    from seawall.market.synthetic.facts import regime_facts

    return {
        symbol: regime_facts(market, settings)
        for symbol, market in correlated_markets(settings, settings.assets, settings.seed).items()
    }


def _indicators(bars: Any, timeframe: Any) -> Any:
    import pandas as pd

    from seawall.features.pipeline import anchored_block
    from seawall.features.technical import technical_ohlcv

    columns = technical_ohlcv(())
    return pd.DataFrame(anchored_block(bars, columns, timeframe), columns=list(columns.columns))


def _known(kind: str, output: Path | None, output_dir: Path | None, given: dict[str, Any], config: Path | None, json: bool) -> None:
    from seawall.core.errors import ConfigError
    from seawall.core.timeframe import Timeframe
    from seawall.market.formats.tables import write_tables
    from seawall.market.synthetic.known_markets import known_kind

    found = known_kind(kind)
    unfit = [
        name for name in ("process", "correlation", "symbols", "timeframes", "include_indicators", "include_labels") if given[name]
    ]
    if unfit or config is not None:
        raise ConfigError(f"{'--config' if config else unfit[0]} is a setting of the kind regimes, not of {kind}")
    settings: dict[str, Any] = {"n_bars": given["n_bars"] or _FILE_BARS}
    if given["timeframe"] is not None:
        settings["timeframe"] = given["timeframe"]
    if given["years"] is not None:
        length = Timeframe.parse(settings.get("timeframe") or found.params.model_fields["timeframe"].default)
        settings["n_bars"] = round(given["years"] * 365 * 86_400 / length.seconds)
    params = validated(found.params, **settings)
    seed = given["seed"] or 0
    made = found.make(params, seed)
    paths = _paths(kind, output, output_dir, list(made.series), params.timeframe)
    if output is not None and output.suffix in _HDF5:
        write_tables(output, {f"/{symbol}/{params.timeframe}": bars for symbol, bars in made.series.items()})
    else:
        for (_symbol, bars), path in zip(made.series.items(), paths, strict=True):
            write_tables(path, {"": bars})
    facts = {
        "file": str(paths[0]),
        "files": [str(path) for path in paths],
        "kind": kind,
        "seed": seed,
        "rows": params.n_bars,
        **found.facts(params, made),
    }
    first = next(iter(facts["series"].values()))
    if json:
        print_json({**facts, **first})
        return
    _print_facts({**facts, **first})
    best, cost = 1e4 * facts["attainable_log_growth_per_bar"], 1e4 * facts["cost_per_unit"]
    out.print(f"  best attainable log growth a bar, after {cost:g} bps a unit traded: {best:.3f} bps")
    out.print(f"  what its informed trader earned here: {1e4 * facts['informed_log_growth_per_bar']:.3f} bps")
    out.print(f"Train on it:  seawall train tradernet data={paths[0]}")


def _paths(kind: str, output: Path | None, output_dir: Path | None, symbols: list[str], timeframe: str) -> list[Path]:
    from seawall.core.errors import ConfigError

    if (output is None) == (output_dir is None):
        raise ConfigError("where to write is not clear; allowed: one of FILE and --output-dir")
    if output_dir is not None:
        return [output_dir / f"synthetic_{symbol}_{timeframe}.parquet" for symbol in symbols]
    assert output is not None
    if len(symbols) > 1 and output.suffix not in _HDF5:
        raise ConfigError(
            f"{kind} makes {len(symbols)} series, and {output} holds one; allowed: a name that ends in .h5, or --output-dir"
        )
    return [output] * len(symbols)


def _print_facts(facts: dict[str, Any]) -> None:
    out.print(f"Wrote {facts['rows']:,} bars of a {facts['kind'].replace('_', ' ')} market to {facts['file']}")
    for name in _TOLD:
        out.print(f"  {name.replace('_', ' '):<28} {facts[name]:.4g}")
