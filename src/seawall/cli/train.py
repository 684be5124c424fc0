"""``seawall train`` and ``seawall resume``: from a recipe to a bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from seawall.cli import options
from seawall.cli.output import number, out, print_json, table
from seawall.cli.pretrain import pretrain_first
from seawall.cli.training_display import TrainingDisplay
from seawall.core.progress import console

if TYPE_CHECKING:
    from seawall.core.run_folder import RunFolder
    from seawall.recipes.experiment import SeedSummary

Reference = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A shipped recipe's name, or the path of your own YAML or JSON file.")
]
Watch = Annotated[bool, typer.Option("--watch", help="Draw the learning curve of each seed in the terminal while it trains.")]


def train(
    reference: Reference,
    overrides: options.Overrides = None,
    plugin: options.Plugins = None,
    runs: options.Runs = options.RUNS,
    data_dir: options.DataFolder = options.DATA,
    watch: Watch = False,
    json: options.Json = False,
) -> None:
    """Train every seed of a recipe and save their ensemble as the run's bundle.

    The test rows are not looked at: the best weights of each seed are chosen on the validation rows.
    Ctrl-C stops at a safe point and leaves the best weights so far as a bundle; ``seawall resume`` goes on from there.

    Examples:
        seawall train tradernet

        seawall train tradernet --watch

        seawall train tradernet data=btc.parquet training.n_seeds=3

        seawall train my-recipe.yaml costs.taker_bps=5

        seawall train two-stage encoder=latest

        seawall train tradernet --plugin my_columns.py 'features.columns=["momentum_10"]'
    """
    from seawall.recipes.families import create_any_run, load_any
    from seawall.recipes.schema import Recipe

    recipe = load_any(reference, overrides or (), plugin or ())
    if isinstance(recipe, Recipe) and recipe.pretraining is not None and recipe.encoder is None:
        recipe = recipe.model_copy(update={"encoder": str(pretrain_first(recipe, runs, data_dir).path)})
    run = create_any_run(recipe, runs, data_dir)
    if not json:
        describe_data(run)
    _finish(run, recipe.training.seeds, json, watch)


def resume(
    run: options.RunReference,
    runs: options.Runs = options.RUNS,
    watch: Watch = False,
    trust: options.Trust = False,
    json: options.Json = False,
) -> None:
    """Go on with a training that was stopped; the result is the same as without the stop.

    Examples:
        seawall resume latest
    """
    from seawall.core.run_folder import RunFolder
    from seawall.recipes.experiment import trust_run
    from seawall.recipes.families import load_any_run

    folder = RunFolder.find(runs, run)
    if trust:
        trust_run(folder)
    _finish(folder, load_any_run(folder).training.seeds, json, watch)


def train_with_bars(runs: list[RunFolder], *, watch: bool = False) -> list[list[SeedSummary]]:
    """Train runs behind one line a seed, and tell what is left and how to go on after Ctrl-C."""
    from seawall.core.fan_out import Interrupted
    from seawall.recipes.experiment import scores_so_far
    from seawall.recipes.families import load_any_run, train_any

    display = TrainingDisplay(watch=watch)
    for run in runs:
        recipe = load_any_run(run)
        agent = recipe.agent if isinstance(recipe.agent, dict) else recipe.agent.model_dump()
        for seed in recipe.training.seeds:
            display.add(run, seed, agent.get("total_steps"), *scores_so_far(run, seed))
    try:
        with display.showing():
            return train_any(runs, display.show)
    except Interrupted:
        for run in runs:
            _tell_stopped(run)
        raise


def _tell_stopped(run: RunFolder) -> None:
    from seawall.recipes.run_bundle import is_finished, stopped_words, unfinished_progress

    console.print(f"Stopped; nothing is lost. Go on with:  seawall resume {run.path}", soft_wrap=True)
    progress = unfinished_progress(run)
    if is_finished(run):
        return
    if progress is None:
        console.print("No seed has a finite validation score yet, so there is no bundle to judge.", soft_wrap=True)
    else:
        console.print(f"The best weights so far are its bundle ({stopped_words(progress)}).", soft_wrap=True)
        console.print(f"Judge them as they are:  seawall backtest {run.path}", soft_wrap=True)


def describe_data(run: RunFolder) -> None:
    """Tell what the run trains on: bars, gaps, features left out, split."""
    from seawall.recipes.dataset import Dataset

    dataset = Dataset.load(run)
    facts = dataset.facts
    # A portfolio has a check of quality for each of its assets.
    checks = list(facts["quality"].values()) if "panel" in facts else [facts["quality"]]
    gaps = f"{sum(check['gaps'] for check in checks)} gaps ({checks[0]['policy']['gaps']})"
    out.print(f"[bold]{facts['symbol']}[/] {facts['timeframe']}: {facts['rows']:,} bars, {gaps}")
    left_out = f"; left out by features.omit: {', '.join(facts['omitted'])}" if facts["omitted"] else ""
    out.print(f"  {len(facts['features'])} features{left_out}")
    for name, dates in dataset.dates().items():
        out.print(f"  {name:<10} {dates['first']} to {dates['last']}  ({dates['bars']:,} bars)")
    for note in facts["notes"]:
        out.print(f"  note: {note}", markup=False)


def _finish(run: RunFolder, seeds: tuple[int, ...], json: bool, watch: bool) -> None:
    from seawall.core.files import read_json

    [summaries] = train_with_bars([run], watch=watch)
    warnings = sorted({warning for summary in summaries for warning in summary.warnings})
    if json:
        print_json(
            {
                "run": str(run.path),
                "bundle": str(run.bundle),
                "tensorboard": str(run.path / "tensorboard"),
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
    out.print(f"Curves:  tensorboard --logdir {run.path / 'tensorboard'}")
    out.print(f"Judge it out of sample:  seawall backtest {run.path}")
