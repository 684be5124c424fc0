"""Pre-training from the first step to the last: epochs, judgement beside baselines, early stop, checkpoints, a safe stop."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from torch import Tensor

from seawall.core.errors import DataError
from seawall.core.fan_out import Interrupted
from seawall.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from seawall.training.pretraining.judging import baseline_measures, report
from seawall.training.pretraining.learner import Pretrainer
from seawall.training.rl import Logger
from seawall.training.tracking import Scalars

_REPORT_SECONDS = 0.5


@dataclass(frozen=True)
class PretrainingResult:
    """What a pre-training came to.

    Attributes:
        weights: The encoder's, of the epoch with the lowest validation loss.
        best_epoch: That epoch, counted from 1.
        best_loss: Its weighted validation loss.
        history: Validation loss of every epoch.
        heads: By head the measures of the best epoch, the baseline's beside them, and the skill.
        steps: Gradient steps in all.
        seconds: Wall time in all, over resumptions.
        warnings: Heads that learned nothing.
    """

    weights: dict[str, Tensor]
    best_epoch: int
    best_loss: float
    history: list[float]
    heads: dict[str, Any]
    steps: int
    seconds: float
    warnings: list[str]


@dataclass
class _Progress:
    history: list[float] = field(default_factory=list)
    heads: dict[str, Any] = field(default_factory=dict)
    best_loss: float | None = None
    best_epoch: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    stopped_early: bool = False


def pretrain(
    pretrainer: Pretrainer,
    *,
    folder: Path,
    should_stop: Callable[[], bool],
    on_progress: Callable[[dict[str, Any]], None],
    logger: Logger,
    scalars: Scalars,
) -> PretrainingResult:
    """Train to the last epoch, or from the checkpoint on; the result is the same with and without interruptions.

    Args:
        pretrainer: Network and lessons.
        folder: Where its checkpoint is kept.
        should_stop: Asked after every gradient step.
        on_progress: Given steps, total_steps, loss (a running mean of the epoch), validation losses so far, and the skills.
        logger: Takes every epoch.
        scalars: Takes the curves, by gradient step.

    Raises:
        Interrupted: `should_stop` said so; the checkpoint is whole.
        DataError: The loss is no number any more, or the checkpoint is damaged.
    """
    run = _Run(pretrainer, folder, logger, scalars)
    reported = 0.0
    while not run.finished:
        started = perf_counter()
        run.step()
        epoch_ends = pretrainer.steps % pretrainer.steps_per_epoch == 0
        if epoch_ends:
            run.judge()
        run.progress.seconds += perf_counter() - started
        stop = should_stop()
        if epoch_ends or stop or perf_counter() - reported > _REPORT_SECONDS:
            on_progress(run.told())
            reported = perf_counter()
        if epoch_ends or stop or pretrainer.steps % pretrainer.params.checkpoint_every == 0:
            run.save()
        if stop and not run.finished:
            raise Interrupted(
                f"pre-training stopped after {pretrainer.steps} of {pretrainer.total_steps} steps; the checkpoint is {folder}"
            )
    return run.result()


class _Run:
    """One call of `pretrain`: the learner, where it stands, and the best so far."""

    def __init__(self, pretrainer: Pretrainer, folder: Path, logger: Logger, scalars: Scalars) -> None:
        self.pretrainer, self.folder, self.logger, self.scalars = pretrainer, folder, logger, scalars
        self.progress = _Progress()
        self.best = pretrainer.weights()
        saved = load_checkpoint(folder)
        if saved is not None:
            pretrainer.load_state(saved.tensors, saved.values)
            self.progress = _Progress(**saved.progress)
            self.best = dict(saved.best)
            logger.info("resumed", steps=pretrainer.steps, best_loss=self.progress.best_loss)
        self._baselines = baseline_measures(pretrainer.lessons, pretrainer.lessons.judged(), pretrainer.seed)

    @property
    def finished(self) -> bool:
        return self.pretrainer.steps >= self.pretrainer.total_steps or self.progress.stopped_early

    @property
    def epoch_steps(self) -> int:
        """Steps of the epoch that is under way, or has just ended."""
        return (self.pretrainer.steps - 1) % self.pretrainer.steps_per_epoch + 1 if self.pretrainer.steps else 0

    def step(self) -> None:
        sums = {} if self.pretrainer.steps % self.pretrainer.steps_per_epoch == 0 else self.progress.sums
        losses = self.pretrainer.step()
        if not math.isfinite(losses["total"]):
            raise DataError(
                f"the loss is {losses['total']} after {self.pretrainer.steps} gradient steps ({losses}); lower learning_rate or "
                "max_gradient_norm, and look at the features for values beyond all others"
            )
        self.progress.sums = {name: sums.get(name, 0.0) + loss for name, loss in losses.items()}

    def judge(self) -> None:
        pretrainer, progress = self.pretrainer, self.progress
        loss, measures = pretrainer.judge()
        heads = report(measures, self._baselines)
        progress.history.append(loss)
        epoch = len(progress.history)
        for name, total in progress.sums.items():
            self.scalars.add_scalar(f"train/{name}", total / self.epoch_steps, pretrainer.steps)
        self.scalars.add_scalar("validation/total", loss, pretrainer.steps)
        for head, found in heads.items():
            for name in ("loss", "skill"):
                self.scalars.add_scalar(f"validation/{head}_{name}", found[name], pretrainer.steps)
        skills = {f"{head}_skill": found["skill"] for head, found in heads.items()}
        self.logger.info("evaluated", epoch=epoch, steps=pretrainer.steps, validation_loss=loss, **skills)
        if progress.best_loss is None or loss < progress.best_loss:
            progress.best_loss, progress.best_epoch, progress.heads = loss, epoch, heads
            self.best = pretrainer.weights()
        patience = pretrainer.params.patience
        progress.stopped_early = patience is not None and epoch - progress.best_epoch >= patience

    def told(self) -> dict[str, Any]:
        progress = self.progress
        total = progress.sums.get("total")
        return {
            "steps": self.pretrainer.steps,
            "total_steps": self.pretrainer.total_steps,
            "loss": None if total is None else total / self.epoch_steps,
            "history": list(progress.history),
            "best": progress.best_loss,
            "skills": {head: found["skill"] for head, found in progress.heads.items()},
        }

    def save(self) -> None:
        tensors, values = self.pretrainer.state()
        save_checkpoint(self.folder, Checkpoint(tensors, values, self.best, vars(self.progress)))

    def result(self) -> PretrainingResult:
        progress = self.progress
        warnings = [
            f"the {head} head is no better than {_BASELINES[head]}: the encoder learned nothing from it"
            for head, found in progress.heads.items()
            if found["skill"] is None or not found["skill"] > 0.0
        ]
        for warning in warnings:
            self.logger.warning(warning)
        loss = float("nan") if progress.best_loss is None else progress.best_loss
        return PretrainingResult(
            self.best,
            progress.best_epoch,
            loss,
            progress.history,
            progress.heads,
            self.pretrainer.steps,
            progress.seconds,
            warnings,
        )


_BASELINES = {
    "candles": "the mean candle or a line between its neighbours",
    "regimes": "the frequencies of the regimes",
    "levels": "the mean heatmap",
    "quantiles": "the training rows' own quantiles",
}
