"""``seawall pretrain``: from bars to an encoder, without rewards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from seawall.cli import options
from seawall.cli.output import number, out, print_json, share, table
from seawall.core.progress import console, progress_bars

if TYPE_CHECKING:
    from pathlib import Path

    from seawall.core.run_folder import RunFolder
    from seawall.recipes.schema import Recipe

Reference = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A shipped recipe's name, or your own YAML or JSON file; with --resume a run.")
]
Resume = Annotated[bool, typer.Option("--resume", help="RECIPE is a pre-training that was stopped: go on from its checkpoint.")]


def pretrain(
    reference: Reference,
    overrides: options.Overrides = None,
    plugin: options.Plugins = None,
    runs: options.Runs = options.RUNS,
    data_dir: options.DataFolder = options.DATA,
    resume: Resume = False,
    json: options.Json = False,
) -> None:
    """Pre-train a recipe's encoder on its training rows: hidden candles, regimes, levels, and quantiles of returns.

    Every head is judged beside what anyone could say without learning, on later bars of the training rows. Bars that will choose or
    judge the policy are not looked at. Ctrl-C stops at a safe point.

    Examples:
        seawall pretrain two-stage

        seawall pretrain two-stage data=eth_5m.parquet pretraining.epochs=10

        seawall pretrain latest --resume
    """
    from seawall.core.run_folder import RunFolder
    from seawall.recipes.pretraining import create_pretraining, load_pretraining

    if resume:
        run = RunFolder.find(runs, reference)
    else:
        recipe, params = load_pretraining(reference, overrides or (), plugin or ())
        run = create_pretraining(recipe, params, runs, data_dir)
    manifest = _with_bar(run)
    if json:
        print_json({"run": str(run.path), "encoder": str(run.path / "encoder"), "seen": manifest["seen"], **manifest["judgement"]})
        return
    _tell(run.path, manifest)


def pretrain_first(recipe: Recipe, runs: Path, data_dir: Path) -> RunFolder:
    """Run the first stage of a recipe behind a bar, and return its run."""
    from seawall.recipes.pretraining import create_pretraining, encoder_recipe
    from seawall.training.pretraining.params import PretrainingParams

    run = create_pretraining(encoder_recipe(recipe), recipe.pretraining or PretrainingParams(), runs, data_dir)
    console.print(f"First stage, the encoder: {run.path}", soft_wrap=True)
    _with_bar(run)
    return run


def _with_bar(run: RunFolder) -> dict[str, Any]:
    from seawall.core.fan_out import Interrupted
    from seawall.recipes.pretraining import pretrain_run

    try:
        with progress_bars() as bars:
            task = bars.add_task("pre-training", total=None, note="making targets")
            return pretrain_run(
                run, lambda told: bars.update(task, completed=told["steps"], total=told["total_steps"], note=_note(told))
            )  # fmt: skip
    except Interrupted:
        console.print(f"Stopped; nothing is lost. Go on with:  seawall pretrain {run.path} --resume", soft_wrap=True)
        raise


def _note(told: dict[str, Any]) -> str:
    best = "" if told["best"] is None else f", validation {told['best']:.4f} at best"
    return f"loss {number(told['loss'], 4)}{best}"


def _tell(path: Path, manifest: dict[str, Any]) -> None:
    judgement, seen = manifest["judgement"], manifest["seen"]
    rows = [
        (
            head,
            number(found["loss"], 4),
            number(min(found["baseline"]["loss"], found["baseline"].get("interpolation", float("inf"))), 4),
            number(found["skill"], 3),
            share(found.get("accuracy")),
            share(found["baseline"].get("accuracy")),
        )
        for head, found in judgement["heads"].items()
    ]
    out.print(table("", ("head", "loss", "without learning", "skill", "accuracy", "of the commonest"), rows))
    balance = ", ".join(f"{name} {share(found)}" for name, found in seen["regime_balance"].items())
    out.print(f"Regimes of the training windows: {balance}")
    for each in seen["ranges"]:
        out.print(f"Seen: {each['symbol']}, {each['rows']:,} bars from {each['first']} to {each['last']}", markup=False)
    for warning in judgement["warnings"]:
        out.print(f"[yellow]warning:[/] {warning}")
    out.print(f"Encoder of epoch {judgement['best_epoch']} of {len(judgement['history'])}: {path / 'encoder'}")
    out.print(f"Embed bars with it:  seawall embed {path} --output embeddings.parquet")
