"""One null market from its bars to its verdict: the same recipe, trained, chosen and judged as the run was."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from seawall.core.errors import DataError
from seawall.core.fan_out import Channel, Interrupted
from seawall.core.files import read_json, write_json
from seawall.core.run_folder import RunFolder
from seawall.evaluation.judge import Judgement
from seawall.evaluation.null_positions import MEASURES
from seawall.recipes import leak_record, portfolio_run
from seawall.recipes.experiment import fill_run, training_summary
from seawall.recipes.families import AnyRecipe, load_any_run
from seawall.recipes.judging import Case, judge_case
from seawall.recipes.nulls.origin import NullKind, Origin
from seawall.recipes.nulls.plan import NullPlan
from seawall.recipes.portfolio_schema import PortfolioRecipe
from seawall.recipes.pretrained import ENCODER, kept_encoder
from seawall.recipes.pretraining import keep_pretraining, pretrain_task
from seawall.recipes.run_bundle import is_finished
from seawall.recipes.schema import Recipe, validate_recipe
from seawall.recipes.trials import record_run
from seawall.recipes.walkforward.ground import Ground
from seawall.recipes.walkforward.training import done_before, save_trained, train_fold_seed
from seawall.training.pretraining.encoder_folder import MANIFEST, SavedEncoder
from seawall.training.pretraining.params import PretrainingParams

_JUDGING = 0.05
"""Share of a null market's work that is counted for judging it; it only moves the bar."""


@dataclass(frozen=True)
class NullTask:
    """One null market to run.

    Attributes:
        run: Folder of the run whose pipeline is repeated.
        origin: Its bars.
        plan: What of the pipeline is repeated.
        kind: Which market.
        place: Folder of the null run, in one whose parent has a registry of trials of its own.
        result: File of what came of it.
        data_root: Folder of imported bars, for a leak check.
        keep: Whether the null run's files stay.
    """

    run: Path
    origin: Origin
    plan: NullPlan
    kind: NullKind
    place: Path
    result: Path
    data_root: Path
    keep: bool


@dataclass(frozen=True)
class _Line(Channel):
    """A line on which one part of a null market's work tells its share of the whole."""

    before: float
    weight: float
    note: str

    def send(self, message: dict[str, Any]) -> None:
        done = 1.0 if message.get("finished") else message.get("steps", 0) / max(1, message.get("total_steps", 1))
        Channel(self.line, self.stop).send({"done": self.before + self.weight * min(done, 1.0), "note": self.note})


def null_task(task: NullTask, channel: Channel) -> None:
    """Run one null market and keep what came of it; called in a process of its own. What is done of it is not done again.

    Raises:
        Interrupted: The user asked to stop; the same call goes on from the checkpoints.
    """
    origin_run, run = RunFolder(task.run), RunFolder(task.place)
    own = load_any_run(origin_run)
    _open(task, own, origin_run, run, channel)
    recipe = load_any_run(run)
    _train(run, recipe, channel)
    _take_leak_check(origin_run, own, run, recipe)
    judgement = _judge(task, run, recipe, channel)
    write_json(task.result, _result(task, run, judgement))
    if not task.keep:
        remove_null(task)


def remove_null(task: NullTask) -> None:
    """Remove the files of a null market's run; its result stays."""
    for folder in (task.place, _encoder_place(task.place)):
        shutil.rmtree(folder, ignore_errors=True)


def figures_of(judgement: Judgement) -> dict[str, Any]:
    """Return what is compared of a judgement, by the names of `MEASURES`; None where undefined."""
    ensemble, holder = judgement.document["ensemble"], judgement.document["baselines"]["buy_and_hold"]
    lead = ensemble["mean_log_return"] - holder["mean_log_return"]
    figures = {"mean_log_return": ensemble["mean_log_return"], "sharpe": ensemble["sharpe"], "against_buy_and_hold": lead}
    return {name: figures[name] for name in MEASURES}


def _result(task: NullTask, run: RunFolder, judgement: Judgement) -> dict[str, Any]:
    ensemble = judgement.document["ensemble"]
    seconds = sum(each["seconds"] for each in training_summary(run)["seeds"])
    return {
        "kind": task.kind.kind,
        "number": task.kind.number,
        **figures_of(judgement),
        "total_return": ensemble["total_return"],
        "turnover_per_year": ensemble["turnover_per_year"],
        "level": judgement.level,
        "headline": judgement.verdict["headline"],
        "data_hash": read_json(run.dataset, "facts")["facts"]["data_hash"],
        "training_seconds": seconds,
        "run": str(run.path) if task.keep else None,
    }


