"""``seawall backtest``: judge a trained run on bars that no choice has looked at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from seawall.cli import options
from seawall.cli.output import number, out, percent, print_json, print_skill, print_verdict, share, table
from seawall.core.errors import ConfigError
from seawall.core.progress import progress_bars

if TYPE_CHECKING:
    from seawall.core.run_folder import RunFolder
    from seawall.recipes.judging import Case

Checkpoint = Annotated[
    str,
    typer.Option(help="Weights to judge: best by validation, last, or those after a number of steps that the run has kept."),
]


def backtest(
    run: options.RunReference,
    overrides: options.Overrides = None,
    runs: options.Runs = options.RUNS,
    data_dir: options.DataFolder = options.DATA,
    checkpoint: Checkpoint = "best",
    runtime: options.Runtime = "torch",
    trust: options.Trust = False,
    json: options.Json = False,
) -> None:
    """Judge a run's ensemble on its test rows, beside its seeds and simple rivals, after costs.

    With changes (other costs, guards, data=FILE with later bars, or another checkpoint) the judgement is kept apart from the
    run's own. A training that was stopped is judged by its best weights so far, and called so.

    Examples:
        seawall backtest latest

        seawall backtest latest costs.taker_bps=20

        seawall backtest latest --checkpoint last

        seawall backtest latest --json
    """
    from seawall.core.run_folder import RunFolder
    from seawall.recipes.experiment import trust_run
    from seawall.recipes.families import is_portfolio_run
    from seawall.recipes.judging import Case

    folder = RunFolder.find(runs, run)
    if trust:
        trust_run(folder)
    if is_portfolio_run(folder):
        if checkpoint != "best":
            raise ConfigError(f"checkpoint is {checkpoint!r}, which is of one series; allowed for a portfolio: best")
        document = judge_portfolio_with_bar(folder, overrides or [], data_dir, runtime)
    else:
        [document] = judge_with_bars([Case(folder, tuple(overrides or ()), data_dir, checkpoint, runtime)])
    if json:
        print_json(document)
    else:
        print_judgement(document)


def judge_portfolio_with_bar(
    run: RunFolder, overrides: list[str], data_dir: Path, runtime: Literal["torch", "onnx"] = "torch"
) -> dict[str, Any]:
    """Judge a portfolio behind a progress bar."""
    from seawall.recipes.families import judge_portfolio

    with progress_bars() as bars:
        task = bars.add_task(f"judging {run.path.parent.name}", total=None, note="")
        return judge_portfolio(run, overrides, lambda policy: bars.update(task, advance=1, note=policy), data_dir, runtime)


def judge_with_bars(cases: list[Case]) -> list[dict[str, Any]]:
    """Judge cases behind one progress bar each."""
    from seawall.recipes.judging import judge_cases

    with progress_bars() as bars:
        tasks: dict[Path, Any] = {}
        for case in cases:
            policies = case.recipe().training.n_seeds + 6
            tasks[case.folder().path] = bars.add_task(f"judging {case.run.path.parent.name}", total=policies, note="")
        return judge_cases(cases, lambda case, policy: bars.update(tasks[case.folder().path], advance=1, note=policy))


def print_judgement(document: dict[str, Any]) -> None:
    """Print the verdict, and one line for each policy."""
    test = document["test"]
    if not document.get("checkpoint", {}).get("training_finished", True):
        out.print("[yellow]Training was interrupted; this judges the best weights so far, not the run as its recipe states it.[/]")
    out.print(f"Test span {test['first'][:10]} to {test['last'][:10]}, {test['bars']:,} bars, after costs:")
    named = {"ensemble": document["ensemble"], **{f"seed {seed}": metrics for seed, metrics in document["seeds"].items()}}
    rows = [(name, *_figures(metrics)) for name, metrics in (*named.items(), *document["baselines"].items())]
    out.print(table("", ("policy", "return", "Sharpe", "max drawdown", "trades", "costs"), rows))
    print_skill(document)
    print_verdict(document["verdict"])
    if document["report"]:
        out.print(f"\nReport: {document['report']}")


def _figures(metrics: dict[str, Any]) -> tuple[str, ...]:
    return (
        percent(metrics["total_return"], 1),
        number(metrics["sharpe"]),
        share(metrics["max_drawdown"]),
        f"{metrics['trades']:,}",
        share(metrics["costs"]["share_of_initial_equity"]),
    )
