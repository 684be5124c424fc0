"""``seawall nulls``: a run's whole pipeline on markets without an edge, and where the run lies among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from seawall.cli import options
from seawall.cli.output import number, out, print_json, share, table
from seawall.core.errors import ConfigError
from seawall.core.progress import console, progress_bars

if TYPE_CHECKING:
    from seawall.recipes.nulls.testing import NullTest, Prepared

Markets = Annotated[
    int, typer.Option("--markets", metavar="N", help="Null markets of each kind; 19 are the least that can show anything.")
]
Kind = Annotated[
    str, typer.Option("--kind", help="walk: random walks as volatile as the bars; shuffle: the bars in another order; both.")
]
Seeds = Annotated[
    int | None, typer.Option("--seeds", metavar="K", help="Seeds trained on each market; those of the run if not given.")
]
Block = Annotated[int, typer.Option("--block", metavar="BARS", help="Bars that stay together where they are shuffled.")]
DriftOf = Annotated[str, typer.Option("--drift", help="Of shuffled bars: keep, or remove their mean log return.")]
MarketSeed = Annotated[int, typer.Option("--seed", help="Seed of the null markets.")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, max=256, help="Null markets at once; one per core if not given.")]
Keep = Annotated[bool, typer.Option("--keep", help="Keep the null runs; else only their figures stay.")]
Plan = Annotated[bool, typer.Option("--plan", help="Say what is ahead, and stop.")]


def nulls(
    run: options.RunReference,
    markets: Markets = 20,
    kind: Kind = "both",
    seeds: Seeds = None,
    block: Block = 1,
    drift: DriftOf = "keep",
    seed: MarketSeed = 0,
    workers: Workers = None,
    keep: Keep = False,
    plan_only: Plan = False,
    runs: options.Runs = options.RUNS,
    data_dir: options.DataFolder = options.DATA,
    trust: options.Trust = False,
    json: options.Json = False,
) -> None:
    """Repeat a trained run's whole pipeline on markets without an edge, and show where the run lies among what came of it.

    Each null market is trained, chosen and judged as the run was. What that will take is said before it begins. Ctrl-C stops
    safely; the same command goes on.

    Examples:
        seawall nulls latest

        seawall nulls latest --plan

        seawall nulls latest --kind walk --markets 40 --seeds 2

        seawall nulls latest --block 24 --json
    """
    from seawall.core.fan_out import Interrupted
    from seawall.core.run_folder import RunFolder
    from seawall.evaluation.null_positions import KINDS
    from seawall.recipes.experiment import trust_run
    from seawall.recipes.nulls.plan import NullPlan
    from seawall.recipes.nulls.testing import NullTest

    folder = RunFolder.find(runs, run)
    if trust:
        trust_run(folder)
    if kind != "both" and kind not in KINDS:
        raise ConfigError(f"--kind is {kind!r}; allowed: {', '.join(KINDS)}, both")
    plan = NullPlan(markets, tuple(KINDS) if kind == "both" else (kind,), seeds, block, drift, seed)  # pyright: ignore[reportArgumentType]
    try:
        document = _with_bar(NullTest(folder, plan, data_dir, workers, keep), plan_only=plan_only)
    except Interrupted:
        console.print("Stopped; null markets that are judged are kept, others go on from their checkpoints.", soft_wrap=True)
        console.print("The same command goes on.", soft_wrap=True)
        raise
    if json:
        print_json(document)
    elif not plan_only:
        _tell(document)


def _with_bar(test: NullTest, *, plan_only: bool) -> dict[str, Any]:
    from seawall.recipes.nulls.testing import prepare_nulls, run_nulls

    prepared = prepare_nulls(test)
    for line in _ahead(prepared):
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    if plan_only:
        return {"run": str(test.run.path), "deviations": list(prepared.deviations), "budget": prepared.budget}
    with progress_bars() as bars:
        bar = bars.add_task("null markets", total=len(prepared.tasks), note="")
        done: dict[str, float] = {}

        def on_progress(task: Any, share_done: float, note: str) -> None:
            done[task.place.name] = share_done
            bars.update(bar, completed=sum(done.values()), note=f"{task.kind.kind} {task.kind.number}: {note}" if note else "")

        return run_nulls(prepared, on_progress)


def _ahead(prepared: Prepared) -> list[str]:
    """Say what is ahead, by the run's own measured time, and what differs from the run."""
    budget = prepared.budget
    done = len(prepared.tasks) - budget["waiting"]
    lines = [f"{done} of {len(prepared.tasks)} null markets are judged already."] if done else []
    if budget["waiting"]:
        each = f"{budget['seeds']} {'seed' if budget['seeds'] == 1 else 'seeds'} × {_span(budget['seconds_per_seed'])}"
        encoder = f", and {_span(budget['encoder_seconds'])} for an encoder" if budget["encoder_seconds"] else ""
        whole, wall = _span(budget["total_seconds"]), _span(budget["wall_seconds"])
        lines.append(
            f"Ahead: {budget['waiting']} null markets, {each} each as the run itself took{encoder}: {whole} of training, "
            f"{budget['workers']} at once: about {wall}, and judging."
        )
    return [*lines, *prepared.deviations]


def _span(seconds: float) -> str:
    if seconds < 90.0:
        return f"{seconds:.0f} s" if seconds >= 10.0 else f"{seconds:.1f} s"
    minutes = seconds / 60.0
    return f"{minutes:.0f} min" if minutes < 90.0 else f"{minutes / 60.0:.1f} h"


_COLUMNS = ("measure", "noise", "the run", "median", "5 to 95 %", "as good", "p", "share, 95 %")


def _tell(document: dict[str, Any]) -> None:
    from seawall.evaluation.null_positions import KINDS, MEASURES

    rows = [
        _row(MEASURES[name], KINDS[kind][1], name, each)
        for kind, told in document["kinds"].items()
        for name, each in told["positions"].items()
    ]
    out.print(table("the run among what its pipeline makes of noise", _COLUMNS, rows))
    for kind, told in document["kinds"].items():
        counted = ", ".join(f"{level} {count}" for level, count in told["levels"].items())
        out.print(f"Verdicts of the {KINDS[kind][1]}: {counted} (the run: {document['real']['level']}).", markup=False)
    for told in document["kinds"].values():
        for words in told["words"]:
            out.print(f"  • {words}", markup=False)
    for words in document["deviations"]:
        out.print(f"note: {words}", markup=False)
    out.print(f"Report: {document['files']['report']}", markup=False)


def _row(title: str, noise: str, measure: str, each: dict[str, Any]) -> tuple[str, ...]:
    scale, digits = (1.0, 2) if measure == "sharpe" else (1e4, 3)

    def show(value: float | None) -> str:
        return number(None if value is None else scale * value, digits)

    return (
        title if measure == "sharpe" else f"{title}, bps",
        noise,
        show(each["real"]),
        show(each["median"]),
        f"{show(each['from_5'])} to {show(each['to_95'])}",
        "–" if each["as_good"] is None else f"{each['as_good']} of {each['of']}",
        number(each["p"], 3),
        "–" if each["low"] is None else f"{share(each['low'])} to {share(each['high'])}",
    )
