"""Training a reinforcement learner: update, judge on validation rows, keep the best, checkpoint, stop safely."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any, Literal, Protocol

from pydantic import Field
from torch import Tensor

from seawall.core.fan_out import Interrupted
from seawall.core.params import Params
from seawall.core.protocols import Policy
from seawall.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from seawall.training.snapshots import save_snapshot
from seawall.training.tracking import Scalars

COLLAPSED_SHARE, COLLAPSED_DEVIATION = 0.99, 0.01
EXPLODED_LOSS = 1e3
"""Rewards are of the size of 1 where they are normalised, so that losses are too."""
_FLAT = 1e-12


class TrainingParams(Params):
    """How a training is judged and saved."""

    evaluate_every: int = Field(default=2, ge=1, description="updates between scores on the validation rows")
    patience: int | None = Field(
        default=None, ge=1, description="stop after this many scores without a better one; null never does"
    )
    checkpoint_every: int = Field(default=10, ge=1, description="updates between checkpoints")
    keep: Annotated[int, Field(ge=1)] | Literal["best", "all"] = Field(
        default="best",
        description="weights kept beside the best: of the newest evaluation, of all, or of so many; each as large as a member",
    )


class Learner(Protocol):
    """What the driver asks of an algorithm.

    Attributes:
        failure_folder: Where the batch of a training that diverged is saved; None saves none.
    """

    failure_folder: Path | None

    @property
    def steps(self) -> int:
        """Environment steps so far."""
        ...

    @property
    def total_steps(self) -> int:
        """Environment steps of the whole training."""
        ...

    def update(self) -> dict[str, float]:
        """Collect and learn once; return diagnostics."""
        ...

    def policy(self) -> Policy:
        """Return the policy as it is now."""
        ...

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the weights, on the host."""
        ...

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return all that an exact resumption needs."""
        ...

    def load_state(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Continue from what `state` returned."""
        ...


class Logger(Protocol):
    """The part of a structured logger that is used here."""

    def info(self, event: str, **fields: Any) -> Any:
        """Record an event."""
        ...

    def warning(self, event: str, **fields: Any) -> Any:
        """Record something the user should look at."""
        ...


@dataclass(frozen=True)
class TrainResult:
    """What a training came to.

    Attributes:
        weights: The best weights by validation score.
        best_step: Environment steps after which they were found.
        best_score: Their score.
        history: Environment steps and score of every evaluation.
        steps: Environment steps in all.
        seconds: Wall time in all, over resumptions.
        warnings: What looked wrong, each naming the setting to change.
    """

    weights: dict[str, Tensor]
    best_step: int
    best_score: float
    history: list[tuple[int, float]]
    steps: int
    seconds: float
    warnings: list[str]


@dataclass
class _Progress:
    """The driver's own state, as it is checkpointed."""

    updates: int = 0
    steps: int = 0
    total_steps: int = 0
    seconds: float = 0.0
    best_step: int = -1
    best_score: float | None = None
    stale: int = 0
    stopped_early: bool = False
    history: list[tuple[int, float]] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)


def train(  # noqa: PLR0913 (each is a collaborator that the caller injects)
    learner: Learner,
    *,
    evaluate: Callable[[Policy], float],
    params: TrainingParams,
    folder: Path,
    should_stop: Callable[[], bool],
    on_progress: Callable[[dict[str, Any]], None],
    logger: Logger,
    scalars: Scalars,
) -> TrainResult:
    """Train until the learner's steps are done, or patience runs out.

    A checkpoint found in `folder` is continued, and the result equals that of a training that was never stopped.

    Args:
        learner: The algorithm, as it was built.
        evaluate: Scores a policy on validation rows, higher is better; must never look at the test rows. A score that is
            not finite is never the best.
        params: When to evaluate, checkpoint and give up.
        folder: Where the checkpoint lives.
        should_stop: Asked after every update.
        on_progress: Called after every update with ``steps``, ``total_steps``, ``score`` (the newest or None),
            ``scored_at`` (its steps), ``best`` and the learner's diagnostics under ``metrics``.
        logger: Takes scores, and warnings that name the setting to change.
        scalars: Takes every diagnostic and score; a diagnostic stands under ``train/``, if its name has no group of its own.

    Returns:
        The best weights, and how the training went.

    Raises:
        Interrupted: `should_stop` said so; the checkpoint is saved.
    """
    run = _Run(learner, evaluate, params, folder, logger, scalars)
    while not run.finished:
        run.update()
        on_progress(run.report())
        stop = should_stop()
        if stop or run.finished or run.progress.updates % params.checkpoint_every == 0:
            run.save()
        if stop and not run.finished:
            raise Interrupted(f"training stopped after {learner.steps} of {learner.total_steps} steps; the checkpoint is {folder}")
    return run.result()


