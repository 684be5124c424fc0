"""``seawall data``: bars in, checked; made, where there are none; and what is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from seawall.cli import options
from seawall.cli.output import out, print_json, table

app = typer.Typer(help="Import, make, check and list bars.", no_args_is_help=True)

_LISTED = 10

File = Annotated[Path, typer.Argument(metavar="FILE", help="A parquet, CSV or feather file of bars.")]
Gaps = Annotated[
    str, typer.Option("--gaps", help="refuse | bridge (rows follow each other, nothing is invented) | fill (flat bars).")
]
BadBars = Annotated[str, typer.Option("--bad-bars", help="refuse | drop (into quarantine.parquet).")]


@app.command("import")
def import_file(
    file: File,
    source: Annotated[
        str | None, typer.Option(help="Where the bars are from, as in binance; read from the file's name otherwise.")
    ] = None,
    symbol: Annotated[str | None, typer.Option(help="As in BTCUSDT; read from the file's name otherwise.")] = None,
    timeframe: Annotated[str | None, typer.Option(help="As in 1h; measured from the timestamps otherwise.")] = None,
    bad_bars: BadBars = "refuse",
    overwrite: Annotated[bool, typer.Option(help="Replace a stored series that has other content.")] = False,
    data_dir: options.DataFolder = options.DATA,
    json: options.Json = False,
) -> None:
    """Check a file of bars and store it; gaps are kept and counted, and what to do about them is the recipe's choice.

    Examples:
        seawall data import btc.parquet

        seawall data import dump.csv --source binance --symbol BTCUSDT
    """
    from seawall.market.files import infer_identity, read_bars
    from seawall.market.quality import QualityParams, apply_quality
    from seawall.market.store import Store

    bars = read_bars(file, Path.cwd())
    bars, report = apply_quality(bars, _validated(QualityParams, gaps="bridge", bad_bars=bad_bars))
    named_source, named_symbol, _named_timeframe = infer_identity(file)
    _require_timeframe(timeframe, report.timeframe)
    stored = Store(data_dir).import_bars(
        bars, report, source=source or named_source, symbol=symbol or named_symbol, origin=file.name, overwrite=overwrite
    )
    reference = stored.folder.relative_to(data_dir).as_posix()
    if json:
        print_json({"reference": reference, "status": stored.status, **stored.manifest})
        return
    print_quality(reference, report.to_dict())
    out.print(f"{reference} is {stored.status}. Train on it:  seawall train tradernet data={reference}")


@app.command()
def check(file: File, json: options.Json = False) -> None:
    """Name every bad bar of a file, without storing anything. Exits with 2 where a bar is bad.

    Examples:
        seawall data check btc.parquet

        seawall data check btc.parquet --json
    """
    from seawall.market.files import read_bars
    from seawall.market.quality import check_bars

    report = check_bars(read_bars(file, Path.cwd()))
    facts = report.to_dict()
    if json:
        print_json(facts)
    else:
        print_quality(file.name, facts)
    if facts["bad"]:
        raise typer.Exit(2)


@app.command("list")
def list_series(data_dir: options.DataFolder = options.DATA, json: options.Json = False) -> None:
    """List the stored series.

    Examples:
        seawall data list
    """
    from seawall.market.store import Store

    manifests = Store(data_dir).list()
    if json:
        print_json({"series": manifests})
        return
    if not manifests:
        out.print(f"Nothing is stored under {data_dir.resolve()}. Import a file with:  seawall data import FILE")
        return
    rows = [(m["reference"], f"{m['rows']:,}", m["first"][:16], m["last"][:16], m["gaps"]) for m in manifests]
    out.print(table("", ("series", "bars", "first", "last", "gaps"), rows))


@app.command()
def synth(
    output: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write the bars: .parquet or .csv.")],
    kind: Annotated[str, typer.Option(help="regimes | planted_edge | random_walk.")] = "regimes",
    bars: Annotated[int, typer.Option(help="Number of bars.", min=100)] = 20_000,
    timeframe: Annotated[str | None, typer.Option(help="Bar length, as in 15m.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed makes the same file.", min=0)] = 0,
    json: options.Json = False,
) -> None:
    """Make a synthetic market and write its bars.

    Examples:
        seawall data synth market.parquet

        seawall data synth noise.parquet --kind random_walk --bars 50000 --seed 7
    """
    from seawall.market.files import write_bars
    from seawall.market.synthetic.facts import stylised_facts
    from seawall.market.synthetic.known import PlantedEdgeParams, planted_edge_bars
    from seawall.market.synthetic.regimes import RegimeParams, regime_bars

    settings: dict[str, Any] = {"n_bars": bars, **({} if timeframe is None else {"timeframe": timeframe})}
    if kind == "regimes":
        frame = regime_bars(_validated(RegimeParams, **settings), seed).bars
    elif kind in {"planted_edge", "random_walk"}:
        edge = {"edge": 0.0} if kind == "random_walk" else {}
        frame = planted_edge_bars(_validated(PlantedEdgeParams, **settings, **edge), seed).bars
    else:
        raise typer.BadParameter(f"{kind!r}; allowed: regimes, planted_edge, random_walk", param_hint="--kind")
    write_bars(frame, output)
    facts = {"file": str(output), "kind": kind, "seed": seed, "rows": len(frame), **stylised_facts(frame)}
    if json:
        print_json(facts)
        return
    out.print(f"Wrote {len(frame):,} bars of a {kind.replace('_', ' ')} market to {output}")
    for name in (
        "volatility_per_bar",
        "excess_kurtosis",
        "autocorrelation_1",
        "absolute_autocorrelation_1",
        "absolute_autocorrelation_50",
    ):
        out.print(f"  {name.replace('_', ' '):<28} {facts[name]:.4g}")
    out.print(f"Train on it:  seawall train tradernet data={output}")


def _validated(params: Any, **values: Any) -> Any:
    from pydantic import ValidationError

    from seawall.core.errors import ConfigError

    try:
        return params(**values)
    except ValidationError as error:
        problem = error.errors()[0]
        raise ConfigError(f"{'.'.join(map(str, problem['loc']))} is {problem['input']!r}: {problem['msg']}") from error


def _require_timeframe(wanted: str | None, measured: str) -> None:
    from seawall.core.errors import ConfigError
    from seawall.core.timeframe import Timeframe

    if wanted is not None and Timeframe.parse(wanted).label != measured:
        raise ConfigError(f"--timeframe is {wanted}, but the usual step between bars is {measured}")


def print_quality(name: str, facts: dict[str, Any]) -> None:
    """Print what a quality check found, in two lines and its remarks."""
    out.print(f"[bold]{name}[/]: {facts['rows']:,} bars of {facts['timeframe']}, {facts['first'][:16]} to {facts['last'][:16]} UTC")
    holes = f"{facts['gaps']} ({facts['missing']} bars missing, longest {facts['longest_gap_bars']} bars)"
    counts = ", ".join(
        f"{name.replace('_', ' ')} {facts[name]}" for name in ("zero_volume", "flat", "duplicates", "disorder", "bad")
    )
    out.print(f"  gaps {holes}, {counts}")
    for gap in facts["gap_places"][:_LISTED]:
        out.print(f"  gap after {gap['after'][:16]}: {gap['missing']} bars")
    if facts["gaps"] > _LISTED:
        out.print(f"  … and {facts['gaps'] - _LISTED} more gaps; --json lists them")
    for fault in facts["bad_bars"][:_LISTED]:
        out.print(f"  bad row {fault['row']}, {fault['timestamp'][:16]}: {fault['kind']} {fault['column']} {fault['value']}")
    if len(facts["bad_bars"]) > _LISTED:
        out.print(f"  … and more bad bars, {facts['bad']} in all; --json lists them")
    for note in facts["notes"]:
        out.print(f"  note: {note}")
