"""``seawall explain``: what the policies of a trained run look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from seawall.cli import options
from seawall.cli.output import out, print_json, share, table
from seawall.core.progress import progress_bars

if TYPE_CHECKING:
    from seawall.recipes.explain import Question
    from seawall.recipes.judging import Case

Bars = Annotated[int, typer.Option(help="At how many test bars, evenly spaced.")]
Method = Annotated[
    Literal["ig", "occlusion", "both"],
    typer.Option(help="Integrated gradients, occlusion (inputs replaced by their training mean), or both."),
]
Target = Annotated[
    str,
    typer.Option(
        help="What is explained: exposure; chosen or an action's name where actions are numbered; concentration, cash or an asset "
        "of a portfolio."
    ),
]
Checkpoint = Annotated[
    str, typer.Option(help="Weights: best by validation, last, or those after a number of steps that were kept.")
]


def explain(
    run: options.RunReference,
    bars: Bars = 64,
    method: Method = "both",
    target: Target = "exposure",
    checkpoint: Checkpoint = "best",
    runs: options.Runs = options.RUNS,
    data_dir: options.DataFolder = options.DATA,
    trust: options.Trust = False,
    json: options.Json = False,
) -> None:
    """Say which inputs, and how far back, move a run's decisions, and whether its seeds agree.

    An attribution says what the network looks at, not what is profitable. Needs the extra explain.

    Examples:
        seawall explain latest

        seawall explain latest --target BUY --bars 256

        seawall explain latest --method occlusion --json
    """
    from seawall.core.run_folder import RunFolder
    from seawall.recipes.experiment import trust_run
    from seawall.recipes.explain import Question
    from seawall.recipes.judging import Case

    folder = RunFolder.find(runs, run)
    if trust:
        trust_run(folder)
    document = _with_bars(Case(folder, (), data_dir, checkpoint), Question(bars, method, target))
    if json:
        print_json(document)
    else:
        _tell(document)


def _with_bars(case: Case, question: Question) -> dict[str, Any]:
    from seawall.recipes.explain import explain as explain_run

    with progress_bars() as shown:
        tasks: dict[str, Any] = {}

        def tell(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = shown.add_task(name, total=total, note="")
            shown.update(tasks[name], completed=done, total=total)

        return explain_run(case, question, tell)


_SHOWN = 12


def _tell(document: dict[str, Any]) -> None:
    out.print(
        f"{document['recipe']} on {document['symbol']} {document['timeframe']}: {document['bars']:,} of "
        f"{document['decisions']:,} test decisions, {document['first']} to {document['last']}",
        markup=False,
    )
    out.print(f"Explained: {document['target']['words']}.", markup=False)
    methods = document["methods"]
    first, *others = methods.values()
    if not first["nothing"]:
        titles = ("input", "share", "seeds", "mean, signed", *("by occlusion" for _ in others), "kind")
        out.print(table("", titles, [_line(row, others) for row in first["inputs"][:_SHOWN]]))
        if len(first["inputs"]) > _SHOWN:
            out.print(f"  … and {len(first['inputs']) - _SHOWN} more in {document['files']['explanation']}", markup=False)
    for words in document["findings"]:
        out.print(f"  • {words}", markup=False)
    for words in document["cautions"]:
        out.print(f"  • {words}", style="dim", markup=False)
    report = document["files"]["report"]
    written = f"Report: {report}" if report else "The page gets it once the run is judged: seawall report"
    out.print(written, markup=False)


def _line(row: dict[str, Any], others: list[dict[str, Any]]) -> tuple[str, ...]:
    elsewhere = [{each["name"]: each["share"] for each in found["inputs"]}.get(row["name"]) for found in others]
    spread = f"{share(row['lowest'])} to {share(row['highest'])}"
    signed = f"{row['signed']:+.2g}"
    return (row["name"], share(row["share"]), spread, signed, *(share(value) for value in elsewhere), row["kind"])
