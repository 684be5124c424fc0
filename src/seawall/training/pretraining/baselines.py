"""What anyone could say without learning: the forecasts that a head has to beat, fitted on the training rows alone."""

from __future__ import annotations

import torch
from torch import Tensor

from seawall.nets.pretraining import PretrainingBatch
from seawall.training.pretraining.lessons import Lessons

_LEAST = 1e-4


class NaiveForecasts:
    """Always the same: the mean candle, the frequencies of the regimes, the mean heatmap, the empirical quantiles."""

    def __init__(self, lessons: Lessons) -> None:
        """Fit on the training rows."""
        candles, regimes, heatmaps, returns = lessons.targets(lessons.train)
        heads = lessons.params.heads
        self.on = heads.on
        self._candle = candles.mean(0)
        counts = torch.bincount(regimes.clamp(min=0), minlength=lessons.sizes.regimes).double()
        self._regimes = (counts / counts.sum()).clamp(min=_LEAST).log().float()
        self._heatmap = heatmaps.mean(0).clamp(_LEAST, 1.0 - _LEAST).logit()
        levels = torch.tensor(heads.quantiles.levels, dtype=torch.float64)
        ordered = returns.double().sort(0).values
        # torch.quantile refuses more than 2^24 numbers; this is the same linear rule.
        place = levels.to(ordered.device) * (len(ordered) - 1)
        below = place.floor().long()
        above = (below + 1).clamp(max=len(ordered) - 1)
        share = (place - below)[:, None]
        self._quantiles = (ordered[below] * (1.0 - share) + ordered[above] * share).T.float()

    def __call__(self, batch: PretrainingBatch) -> dict[str, Tensor]:
        """Return what a network returns, of the heads that are on."""
        n, window = batch.masks.shape
        found = {
            "candles": self._candle.expand(n, window, -1),
            "regimes": self._regimes.expand(n, -1),
            "levels": self._heatmap.expand(n, -1),
            "quantiles": self._quantiles.expand(n, -1, -1),
        }
        return {name: forecast for name, forecast in found.items() if name in self.on}


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