def _open(task: NullTask, own: AnyRecipe, origin_run: RunFolder, run: RunFolder, channel: Channel) -> None:
    """Open the null run where it is not: make its market, and teach it an encoder where the run has one."""
    if run.recipe.is_file():
        return
    recipe, encoder = task.plan.recipe(own), kept_encoder(origin_run)
    run.path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=run.path.parent, prefix=".features-") as scratch:
        ground = task.origin.ground(recipe, task.kind, Path(scratch))
        if encoder is not None and isinstance(recipe, Recipe):
            first = _encoder_run(task, encoder, ground, channel)
            recipe = recipe.model_copy(update={"encoder": str(first.path)})
        _fill(run, recipe, ground, task)


def _encoder_run(task: NullTask, encoder: SavedEncoder, ground: Ground, channel: Channel) -> RunFolder:
    """Teach an encoder on the null market as the run's own was taught, whatever its regimes, and return its run."""
    manifest = encoder.manifest
    if manifest["data"]["data_hash"] != task.origin.data_hash:
        raise DataError(
            f"the encoder that {task.run} keeps was taught on other bars than the run ({manifest['data'].get('reference')}), and "
            "no null market stands for those; allowed: a run whose encoder was taught on its own bars"
        )
    first = RunFolder(_encoder_place(task.place))
    if not first.recipe.is_file():
        _fill(first, validate_recipe(manifest["recipe"], "of the encoder"), ground, task)
        keep_pretraining(first, _whatever_the_labels(PretrainingParams.model_validate(manifest["pretraining"])))
    if not (first.path / ENCODER / MANIFEST).is_file():
        channel.send({"done": 0.0, "note": "encoder"})
        pretrain_task(str(first.path), _Line(channel.line, channel.stop, 0.0, 0.0, "encoder"))
    return first


def _whatever_the_labels(params: PretrainingParams) -> PretrainingParams:
    """Refuse no labels: noise may lack a regime (shuffled bars have no clusters of volatility), and is taught as it is."""
    regimes = params.targets.regimes.model_copy(update={"rarest": 0.0})
    return params.model_copy(update={"targets": params.targets.model_copy(update={"regimes": regimes})})


def _fill(run: RunFolder, recipe: AnyRecipe, ground: Ground, task: NullTask) -> None:
    # A process that was killed leaves a folder without a recipe.
    shutil.rmtree(run.path, ignore_errors=True)
    run.path.mkdir(parents=True)
    note = f"{task.kind.words}: no bar of it was ever traded"
    fill_run(run, recipe, lambda opened: ground.keep(recipe, task.origin.split, task.place.parent, opened, (note,)))


def _train(run: RunFolder, recipe: AnyRecipe, channel: Channel) -> None:
    if is_finished(run):
        return
    record_run(run, recipe.model_dump(mode="json"))
    seeds = recipe.training.seeds
    share = (1.0 - _JUDGING) / len(seeds)
    for place, seed in enumerate(seeds):
        if not done_before(run, seed):
            train_fold_seed(str(run.path), seed, _Line(channel.line, channel.stop, place * share, share, f"seed {seed}"))
        if channel.should_stop():
            raise Interrupted("a null market was stopped; seeds that are trained are kept")
    save_trained(run, recipe, finished=True)


def _take_leak_check(origin_run: RunFolder, own: AnyRecipe, run: RunFolder, recipe: AnyRecipe) -> None:
    """Give a null run what is known of leaks in its recipe, which is the run's own, so that nobody looks again."""
    if leak_record.kept(origin_run, own.digest()).verdict == "not run":
        return
    known: Mapping[str, Any] = read_json(origin_run.path / leak_record.FILE)
    write_json(run.path / leak_record.FILE, {**known, "recipe_hash": recipe.digest()})


def _judge(task: NullTask, run: RunFolder, recipe: AnyRecipe, channel: Channel) -> Judgement:
    def tell(policy: str) -> None:
        channel.send({"done": 1.0 - _JUDGING, "note": f"judging {policy}"})
        if channel.should_stop():
            raise Interrupted("judging a null market was stopped; its training is kept")

    if isinstance(recipe, PortfolioRecipe):
        return portfolio_run.judge_run(run, tell, (), task.data_root)
    return judge_case(Case(run, data_root=task.data_root), tell)


def _encoder_place(place: Path) -> Path:
    return place.with_name(f"{place.name}-{ENCODER}")
