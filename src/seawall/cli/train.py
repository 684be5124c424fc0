"""``seawall train`` and ``seawall resume``: from a recipe to a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seawall.cli import options
from seawall.cli.output import number, out, print_json, table
from seawall.core.progress import console, progress_bars

if TYPE_CHECKING:
    from seawall.core.run_folder import RunFolder
    from seawall.recipes.experiment import SeedSummary

Reference = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A shipped recipe's name, or the path of your own YAML or JSON file.")
]


def train(
    reference: Reference,
    overrides: options.Overrides = None,
    plugin: options.Plugins = None,
    runs: options.Runs = options.RUNS,
    data_dir: options.DataFolder = options.DATA,
    json: options.Json = False,
) -> None:
    """Train every seed of a recipe and save their ensemble as the run's bundle.

    The test rows are not looked at: the best weights of each seed are chosen on the validation rows.
    Ctrl-C stops at a safe point; ``seawall resume`` goes on from there.

    Examples:
        seawall train tradernet

        seawall train tradernet data=btc.parquet training.n_seeds=3

        seawall train my-recipe.yaml costs.taker_bps=5

        seawall train tradernet --plugin my_columns.py features.columns=[momentum_10]
    """
    from seawall.recipes.experiment import create_run, load_run_recipe
    from seawall.recipes.schema import load_recipe

    recipe = load_recipe(reference, overrides or (), plugin or ())
    run = create_run(recipe, runs, data_dir)
    if not json:
        describe_data(run)
    _finish(run, load_run_recipe(run).training.seeds, json)


def resume(
    run: options.RunReference, runs: options.Runs = options.RUNS, trust: options.Trust = False, json: options.Json = False
) -> None:
    """Go on with a training that was stopped; the result is the same as without the stop.

    Examples:
        seawall resume latest
    """
    from seawall.core.run_folder import RunFolder
    from seawall.recipes.experiment import load_run_recipe, trust_run

    folder = RunFolder.find(runs, run)
    if trust:
        trust_run(folder)
    _finish(folder, load_run_recipe(folder).training.seeds, json)


def train_with_bars(runs: list[RunFolder]) -> list[list[SeedSummary]]:
    """Train runs behind one progress bar a seed, and tell how to go on after Ctrl-C."""
    from seawall.core.fan_out import Interrupted
    from seawall.recipes.experiment import load_run_recipe, train_runs

    with progress_bars() as bars:
        tasks: dict[tuple[Path, int], Any] = {}
        for run in runs:
            recipe = load_run_recipe(run)
            for seed in recipe.training.seeds:
                name = f"{run.path.parent.name} seed {seed}"
                tasks[run.path, seed] = bars.add_task(name, total=recipe.agent["total_steps"], note="waiting")

        def show(run: RunFolder, seed: int, message: dict[str, Any]) -> None:
            best = message["best"]
            note = "" if best is None else f"validation {1e4 * best:+.2f} bps a bar"
            bars.update(tasks[run.path, seed], completed=message["steps"], total=message["total_steps"], note=note)

        try:
            return train_runs(runs, show)
        except Interrupted:
            for run in runs:
                console.print(f"Stopped; nothing is lost. Go on with:  seawall resume {run.path}", soft_wrap=True)
            raise


def describe_data(run: RunFolder) -> None:
    """Tell what the run trains on: bars, gaps, features left out, split."""
    from seawall.recipes.dataset import Dataset

    dataset = Dataset.load(run)
    facts, quality = dataset.facts, dataset.facts["quality"]
    gaps = f"{quality['gaps']} gaps ({quality['policy']['gaps']})"
    out.print(f"[bold]{facts['symbol']}[/] {facts['timeframe']}: {facts['rows']:,} bars, {gaps}")
    left_out = f"; left out by features.omit: {', '.join(facts['omitted'])}" if facts["omitted"] else ""
    out.print(f"  {len(facts['features'])} features{left_out}")
    for name, dates in dataset.dates().items():
        out.print(f"  {name:<10} {dates['first']} to {dates['last']}  ({dates['bars']:,} bars)")
    for note in facts["notes"]:
        out.print(f"  note: {note}", markup=False)


def _finish(run: RunFolder, seeds: tuple[int, ...], json: bool) -> None:
    from seawall.core.files import read_json

    [summaries] = train_with_bars([run])
    warnings = sorted({warning for summary in summaries for warning in summary.warnings})
    if json:
        print_json(
            {
                "run": str(run.path),
                "bundle": str(run.bundle),
                "seeds": [vars(summary) for summary in summaries],
                "warnings": warnings,
                "notes": read_json(run.dataset, "facts")["facts"].get("notes", []),
            }
        )
        return
    rows = [
        (
            summary.seed,
            number(None if summary.best_score is None else 1e4 * summary.best_score),
            f"{summary.best_step:,}",
            f"{summary.steps:,}",
            number(summary.seconds, 0),
        )
        for summary in summaries
    ]
    out.print(table("", ("seed", "validation, bps a bar", "best at step", "steps", "seconds"), rows))
    for warning in warnings:
        out.print(f"[yellow]warning:[/] {warning}")
    out.print(f"Bundle of {len(seeds)} seeds: {run.bundle}")
    out.print(f"Judge it out of sample:  seawall backtest {run.path}")
