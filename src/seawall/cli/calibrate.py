"""``seawall calibrate``: how often is the verdict itself wrong?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seawall.cli import options
from seawall.cli.output import number, out, print_json, share, table
from seawall.core.progress import console, progress_bars

if TYPE_CHECKING:
    from seawall.recipes.calibration.plan import CalibrationPlan

# A thousand parts of a market, so that the bar moves and its remaining time is known within the first one.
_PARTS = 1_000

Quick = Annotated[bool, typer.Option("--quick", help="Eight markets of each kind instead of forty; nothing else is reduced.")]
Markets = Annotated[
    int | None, typer.Option("--markets", metavar="N", min=2, max=1_000, help="Markets of each kind, another number than these.")
]
Out = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where results are kept; an older one there goes on.")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, max=256, help="Processes at once; one per core if not given.")]


def calibrate(
    quick: Quick = False,
    markets: Markets = None,
    folder: Out = Path("runs/calibration"),
    workers: Workers = None,
    json: options.Json = False,
) -> None:
    """Measure how often the verdict is wrong: whole tuned pipelines on random walks, and on markets with a planted edge.

    On each market agent exact is trained with 4 configurations of 5 seeds, the best on validation rows is judged out of sample as
    any run is, and all 4 count as tried. It passes where random walks are called evidence no more often than in 5 % (one-sided
    binomial test), planted edges in at least 90 %, and the mean PBO on random walks is 0.5 within 0.1. Otherwise it exits with 1.

    With fewer than 40 markets of each kind the last two are missed only where the results contradict them.

    Ctrl-C stops at a safe point, and the same command goes on from there; a quick calibration goes on as a full one in the same
    folder. The table lies there in calibration.json, its page in calibration.html.

    Examples:
        seawall calibrate --quick

        seawall calibrate

        seawall calibrate --markets 100 --out calibration-100 --json
    """
    from seawall.recipes.calibration.plan import FULL_MARKETS, QUICK_MARKETS, CalibrationPlan

    count = markets or (QUICK_MARKETS if quick else FULL_MARKETS)
    document = _with_bars(CalibrationPlan(count), folder, workers)
    if json:
        print_json(document)
    else:
        _show(document)
    if not document["passed"]:
        raise typer.Exit(1)


def _with_bars(plan: CalibrationPlan, folder: Path, workers: int | None) -> dict[str, Any]:
    """Run the plan behind one bar for all markets and one for each that is under way."""
    from seawall.core.fan_out import Interrupted
    from seawall.recipes.calibration.run import calibrate as run_calibration

    with progress_bars() as bars:
        done = {market.name: 0.0 for market in plan.units}
        whole = bars.add_task(f"{len(done)} markets, parts of {_PARTS}", total=_PARTS * len(done), note="")
        lines: dict[str, Any] = {}
        before: list[str] = []

        def tell(name: str, message: dict[str, Any]) -> None:
            if message.get("before"):
                before.append(name)
                done[name] = 1.0
                # What was done before took no time now: the bar begins anew, so that the time that remains is true.
                bars.reset(whole, total=_PARTS * (len(done) - len(before)), note=f"{len(before)} were done before")
                return
            finished = "finished" in message
            done[name] = 1.0 if finished else message["done"]
            if finished:
                if name in lines:
                    bars.remove_task(lines.pop(name))
            else:
                if name not in lines:
                    lines[name] = bars.add_task(name, total=_PARTS, note="")
                bars.update(lines[name], completed=round(_PARTS * done[name]), note=message["note"])
            bars.update(whole, completed=round(_PARTS * (sum(done.values()) - len(before))))
            if finished:
                bars.update(whole, note=f"{name}: {message['finished']}")

        try:
            return run_calibration(plan, folder, tell, workers)
        except Interrupted:
            console.print(f"Stopped; nothing is lost in {folder}. The same command goes on.", soft_wrap=True)
            raise


def _show(document: dict[str, Any]) -> None:
    from seawall.evaluation.calibration_page import pipeline_words

    columns = ("criterion", "markets", "found", "95 % interval", "p", "met")
    out.print(table("How often the verdict is wrong", columns, [_criterion(row) for row in document["criteria"]]))
    for row in document["criteria"]:
        out.print(f"  {row['name']}: {row['words']}", markup=False)
    levels = list(document["noise"]["levels"])
    kinds = ("markets", *levels, "made money", "leak checks", "Sharpe", "captured", "PBO", "CPU s a training", "CPU s judging")
    out.print(table("Verdicts", kinds, [_kind(name, document[name]) for name in ("noise", "planted")]))
    tried = ("configuration", "settings", "chosen on noise", "test, bps", "chosen on planted", "test, bps")
    out.print(table("Tried on each market", tried, [_configuration(row) for row in document["configurations"]]))
    out.print(pipeline_words(document), markup=False)
    out.print(f"Page: {document['page']}", markup=False)
    out.print(document["finding"], markup=False)
    out.print("[green]passed[/]" if document["passed"] else "[red]failed[/]")


def _criterion(row: dict[str, Any]) -> tuple[Any, ...]:
    counted = row["count"] is not None
    show = share if counted else number
    found = f"{row['count']} of {row['n']}, {share(row['value'])}" if counted else number(row["value"])
    interval = "–" if row["low"] is None else f"{show(row['low'])} to {show(row['high'])}"
    return row["name"], row["n"], found, interval, number(row["p_value"], 3), "yes" if row["passed"] else "MISSED"


def _kind(name: str, found: dict[str, Any]) -> tuple[Any, ...]:
    return (
        name,
        *found["levels"].values(),
        found["made_money"],
        found["leak_checks"],
        number(found["sharpe"]["mean"]),
        share(found["captured"]["mean"]) if "captured" in found else "–",
        number(found["pbo"]["mean"]),
        number(found["training_seconds"]),
        number(found["judging_seconds"], 1),
    )


def _configuration(row: dict[str, Any]) -> tuple[Any, ...]:
    kinds = ("noise", "planted")
    return row["name"], row["words"], *(value for kind in kinds for value in (row[kind]["chosen"], number(row[kind]["test_bps"])))
