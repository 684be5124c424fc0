"""What anyone could say without learning: the forecasts that a head has to beat, fitted on the training rows alone."""

from __future__ import annotations

import torch
from torch import Tensor

from seawall.nets.pretraining import PretrainingBatch
from seawall.training.pretraining.lessons import Lessons

_LEAST = 1e-4


class NaiveForecasts:
    """Always the same: the mean candle, the frequencies of the regimes, the mean heatmap, the empirical quantiles.

    Attributes:
        outputs: By head that is on: a candle (K,), log frequencies (classes,), logits of cells (cells,), quantiles (H, Q).
    """

    def __init__(self, lessons: Lessons) -> None:
        """Fit on the training rows."""
        candles, regimes, heatmaps, returns = lessons.targets(lessons.train)
        heads = lessons.params.heads
        counts = torch.bincount(regimes.clamp(min=0), minlength=lessons.sizes.regimes).double()
        found = {
            "candles": candles.mean(0),
            "regimes": (counts / counts.sum()).clamp(min=_LEAST).log().float(),
            "levels": heatmaps.mean(0).clamp(_LEAST, 1.0 - _LEAST).logit(),
            "quantiles": _quantiles(returns, heads.quantiles.levels),
        }
        self.outputs = {name: output for name, output in found.items() if name in heads.on}

    def __call__(self, batch: PretrainingBatch) -> dict[str, Tensor]:
        """Return what a network returns, of the heads that are on."""
        n, window = batch.masks.shape
        shapes = {"candles": (n, window)}
        return {name: output.expand(*shapes.get(name, (n,)), *output.shape) for name, output in self.outputs.items()}


def _quantiles(values: Tensor, levels: tuple[float, ...]) -> Tensor:
    """Return empirical quantiles, shape (H, Q), of values (N, H); torch.quantile takes no more than 2^24 of them."""
    ordered = values.double().sort(0).values
    place = torch.tensor(levels, dtype=torch.float64, device=values.device) * (len(ordered) - 1)
    below = place.floor().long()
    above = (below + 1).clamp(max=len(ordered) - 1)
    share = (place - below)[:, None]
    return (ordered[below] * (1.0 - share) + ordered[above] * share).T.float()


def interpolated_candles(batch: PretrainingBatch) -> dict[str, Tensor]:
    """Fill hidden candles by the line between the nearest visible ones; at the ends of a window by the nearest; 0 without any."""
    visible = ~batch.masks
    window = batch.masks.shape[1]
    place = torch.arange(window, device=batch.masks.device).expand_as(batch.masks)
    before = torch.where(visible, place, -1).cummax(1).values
    after = window - 1 - torch.where(visible, window - 1 - place, -window).flip(1).cummax(1).values.flip(1)
    no_before, no_after = before < 0, after >= window
    left = torch.where(no_before, after, before).clamp(0, window - 1)
    right = torch.where(no_after, before, after).clamp(0, window - 1)
    share = (place - left) / (right - left).clamp(min=1)
    width = batch.candles.shape[-1]
    at = [batch.candles.gather(1, side[..., None].expand(-1, -1, width)) for side in (left, right)]
    filled = at[0] + (at[1] - at[0]) * share[..., None]
    return {"candles": torch.where((no_before & no_after)[..., None], 0.0, filled)}
