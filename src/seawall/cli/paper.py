"""``seawall paper``: trade a trained run without money."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from seawall.cli import options
from seawall.cli.output import number, out, percent, print_json
from seawall.core.errors import ConfigError
from seawall.core.progress import console, progress_bars

if TYPE_CHECKING:
    from pathlib import Path

    from seawall.core.run_folder import RunFolder
    from seawall.recipes.paper import PaperCase, Papered

_EVERY = 16

Recorded = Annotated[
    str,
    typer.Option(
        "--replay",
        metavar="FILE",
        help="Recorded bars: a file, a stored series such as binance/BTCUSDT/1h, or own for those that the run's recipe names.",
    ),
]
Start = Annotated[
    str,
    typer.Option(
        "--from", metavar="test|TIME", help="Where decisions begin: at the run's first test row, or at a day or time in UTC."
    ),
]
Check = Annotated[
    bool | None,
    typer.Option(
        "--check/--no-check", help="Exit with 1 where the ledger is not the backtest's; on where both cover the same bars."
    ),
]


def paper(
    run: options.RunReference,
    recorded: Recorded,
    overrides: options.Overrides = None,
    start: Start = "test",
    key: Annotated[str | None, typer.Option(help="Which table, where an HDF5 file has several, as in /15m.")] = None,
    check: Check = None,
    runtime: options.Runtime = "torch",
    runs: options.Runs = options.RUNS,
    data_dir: options.DataFolder = options.DATA,
    trust: options.Trust = False,
    json: options.Json = False,
) -> None:
    """Trade a run's ensemble on paper over recorded bars, told one at a time as a live feed would.

    At each close the features are computed of what is known by then, the one decision loop decides behind the run's guards, and
    the paper broker fills at the next open. The ledger is kept below the run, and compared with the backtest's row by row.

    Examples:
        seawall paper latest --replay own

        seawall paper latest --replay btc_1h.parquet

        seawall paper latest --replay binance/BTCUSDT/1h --from 2025-01-01 costs.taker_bps=20

        seawall paper latest --replay own --runtime onnx

        seawall paper latest --replay own --json
    """
    from seawall.core.run_folder import RunFolder
    from seawall.recipes.experiment import trust_run
    from seawall.recipes.families import is_portfolio_run
    from seawall.recipes.paper import PaperCase

    folder = RunFolder.find(runs, run)
    if trust:
        trust_run(folder)
    if is_portfolio_run(folder):
        if (start, key, overrides or []) != ("test", None, []):
            raise ConfigError("a portfolio is replayed from the first bar that it has not seen, as it is; allowed: --replay alone")
        _replay_portfolio(folder, recorded, data_dir, runtime, json=json)
        return
    result = _replay_with_bar(PaperCase(folder, recorded, key, start, tuple(overrides or ()), data_dir, runtime))
    if check and result.parity.equal is None:
        raise ConfigError(f"--check has nothing to compare {result.folder} with: {result.parity.words}")
    if json:
        print_json(result.facts)
    else:
        _tell(result.facts)
    checked = result.parity.whole if check is None else check
    if checked and result.parity.equal is False:
        raise typer.Exit(1)


def _replay_portfolio(run: RunFolder, recorded: str, data_dir: Path, runtime: Literal["torch", "onnx"], *, json: bool) -> None:
    from seawall.recipes.families import replayed

    with console.status("Trading the portfolio bar by bar"):
        parity = replayed(run, data_dir, recorded, runtime)
    if json:
        print_json({"run": str(run.path), "replayed": recorded, "parity": parity})
    else:
        verdict = "[green]ledger equals" if parity["equal"] else "[red]ledger differs from"
        out.print(f"{verdict} the backtest's[/]: {parity['rows']:,} rows")
    if not parity["equal"]:
        raise typer.Exit(1)


def _replay_with_bar(case: PaperCase) -> Papered:
    from seawall.recipes.paper import replay_run

    with progress_bars() as bars:
        task = bars.add_task(f"paper {case.run.path.parent.name}", total=None, note="")

        def show(done: int, total: int) -> None:
            if done % _EVERY == 0 or done == total:
                bars.update(task, completed=done, total=total)

        return replay_run(case, show)


def _tell(facts: dict[str, Any]) -> None:
    early = ", where the account was lost" if facts["ended_early"] else ""
    span = f"{facts['decisions']:,} decisions from {facts['first'][:16]} to {facts['last'][:16]}"
    out.print(f"{facts['symbol']} {facts['timeframe']} of {facts['replayed']}: {span}{early}", markup=False)
    out.print(
        f"  {facts['orders']:,} orders, {facts['trades']:,} trades, fees {number(facts['fees'])}, "
        f"equity {number(facts['initial_equity'])} to {number(facts['final_equity'])} ({percent(facts['total_return'])})",
        markup=False,
    )
    for note in facts["notes"]:
        out.print(f"  note: {note}", markup=False)
    _tell_parity(facts["parity"])
    out.print(f"Ledger: {facts['folder']}/ledger.parquet", markup=False)


def _tell_parity(parity: dict[str, Any]) -> None:
    if parity["equal"] is None:
        out.print(f"no backtest to compare with: {parity['words']}", markup=False)
    elif parity["equal"]:
        out.print(f"[green]ledger equals the backtest's: {parity['rows']:,} rows[/]")
    else:
        first = parity["difference"]
        out.print(
            f"[red]ledger differs from the backtest's[/], first at the bar of {first['time'][:16]}: "
            f"{first['column']} is {first['paper']!r}, and {first['backtest']!r} in the backtest"
        )
        out.print(f"  compared with {parity['words']}", markup=False)
