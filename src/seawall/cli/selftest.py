"""``seawall selftest``: do the learners learn what can be learned, and is noise refused?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seawall.cli import options
from seawall.cli.backtest import judge_with_bars
from seawall.cli.output import number, out, print_json, table
from seawall.cli.train import train_with_bars
from seawall.core.fan_out import Interrupted
from seawall.core.progress import console, progress_bars

if TYPE_CHECKING:
    from seawall.recipes.selftest_plan import Plan

# A learner of 166,000 weights needs tens of thousands of bars to tell the planted edge from their noise.
_BARS = 60_000


def selftest(
    agents: Annotated[list[str] | None, typer.Argument(metavar="[AGENT]...", help="Agents to test; all if none is named.")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Every agent on every rung at every strength, and the rung of candles.")
    ] = False,
    seeds: Annotated[int | None, typer.Option(help="Seeds of each cell; 3, or 5 with --full.", min=1, max=20)] = None,
    strength: Annotated[list[str] | None, typer.Option(help="strong, medium or weak. May be given several times.")] = None,
    rung: Annotated[
        list[str] | None,
        typer.Option(help="sine, ar1, indicator, regime, threshold, walk, or bars: candles alone. May be given several times."),
    ] = None,
    runs: options.Runs = options.RUNS,
    json: options.Json = False,
) -> None:
    """Climb the known-answer ladder: markets of which the best possible result is known.

    Each rung shows its signal in full among noise, so that the most that any trader can earn after costs is known exactly.
    Passes if each agent reaches its share of that (exact: 90 % of strong and medium edges, 70 % of weak ones; ppo and dqn: 75 %
    of strong ones), claims no edge on a random walk, and learns nothing from a control whose moves were shuffled.
    "if told" is the share of a trader who is told the state of each bar and fits its drift to the same rows. Otherwise it
    exits with 1.

    A usual run is meant for twenty minutes on two quiet cores: every rung at the strong edge, and exact on medium and weak edges
    of ar1, regime and threshold.

    Ctrl-C stops at a safe point, and the same command goes on from there. Results lie in the run's folder, curves in ladder.html.

    Examples:
        seawall selftest

        seawall selftest exact --strength weak --seeds 5

        seawall selftest --rung bars

        seawall selftest --full --json
    """
    from seawall.recipes.selftest_plan import make_plan

    plan = make_plan(agents or (), strength or (), rung or (), seeds=seeds, full=full)
    document = _run(plan, runs)
    if json:
        print_json(document)
    else:
        _show(document)
    if not document["passed"]:
        raise typer.Exit(1)


def _run(plan: Plan, runs: Path) -> dict[str, Any]:
    """Run the plan behind one bar for all trainings and one for each that is under way."""
    from seawall.recipes.selftest_ladder import run_selftest

    with progress_bars() as bars:
        whole = bars.add_task(f"{len(plan.units)} trainings", total=len(plan.units), note="")
        lines: dict[str, Any] = {}
        done = {unit.name: False for unit in plan.units}

        def show(name: str, message: dict[str, Any]) -> None:
            if message.get("done"):
                done[name] = True
                if name in lines:
                    bars.remove_task(lines.pop(name))
                bars.update(whole, completed=sum(done.values()), note=f"{name}: {number(message['share'])}")
                return
            if name not in lines:
                lines[name] = bars.add_task(name, total=message["total_steps"], note="")
            best = message["best"]
            note = "" if best is None else f"validation {1e4 * best:+.2f} bps a bar"
            bars.update(lines[name], completed=message["steps"], note=note)

        try:
            return run_selftest(plan, runs, show, lambda: _candles(plan, runs))
        except Interrupted:
            console.print("Stopped; nothing is lost. The same command goes on from here.")
            raise


def _candles(plan: Plan, runs: Path) -> dict[str, Any]:
    """Climb the rung of candles: a planted edge that only the shape of bars tells, and its driftless twin."""
    from seawall.recipes.judging import Case
    from seawall.recipes.selftest import grade
    from seawall.recipes.twins import prepare_twins

    twins = prepare_twins(runs, "selftest", n_bars=_BARS, n_seeds=max(plan.seeds, 3), min_seeds=3)
    train_with_bars(twins.runs)
    return grade(twins, *judge_with_bars([Case(run) for run in twins.runs]))


def _show(document: dict[str, Any]) -> None:
    columns = (
        "rung",
        "strength",
        "agent",
        "share",
        "lowest … highest",
        "required",
        "if told",
        "bps a bar",
        "of",
        "CPU s",
        "verdict",
    )
    if document["ladder"]:
        out.print(table("Unseen bars, after costs", columns, [_cells(row) for row in document["ladder"]]))
        for warning in sorted({f"{row['agent']}: {text}" for row in document["ladder"] for text in row["warnings"]}):
            out.print(f"warning: {warning}", markup=False)
    if document["bars"] is not None:
        _show_candles(document["bars"])
    if document["page"] is not None:
        out.print(f"Curves: {document['page']}")
    out.print("[green]passed[/]" if document["passed"] else "[red]failed[/]")


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    span = "–" if row["mean_share"] is None else f"{number(row['lowest_share'])} … {number(row['highest_share'])}"
    return (
        f"{row['rung']} control" if row["control"] else row["rung"],
        "–" if row["mean_share"] is None else row["strength"],
        row["agent"],
        number(row["mean_share"]),
        span,
        number(row["required"]) if row["share_below"] is None else f"< {number(row['share_below'])}",
        number(row["fitted_share"]),
        number(row["growth_bps"]),
        number(row["attainable_bps"]),
        number(row["seconds"], 0),
        row["verdict"],
    )


def _show_candles(result: dict[str, Any]) -> None:
    planted = result["planted"]
    rows = [(row["seed"], number(row["growth_bps"]), number(row["share"])) for row in planted["seeds"]]
    out.print(table("Candles: planted edge", ("seed", "log growth, bps a bar", "share of the known optimum"), rows))
    best, share, required = planted["attainable_bps"], planted["mean_share"], planted["required_share"]
    out.print(f"Known optimum {best:.2f} bps a bar; mean share {share:.2f}, required {required:.2f}")
    out.print(f"Random walk: {result['noise']['headline']}")
