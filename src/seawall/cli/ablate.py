"""``seawall ablate``: what each guard of a trained run does to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from seawall.cli import options
from seawall.cli.output import number, out, percent, print_json, share, table
from seawall.core.errors import ConfigError
from seawall.core.progress import console, progress_bars

if TYPE_CHECKING:
    from seawall.recipes.ablation import Ablation

Guards = Annotated[
    list[str] | None,
    typer.Option("--guard", metavar="NAME[.KEY=VALUE]", help="A guard beside the recipe's own; may be given again."),
]
Checkpoint = Annotated[
    str, typer.Option(help="Weights: best by validation, last, or those after a number of steps that were kept.")
]


def ablate(
    run: options.RunReference,
    overrides: options.Overrides = None,
    guards: Guards = None,
    plugins: options.Plugins = None,
    checkpoint: Checkpoint = "best",
    runs: options.Runs = options.RUNS,
    data_dir: options.DataFolder = options.DATA,
    trust: options.Trust = False,
    json: options.Json = False,
) -> None:
    """Judge a run's policies on its test rows with no guard, each guard alone, all but each, and all.

    Every figure comes with a bootstrap interval, its paired difference from no guard, and its spread over the seeds. Ctrl-C stops
    safely; the same command goes on.

    Examples:
        seawall ablate latest

        seawall ablate latest guards.n_consecutive.mode=confirm costs.taker_bps=70

        seawall ablate latest --guard n_consecutive.n=3

        seawall ablate latest --json
    """
    from seawall.core.fan_out import Interrupted
    from seawall.core.run_folder import RunFolder
    from seawall.recipes.ablation import Ablation, guards_named
    from seawall.recipes.experiment import trust_run
    from seawall.recipes.families import is_portfolio_run
    from seawall.recipes.judging import Case

    folder = RunFolder.find(runs, run)
    if trust:
        trust_run(folder)
    if is_portfolio_run(folder):
        raise ConfigError(f"{folder.path} is a run of a portfolio, which has no guards; allowed: a run of one series")
    case = Case(folder, tuple(overrides or ()), data_dir, checkpoint)
    ablation = Ablation(case, guards_named(guards or []), tuple(path.resolve() for path in plugins or ()))
    try:
        document = _with_bars(ablation)
    except Interrupted:
        console.print("Stopped; policies that were walked whole are kept. The same command goes on.", soft_wrap=True)
        raise
    if json:
        print_json(document)
    else:
        _tell(document)


def _with_bars(ablation: Ablation) -> dict[str, Any]:
    from seawall.recipes.ablation import ablate as run_ablation

    with progress_bars() as bars:
        tasks: dict[str, Any] = {}

        def on_progress(policy: str, walked: int, total: int) -> None:
            if policy not in tasks:
                tasks[policy] = bars.add_task(policy, total=total, note=f"{len(ablation.variants())} choices of guards")
            bars.update(tasks[policy], completed=walked)

        return run_ablation(ablation, on_progress)


_COLUMNS = ("guards in force", "return", "drawdown", "Sharpe", "turnover/y", "trades", "intervened", "changed")


def _tell(document: dict[str, Any]) -> None:
    test = document["test"]
    span = f"{test['first']} to {test['last']}" + (f" in {test['ranges']} ranges" if test["ranges"] > 1 else "")
    out.print(f"{document['recipe']} on {document['symbol']} {document['timeframe']}, {span}, after costs:")
    rows = [line for row in document["rows"] for line in _lines(row)]
    out.print(table("", _COLUMNS, rows))
    for words in document["findings"]:
        out.print(f"  • {words}", markup=False)
    out.print(f"Page: {document['files']['page']}", markup=False)


def _lines(row: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return the figures of a choice, their intervals, and their differences from no guard."""
    measures = ("total_return", "max_drawdown", "sharpe", "turnover_per_year")
    counts = row["interventions"].values()
    times, changed = (f"{sum(each[key] for each in counts):,}" for key in ("times", "changed"))
    lines = [
        (row["name"], *(_one(row[name]["value"], name) for name in measures), f"{row['trades']:,}", times, changed),
        ("  interval", *(_between(row[name], name) for name in measures), "", "", ""),
    ]
    if row["in_force"]:
        lines.append(("  less no guard", *(_between(row[name]["against"], name) for name in measures), "", "", ""))
    if row["seeds"]:
        lines.append(("  seeds", *(_seeds(row["spread"][name]["value"], name) for name in measures), "", "", ""))
    return lines


def _one(value: float | None, measure: str) -> str:
    value = None if value is None else value + 0.0  # no minus before a zero
    if measure == "total_return":
        return percent(value, 1)
    return share(value) if measure == "max_drawdown" else number(value, 0 if measure == "turnover_per_year" else 2)


def _between(figure: dict[str, Any], measure: str) -> str:
    return "–" if figure["low"] is None else f"{_one(figure['low'], measure)} to {_one(figure['high'], measure)}"


def _seeds(spread: dict[str, Any], measure: str) -> str:
    return "–" if spread["lowest"] is None else f"{_one(spread['lowest'], measure)} to {_one(spread['highest'], measure)}"