class _Run:
    """One call of `train`: the learner, where it stands, and the best so far."""

    def __init__(
        self,
        learner: Learner,
        evaluate: Callable[[Policy], float],
        params: TrainingParams,
        folder: Path,
        logger: Logger,
        scalars: Scalars,
    ) -> None:
        self.learner, self.evaluate, self.params, self.folder = learner, evaluate, params, folder
        self.logger, self.scalars = logger, scalars
        self.progress = _Progress()
        self.best = learner.weights()
        saved = load_checkpoint(folder)
        if saved is not None:
            learner.load_state(saved.tensors, saved.values)
            self.progress = _Progress(**saved.progress)
            self.progress.history = [(int(step), _number(score)) for step, score in saved.progress["history"]]
            self.progress.metrics = {name: _number(value) for name, value in saved.progress["metrics"].items()}
            self.best = dict(saved.best)
            logger.info("resumed", steps=learner.steps, best_score=self.progress.best_score)

    @property
    def finished(self) -> bool:
        return self.learner.steps >= self.learner.total_steps or self.progress.stopped_early

    def update(self) -> None:
        started = perf_counter()
        progress = self.progress
        progress.metrics = self.learner.update()
        progress.updates += 1
        progress.steps, progress.total_steps = self.learner.steps, self.learner.total_steps
        for name, value in progress.metrics.items():
            self.scalars.add_scalar(name if "/" in name else f"train/{name}", value, self.learner.steps)
        if progress.updates % self.params.evaluate_every == 0 or self.finished:
            self._judge()
        progress.seconds += perf_counter() - started

    def _judge(self) -> None:
        score, step, progress = float(self.evaluate(self.learner.policy())), self.learner.steps, self.progress
        weights = self.learner.weights()
        progress.history.append((step, score))
        self.scalars.add_scalar("validation/score", score, step)
        self.logger.info("evaluated", **{**progress.metrics, "steps": step, "score": score})
        if math.isfinite(score) and (progress.best_score is None or score > progress.best_score):
            progress.best_score, progress.best_step, progress.stale = score, step, 0
            self.best = weights
        else:
            progress.stale += 1
        progress.stopped_early = self.params.patience is not None and progress.stale >= self.params.patience
        save_snapshot(self.folder, step, weights, self.params.keep)

    def report(self) -> dict[str, Any]:
        progress = self.progress
        return {
            "steps": self.learner.steps,
            "total_steps": self.learner.total_steps,
            "score": progress.history[-1][1] if progress.history else None,
            "scored_at": progress.history[-1][0] if progress.history else None,
            "best": progress.best_score,
            "metrics": progress.metrics,
        }

    def save(self) -> None:
        tensors, values = self.learner.state()
        save_checkpoint(self.folder, Checkpoint(tensors, values, self.best, vars(self.progress)))

    def result(self) -> TrainResult:
        progress = self.progress
        warnings = training_warnings(progress.history, progress.metrics)
        for warning in warnings:
            self.logger.warning(warning)
        score = float("nan") if progress.best_score is None else progress.best_score
        return TrainResult(self.best, progress.best_step, score, progress.history, self.learner.steps, progress.seconds, warnings)


def training_warnings(history: list[tuple[int, float]], metrics: Mapping[str, float]) -> list[str]:
    """Say what looks wrong with a training, naming the setting to change.

    Args:
        history: Steps and score of every evaluation.
        metrics: The newest diagnostics.
    """
    warnings = [*_collapse(metrics), *_explosion(metrics)]
    scores = [score for _, score in history]
    if scores and not any(map(math.isfinite, scores)):
        warnings.append("no validation score was finite, so no weights could be preferred; check the validation rows")
    elif len(scores) >= 3 and max(scores) - min(scores) <= _FLAT:
        warnings.append(
            f"the validation score stayed at {scores[0]:g} in all {len(scores)} evaluations: the policy does not react; "
            "raise learning_rate or entropy_coefficient, lower the costs, or train for more total_steps"
        )
    return warnings


def _collapse(metrics: Mapping[str, float]) -> Iterator[str]:
    # Q-learning has no entropy: what it explores by is a share of random actions, and its weights' decay flattens values.
    remedy = "raise epsilon_end or lower weight_decay" if "epsilon" in metrics else "raise entropy_coefficient"
    otherwise = "lower learning_rate, or accept that the market pays for nothing else at these costs"
    for name, share in metrics.items():
        if name.startswith("action_share_") and share > COLLAPSED_SHARE:
            action = name.removeprefix("action_share_")
            yield f"the policy collapsed: {share:.1%} of its actions are number {action}; {remedy}, {otherwise}"
    deviation = metrics.get("action_deviation")
    if deviation is not None and deviation < COLLAPSED_DEVIATION:
        mean = metrics.get("action_mean", float("nan"))
        yield f"the policy collapsed: its numbers stay within {deviation:.2g} of {mean:.2g}; {remedy}, {otherwise}"


def _explosion(metrics: Mapping[str, float]) -> Iterator[str]:
    for name in ("value_loss", "loss"):
        if metrics.get(name, 0.0) > EXPLODED_LOSS:
            yield (
                f"the loss explodes: {name} is {metrics[name]:.3g}; set normalise_reward, lower learning_rate or "
                "max_gradient_norm, or lower the weights of the reward"
            )


def _number(value: float | None) -> float:
    """JSON has no NaN, so a number that was not finite comes back as None."""
    return float("nan") if value is None else float(value)
