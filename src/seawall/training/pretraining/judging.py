"""How well forecasts of the four heads do, a learner's and a baseline's by one measure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the name that torch users know)
from torch import Tensor

from seawall.core.seeding import generator
from seawall.features.labels.regimes import REGIMES
from seawall.nets.pretraining import PretrainingBatch
from seawall.nets.pretraining_losses import pinball_losses, smoothed_cross_entropy
from seawall.nets.pretraining_masks import span_masks
from seawall.training.pretraining.baselines import NaiveForecasts, interpolated_candles
from seawall.training.pretraining.lessons import Lessons

Forecast = Callable[[PretrainingBatch], dict[str, Tensor]]
Measures = dict[str, dict[str, float]]
_BATCH = 256


class _Tally:
    """Means of numbers that come batch by batch."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str], list[float]] = {}

    def add(self, head: str, name: str, values: Tensor) -> None:
        held = self._sums.setdefault((head, name), [0.0, 0.0])
        held[0] += float(values.double().sum())
        held[1] += values.numel()

    def means(self) -> Measures:
        found: Measures = {}
        for (head, name), (total, count) in self._sums.items():
            found.setdefault(head, {})[name] = total / count if count else float("nan")
        return found


def measure(forecast: Forecast, lessons: Lessons, rows: np.ndarray, seed: int) -> Measures:
    """Judge forecasts on some rows; which bars are hidden depends on the seed alone.

    Args:
        forecast: Of a network in evaluation mode, or of a baseline.
        lessons: Windows and targets.
        rows: Int64.
        seed: The run's.

    Returns:
        By head: ``loss`` as it is trained on; and for regimes ``cross_entropy``, ``accuracy`` and ``recall_<regime>``; for levels
        ``floor``, the loss of perfect knowledge, and ``square_error``; for quantiles ``coverage_<percent>``, the share of returns
        at or below each forecast.
    """
    tally = _Tally()
    heads = lessons.params.heads
    random = generator(seed, "validation masks")
    for first in range(0, len(rows), _BATCH):
        part = rows[first : first + _BATCH]
        masks = span_masks(random, len(part), lessons.window, heads.candles.mask_ratio, heads.candles.mean_span)
        batch = lessons.batch(part, masks)
        with torch.no_grad():
            outputs = forecast(batch)
        if "candles" in outputs:
            tally.add("candles", "loss", (outputs["candles"] - batch.candles).square().mean(-1)[batch.masks])
        if "regimes" in outputs:
            _add_regimes(tally, outputs["regimes"], batch.regimes, heads.regimes.label_smoothing)
        if "levels" in outputs:
            _add_levels(tally, outputs["levels"], batch.heatmaps)
        if "quantiles" in outputs:
            _add_quantiles(tally, outputs["quantiles"], batch.returns, heads.quantiles.levels)
    return tally.means()


def baseline_measures(lessons: Lessons, rows: np.ndarray, seed: int) -> Measures:
    """Judge what anyone could say, by the same measure; ``candles`` has ``interpolation`` beside the loss of the mean candle."""
    found = measure(NaiveForecasts(lessons), lessons, rows, seed)
    if "candles" in found:
        found["candles"]["interpolation"] = measure(interpolated_candles, lessons, rows, seed)["candles"]["loss"]
    return found


def skills(measures: Measures, baselines: Measures) -> dict[str, float]:
    """Return how much of the baseline's loss each head saves: 1 is perfect, 0 as good as the baseline, negative worse.

    Candles are held to the better of mean and interpolation; regimes to the cross-entropy of their frequencies; levels to the mean
    heatmap, above the least that any forecast can lose; quantiles to the empirical ones of the training rows.
    """
    found: dict[str, float] = {}
    for head, own in measures.items():
        other = baselines[head]
        if head == "candles":
            found[head] = _saved(own["loss"], min(other["loss"], other["interpolation"]), 0.0)
        elif head == "regimes":
            found[head] = _saved(own["cross_entropy"], other["cross_entropy"], 0.0)
        else:
            found[head] = _saved(own["loss"], other["loss"], own.get("floor", 0.0))
    return found


def report(measures: Measures, baselines: Measures) -> dict[str, Any]:
    """Return by head its measures, the baseline's beside them, and the skill."""
    won = skills(measures, baselines)
    return {head: {**own, "baseline": baselines[head], "skill": won[head]} for head, own in measures.items()}


def _saved(loss: float, baseline: float, floor: float) -> float:
    return 1.0 - (loss - floor) / (baseline - floor) if baseline > floor else float("nan")


def _add_regimes(tally: _Tally, logits: Tensor, classes: Tensor, smoothing: float) -> None:
    tally.add("regimes", "loss", smoothed_cross_entropy(logits, classes, smoothing).expand(len(classes)))
    tally.add("regimes", "cross_entropy", F.cross_entropy(logits, classes, reduction="none"))
    right = (logits.argmax(-1) == classes).float()
    tally.add("regimes", "accuracy", right)
    for number, name in enumerate(REGIMES):
        tally.add("regimes", f"recall_{name}", right[classes == number])


def _add_levels(tally: _Tally, logits: Tensor, heatmaps: Tensor) -> None:
    tally.add("levels", "loss", F.binary_cross_entropy_with_logits(logits, heatmaps, reduction="none"))
    tally.add("levels", "floor", -(torch.xlogy(heatmaps, heatmaps) + torch.xlogy(1.0 - heatmaps, 1.0 - heatmaps)))
    tally.add("levels", "square_error", (logits.sigmoid() - heatmaps).square())


def _add_quantiles(tally: _Tally, quantiles: Tensor, returns: Tensor, levels: tuple[float, ...]) -> None:
    tally.add("quantiles", "loss", pinball_losses(quantiles, returns, torch.tensor(levels, device=returns.device)))
    covered = (returns[..., None] <= quantiles).float()
    for place, level in enumerate(levels):
        tally.add("quantiles", f"coverage_{100 * level:.0f}", covered[..., place])
