"""``seawall shield``: what the whole shield does to trained runs, guard by guard, at several fees."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seawall.cli import options
from seawall.cli.output import number, out, percent, print_json, share, table
from seawall.core.progress import console, progress_bars

if TYPE_CHECKING:
    from seawall.recipes.shield_study import Prepared, Study

RunReferences = Annotated[
    list[str], typer.Argument(metavar="RUN...", help="Folders of runs, the beginnings of their names, or latest.")
]
Fees = Annotated[
    list[float] | None,
    typer.Option("--fee-bps", metavar="BPS", help="Commission a side in basis points; may be given again. Each run's own if not."),
]
Guards = Annotated[
    list[str] | None,
    typer.Option("--guard", metavar="NAME[.KEY=VALUE]", help="A guard that would be left out, or a setting; may be given again."),
]
SmurfRuns = Annotated[
    list[str] | None,
    typer.Option("--smurf", metavar="RUN", help="A run trained with role=smurf: one for all runs, or one for each in their order."),
]
Out = Annotated[
    Path | None, typer.Option("--out", help="Folder for walks, shield.json and shield.html; below the first run if not given.")
]
Workers = Annotated[int | None, typer.Option("--workers", min=1, max=256, help="Walks at once; as the recipe says if not given.")]
Plan = Annotated[bool, typer.Option("--plan", help="Say what is ahead, and stop.")]


def shield(
    references: RunReferences,
    fees: Fees = None,
    guards: Guards = None,
    smurfs: SmurfRuns = None,
    plugins: options.Plugins = None,
    folder: Out = None,
    workers: Workers = None,
    plan_only: Plan = False,
    runs: options.Runs = options.RUNS,
    data_dir: options.DataFolder = options.DATA,
    trust: options.Trust = False,
    json: options.Json = False,
) -> None:
    """Judge runs on their own test rows with no guard, each guard of the shield alone, and all of them.

    The shield is every guard that can act on recorded bars, with default settings or the run's own. Both readings of the
    N-consecutive rule, with exits held and exempt, stand beside each other. What it will take is said before it begins. Ctrl-C
    stops safely; the same command goes on.

    Examples:
        seawall shield latest

        seawall shield latest --plan

        seawall shield BTC ETH ADA XRP LTC --fee-bps 10 --fee-bps 70 --out shields

        seawall shield latest --smurf SMURF_RUN --guard max_drawdown.limit=0.1 --json
    """
    from seawall.core.fan_out import Interrupted
    from seawall.core.run_folder import RunFolder
    from seawall.recipes.ablation import guards_named
    from seawall.recipes.experiment import trust_run
    from seawall.recipes.shield import Wanted
    from seawall.recipes.shield_study import Study

    found = [RunFolder.find(runs, reference) for reference in references]
    if trust:
        for run in found:
            trust_run(run)
    supervisors = tuple(RunFolder.find(runs, reference) for reference in smurfs or ())
    wanted = Wanted(guards_named(guards or []), tuple(path.resolve() for path in plugins or ()))
    study = Study(tuple(found), tuple(fees or ()), wanted, supervisors, folder, data_dir, workers)
    try:
        document = _with_bar(study, plan_only=plan_only)
    except Interrupted:
        console.print("Stopped; policies that were walked whole are kept. The same command goes on.", soft_wrap=True)
        raise
    if json:
        print_json(document)
    elif not plan_only:
        _tell(document)


def _with_bar(study: Study, *, plan_only: bool) -> dict[str, Any]:
    from seawall.recipes.shield_study import prepare_study, run_study

    prepared = prepare_study(study)
    for line in _ahead(prepared):
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    if plan_only:
        left_out = {str(cell.shield.case.run.path): dict(cell.left_out) for cell in prepared.cells}
        return {"budget": dict(prepared.budget), "left_out": left_out, "folder": str(prepared.folder)}
    with progress_bars() as bars:
        bar = bars.add_task("bars", total=prepared.budget["bars"], note="")
        walked: dict[str, int] = {}

        def on_progress(name: str, done: int, _total: int) -> None:
            walked[name] = done
            bars.update(bar, completed=sum(walked.values()), note=name)

        return run_study(prepared, on_progress)


def _ahead(prepared: Prepared) -> list[str]:
    """Say what is ahead, and which guards are not in the shield."""
    budget = prepared.budget
    done = budget["walks"] - budget["waiting"]
    lines = [f"{done} of {budget['walks']} walks are kept already."] if done else []
    if budget["waiting"]:
        rates = _told_rates(budget["bars_per_second"])
        lines.append(
            f"Ahead: {budget['waiting']} walks before {budget['choices']} choices of guards each, {budget['bars']:,} bars. "
            f"A probe made {rates}: {_span(budget['seconds'])} of work with the opening of runs, {budget['workers']} at once: "
            f"about {_span(budget['wall_seconds'])}, and starting and comparing."
        )
    reasons = dict.fromkeys((name, why) for cell in prepared.cells for name, why in cell.left_out.items())
    return [*lines, *(f"Left out: {name}: {why}." for name, why in reasons)]


def _told_rates(rates: dict[str, float]) -> str:
    if len(set(rates.values())) == 1:
        return f"{next(iter(rates.values())):,.0f} bars/s"
    return " and ".join(f"{rate:,.0f} bars/s of {'the' if name == 'ensemble' else 'a'} {name}" for name, rate in rates.items())


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90.0 else f"{seconds / 60.0:.0f} min"


_COLUMNS = ("guards in force", "return", "less no guard", "drawdown", "less no guard", "turnover/y", "round trips", "changed")
_SUMMARY = ("guards in force", "return", "lower in", "drawdown", "lower in", "turnover/y", "round trips", "acted in")


def _tell(document: dict[str, Any]) -> None:
    from seawall.evaluation.shield_page import labelled

    for label, each in labelled(document["tables"]).items():
        test = each["test"]
        title = f"{label}: {each['timeframe']}, {test['first']} to {test['last']}, {len(each['seeds'])} seeds"
        out.print(table(title, _COLUMNS, [line for row in each["rows"] for line in _lines(row)]))
        for words in each["choices"]:
            out.print(f"  • {words}", markup=False)
    for fee in document["fees"]:
        if len(fee["runs"]) > 1:
            title = f"across {len(fee['runs'])} runs at {fee['fee_bps']:g} bps: medians of differences from no guard, in points"
            out.print(table(title, _SUMMARY, [_summed(row) for row in fee["summary"]]))
        out.print(fee["headline"], markup=False)
    out.print(f"Page: {document['files']['page']}", markup=False)


def _lines(row: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return a choice's figures and differences, and below them their intervals and the range of the seeds' differences."""
    earned, drawdown = row["total_return"], row["max_drawdown"]
    changed = sum(each["changed"] for each in row["interventions"].values())
    first = (
        row["name"],
        percent(earned["value"], 1),
        _points(earned["against"]["value"]),
        share(drawdown["value"]),
        _points(drawdown["against"]["value"]),
        number(row["turnover_per_year"]["value"], 0),
        f"{row['round_trips']['value']:,}",
        f"{changed:,}",
    )
    if not row["in_force"]:
        return [first]
    bounds = [_bounds(figure["against"]["low"], figure["against"]["high"]) for figure in (earned, drawdown)]
    lines = [first, ("  interval", "", bounds[0], "", bounds[1], "", "", "")]
    if row["seeds"]:
        spreads = [row["spread"][name]["against"] for name in ("total_return", "max_drawdown")]
        told = [_bounds(spread["lowest"], spread["highest"]) for spread in spreads]
        lines.append(("  seeds", "", told[0], "", told[1], "", "", ""))
    return lines


def _summed(row: dict[str, Any]) -> tuple[str, ...]:
    earned, drawdown = row["total_return"], row["max_drawdown"]
    return (
        row["name"],
        _points(earned["median"]),
        f"{earned['lower']} ({earned['clearly_lower']} clearly)",
        _points(drawdown["median"]),
        f"{drawdown['lower']} ({drawdown['clearly_lower']} clearly)",
        number(_without_sign(row["turnover_per_year"]["median"]), 0),
        number(_without_sign(row["round_trips"]["median"]), 1),
        f"{row['acted']} of {row['runs']}",
    )


def _without_sign(value: float | None) -> float | None:
    """Return a value, and 0 where it would be printed as one with a minus."""
    return 0.0 if value is not None and abs(value) < 0.05 else value


def _points(value: float | None) -> str:
    return "–" if value is None else f"{round(100 * value, 1) + 0.0:+,.1f}"


def _bounds(low: float | None, high: float | None) -> str:
    return "–" if low is None or high is None else f"{_points(low)} to {_points(high)}"
