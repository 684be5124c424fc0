"""``seawall data synth``: bars where there are none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from seawall.cli import options
from seawall.cli.data.words import listed, train_on, validated
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
Samples = Annotated[int | None, typer.Option("--num-samples", "--num_samples", "--bars", help="Number of bars.", min=2)]
Years = Annotated[float | None, typer.Option(help="Length in years of 365 days, in place of a number of bars.")]
Length = Annotated[str | None, typer.Option(help="Bar length, as in 15m.")]
Seed = Annotated[int | None, typer.Option(help="The same seed makes the same bars.", min=0, max=2**63 - 1)]
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
Force = Annotated[bool, typer.Option("--force", help="Replace a file or dataset that is there.")]


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
    from seawall.core.errors import ConfigError

    given = {
        "n_bars": num_samples, "years": years, "timeframe": timeframe, "seed": seed, "process": process, "correlation": correlation,
        "output_dir": None if output_dir is None else str(output_dir), "include_indicators": indicators, "include_labels": labels,
        "timeframes": listed(timeframes) or None, "symbols": listed(symbols) or None,
    }  # fmt: skip
    if output is not None and hdf5:
        raise ConfigError(
            f"--hdf5 is a form of datasets, and {output} is one file; allowed: a FILE that ends in .h5, or --output-dir"
        )
    if num_samples is not None and years is not None:
        raise ConfigError(f"--num-samples {num_samples} and --years {years:g} are both given; allowed: one of them")
    if kind != "regimes":
        _known(kind, (output, output_dir), given, config, hdf5=hdf5, force=force, json=json)
    elif output is not None:
        _one_file(output, given, config, force=force, json=json)
    else:
        _dataset(_resolved(given, config), hdf5=hdf5, force=force, json=json)


def _resolved(given: dict[str, Any], config: Path | None) -> SynthConfig:
    from seawall.core.errors import ConfigError
    from seawall.market.synthetic.config import SynthConfig, load_config, resolve

    settings = resolve(SynthConfig(), given) if config is None else load_config(config, given)
    if given["correlation"] is not None and len(settings.assets.symbols) == 1:
        raise ConfigError(f"--correlation {given['correlation']:g} is of several assets; allowed beside it: --symbols AAA,BBB")
    return settings


def _one_file(output: Path, given: dict[str, Any], config: Path | None, *, force: bool, json: bool) -> None:
    from seawall.core.errors import ConfigError
    from seawall.core.files import refuse_replacing_file
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
    refuse_replacing_file(output, force=force)
    market = regime_bars(settings, settings.seed)
    bars = market.bars
    if settings.include_indicators:
        bars = with_indicators(bars, _indicators(bars, Timeframe.parse(settings.timeframe)))
    write_tables(output, {f"/{settings.timeframe}" if output.suffix.lower() in _HDF5 else "": bars})
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
    out.print(f"Train on it:  {escape(train_on(output))}")


def _dataset(settings: SynthConfig, *, hdf5: bool, force: bool, json: bool) -> None:
    from seawall.market.synthetic.dataset import write_dataset

    folder = Path(settings.output_dir)
    with progress_bars() as bars:
        task = bars.add_task("synth", total=None, note="")

        def show(what: str, done: int, total: int) -> None:
            bars.update(task, completed=done, total=total, note=what)

        metadata = write_dataset(folder, settings, "hdf5" if hdf5 else "parquet", _indicators, show, force=force)
    if json:
        print_json({"folder": str(folder), **metadata, **_facts_of(settings)})
        return
    rows = ", ".join(f"{parts['synthetic_dataset']:,} of {name}" for name, parts in metadata["rows_per_timeframe"].items())
    out.print(f"Wrote {len(settings.assets.symbols)} market(s) of {settings.n_bars:,} bars to {escape(str(folder))}: {rows}")
    for name in sorted(metadata["hashes"]):
        out.print(f"  {escape(str(folder / name))}")
    for note in metadata["notes"]:
        out.print(f"  note: {escape(note)}")


def _facts_of(settings: SynthConfig) -> dict[str, Any]:
    import numpy as np

    from seawall.market.synthetic.assets import correlated_markets
    from seawall.market.synthetic.facts import regime_facts

    markets = correlated_markets(settings, settings.assets, settings.seed)
    facts: dict[str, Any] = {"facts": {symbol: regime_facts(market, settings) for symbol, market in markets.items()}}
    if len(markets) > 1:
        returns = [np.diff(np.log(market.bars["close"].to_numpy())) for market in markets.values()]
        facts["correlation_of_returns"] = np.corrcoef(returns)
    return facts


def _indicators(bars: Any, _timeframe: Any) -> Any:
    """Return indicator columns from the first bar on, each empty until it has its bars."""
    import numpy as np
    import pandas as pd

    from seawall.features.sets.technical import technical_ohlcv

    columns = technical_ohlcv(())
    with np.errstate(divide="ignore", invalid="ignore"):
        return pd.DataFrame(columns(bars), columns=list(columns.columns))


def _known(
    kind: str,
    where: tuple[Path | None, Path | None],
    given: dict[str, Any],
    config: Path | None,
    *,
    hdf5: bool,
    force: bool,
    json: bool,
) -> None:
    from seawall.core.errors import ConfigError
    from seawall.core.files import refuse_replacing_file
    from seawall.core.timeframe import Timeframe
    from seawall.market.formats.tables import write_tables
    from seawall.market.synthetic.config_names import bars_of_years
    from seawall.market.synthetic.known_markets import known_kind

    found = known_kind(kind)
    regimes_alone = ("process", "correlation", "symbols", "timeframes", "include_indicators", "include_labels")
    unfit = [f"--{name.removeprefix('include_')}" for name in regimes_alone if given[name] is not None]
    unfit += [name for name, chosen in (("--config", config is not None), ("--hdf5", hdf5)) if chosen]
    if unfit:
        raise ConfigError(f"{', '.join(unfit)}: a setting of the kind regimes, not of {kind}")
    settings: dict[str, Any] = {"n_bars": given["n_bars"] or _FILE_BARS}
    if given["timeframe"] is not None:
        settings["timeframe"] = given["timeframe"]
    if given["years"] is not None:
        length = Timeframe.parse(settings.get("timeframe") or found.params.model_fields["timeframe"].default)
        settings["n_bars"] = bars_of_years(given["years"], length)
    params = validated(found.params, **settings)
    seed = given["seed"] or 0
    made = found.make(params, seed)
    output, output_dir = where
    paths = _paths(kind, output, output_dir, list(made.series), params.timeframe)
    for path in paths:
        refuse_replacing_file(path, force=force)
    if output is not None and output.suffix.lower() in _HDF5:
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
    held = ", ".join(f"{level:g}" for level in facts["levels"])
    out.print(f"  best attainable log growth a bar, holding {held}, after {cost:g} bps a unit traded: {best:.3f} bps")
    out.print(f"  what its informed trader earned here: {1e4 * facts['informed_log_growth_per_bar']:.3f} bps")
    out.print(f"Train on it:  {escape(train_on(paths[0]))}")


def _paths(kind: str, output: Path | None, output_dir: Path | None, symbols: list[str], timeframe: str) -> list[Path]:
    from seawall.core.errors import ConfigError

    if (output is None) == (output_dir is None):
        raise ConfigError("where to write is not clear; allowed: one of FILE and --output-dir")
    if output_dir is not None:
        return [output_dir / f"synthetic_{symbol}_{timeframe}.parquet" for symbol in symbols]
    assert output is not None
    if len(symbols) > 1 and output.suffix.lower() not in _HDF5:
        raise ConfigError(
            f"{kind} makes {len(symbols)} series, and {output} holds one; allowed: a name that ends in .h5, or --output-dir"
        )
    return [output] * len(symbols)


def _print_facts(facts: dict[str, Any]) -> None:
    out.print(f"Wrote {facts['rows']:,} bars of a {facts['kind'].replace('_', ' ')} market to {escape(facts['file'])}")
    for name in _TOLD:
        out.print(f"  {name.replace('_', ' '):<28} {facts[name]:.4g}")
