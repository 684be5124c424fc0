"""A run's bundle: of a finished training, of one that was stopped, or of the weights at a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from seawall.agents.bundle import Bundle, load_bundle, read_manifest, save_bundle
from seawall.core.errors import ConfigError, DataError
from seawall.core.run_folder import RunFolder
from seawall.recipes.assembly import Parts
from seawall.recipes.dataset import Dataset
from seawall.recipes.schema import Recipe
from seawall.recipes.smurf import kept_smurf, seen_by
from seawall.training.checkpoint import Checkpoint, load_checkpoint
from seawall.training.snapshots import load_snapshot, snapshot_steps

BEST, LAST = "best", "last"


def seed_progress(seed: int, checkpoint: Checkpoint | None) -> dict[str, Any]:
    """Return how far the training of one seed has come, as a bundle's manifest says it.

    Returns:
        ``seed``, ``steps``, ``total_steps``, ``best_step`` and ``best_score``, the last two None before the first finite score.
    """
    progress = {} if checkpoint is None else checkpoint.progress
    best = progress.get("best_step", -1)
    return {
        "seed": seed,
        "steps": progress.get("steps", 0),
        "total_steps": progress.get("total_steps", 0),
        "best_step": best if best >= 0 else None,
        "best_score": progress.get("best_score"),
    }


def save_finished(run: RunFolder, recipe: Recipe) -> None:
    """Save the bundle of a run whose seeds are all trained: the best weights of each.

    Raises:
        DataError: A checkpoint is gone or damaged, or the disk is full.
    """
    checkpoints = {seed: load_checkpoint(run.checkpoint(seed)) for seed in recipe.training.seeds}
    members: dict[int, Mapping[str, Tensor]] = {}
    for seed, checkpoint in checkpoints.items():
        if checkpoint is None:
            raise DataError(f"the checkpoint {run.checkpoint(seed)} is gone; go on with: seawall resume {run.path}")
        members[seed] = checkpoint.best
    progress = [seed_progress(seed, checkpoint) for seed, checkpoint in checkpoints.items()]
    manifest = _manifest(run, recipe, tuple(members), progress, complete=True)
    save_bundle(run.bundle, manifest, list(members.values()), kept_smurf(run))


def save_unfinished(run: RunFolder, recipe: Recipe) -> None:
    """Save the best weights so far of a run that was stopped, where any seed has some; a finished run's bundle is left alone.

    Raises:
        DataError: A checkpoint is damaged, or the disk is full.
    """
    if is_finished(run):
        return
    checkpoints = {seed: load_checkpoint(run.checkpoint(seed)) for seed in recipe.training.seeds}
    progress = [seed_progress(seed, checkpoint) for seed, checkpoint in checkpoints.items()]
    scored = [each["seed"] for each in progress if each["best_step"] is not None]
    members = [checkpoint.best for seed, checkpoint in checkpoints.items() if checkpoint is not None and seed in scored]
    if members:
        save_bundle(run.bundle, _manifest(run, recipe, scored, progress, complete=False), members, kept_smurf(run))


def is_finished(run: RunFolder) -> bool:
    """Say whether a run has been trained to its end."""
    return (run.path / "training.json").is_file()


def unfinished_progress(run: RunFolder) -> list[dict[str, Any]] | None:
    """Return how far each seed of a stopped run had come when its bundle was saved; None where there is no such bundle."""
    if is_finished(run) or not run.bundle.exists():
        return None
    manifest = read_manifest(run.bundle)
    return None if manifest.get("complete", True) else list(manifest.get("progress", ()))


def stopped_words(progress: Sequence[Mapping[str, Any]]) -> str:
    """Say in words how far a stopped training had come, and which seeds have no weights to judge yet."""
    steps, total = (sum(each[key] for each in progress) for key in ("steps", "total_steps"))
    missing = [str(each["seed"]) for each in progress if each["best_step"] is None]
    done = f"{steps:,} of {total:,} steps" if total else f"{steps:,} steps"
    without = f"; without any finite score yet, and so not in it: seed {', '.join(missing)}" if missing else ""
    return f"training was interrupted after {done} of the seeds that had begun{without}"


def bundle_at(run: RunFolder, recipe: Recipe, checkpoint: str) -> tuple[Bundle, dict[int, int]]:
    """Return a run's weights at a checkpoint.

    Args:
        run: The run.
        recipe: Its recipe.
        checkpoint: ``best`` for the bundle as it is, ``last`` for the newest evaluation of each seed, or a number of steps.

    Returns:
        The bundle, and the environment steps of each seed's weights where these are known.

    Raises:
        ConfigError: No weights of that step are kept; the message lists those that are.
        DataError: The run has no bundle, or weights are damaged.
    """
    bundle = load_bundle(run.bundle)
    seeds = bundle.manifest.get("seeds", ())
    if checkpoint == BEST:
        known = {each["seed"]: each["best_step"] for each in bundle.manifest.get("progress", ())}
        return bundle, {seed: known[seed] for seed in seeds if known.get(seed) is not None}
    steps = _kept_at(run, recipe, checkpoint)
    members = [load_snapshot(run.checkpoint(seed), step) for seed, step in steps.items()]
    manifest = {key: value for key, value in bundle.manifest.items() if key not in ("onnx", "manifest_hash")}
    return Bundle({**manifest, "seeds": list(steps)}, members), steps


def _kept_at(run: RunFolder, recipe: Recipe, checkpoint: str) -> dict[int, int]:
    """Return the step of each seed's weights."""
    kept = {seed: snapshot_steps(run.checkpoint(seed)) for seed in recipe.training.seeds}
    kept = {seed: steps for seed, steps in kept.items() if steps}
    if kept and checkpoint == LAST:
        return {seed: steps[-1] for seed, steps in kept.items()}
    wanted = int(checkpoint) if checkpoint.isdecimal() else None
    if kept and all(wanted in steps for steps in kept.values()):
        return {seed: int(checkpoint) for seed in kept}
    common = sorted(set.intersection(*map(set, kept.values()))) if kept else []
    some = sorted({step for steps in kept.values() for step in steps} - set(common))
    alone = f" (of some seeds only: {', '.join(map(str, some))})" if some else ""
    allowed = ", ".join([BEST, *([LAST] if kept else []), *map(str, common)])
    raise ConfigError(
        f"checkpoint {checkpoint!r} of run {run.path} is not kept; allowed: {allowed}{alone}. A run trained with training.keep=all "
        "keeps the weights of every evaluation"
    )


def _manifest(
    run: RunFolder, recipe: Recipe, seeds: Sequence[int], progress: Sequence[Mapping[str, Any]], *, complete: bool
) -> dict[str, Any]:
    dataset = Dataset.load(run)
    return {
        **Parts(recipe, dataset).manifest(),
        "role": recipe.role,
        "seen": seen_by(dataset),
        "recipe": recipe.model_dump(mode="json"),
        "recipe_hash": recipe.digest(),
        "scaler": dataset.scaler.to_dict(),
        "costs": recipe.costs.model_dump(),
        "guards": recipe.guards,
        "data": dataset.facts,
        "seeds": list(seeds),
        "complete": complete,
        "progress": list(progress),
    }
