"""What the heads of self-supervised pre-training are judged by, as pure functions of tensors."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 (the name that torch users know)
from torch import Tensor


def pinball_losses(quantiles: Tensor, values: Tensor, levels: Tensor) -> Tensor:
    """Return the pinball loss of quantile forecasts.

    ``max(q · u, (q − 1) · u)`` with ``u = value − forecast``: least in the mean where the forecast is the q-quantile.
    Source: Koenker and Bassett 1978, "Regression quantiles".

    Args:
        quantiles: Forecasts, shape (..., Q).
        values: What came, shape (...).
        levels: q of each forecast, between 0 and 1, shape (Q,).

    Returns:
        Shape (..., Q), in the units of the values.
    """
    error = values[..., None] - quantiles
    return torch.maximum(levels * error, (levels - 1.0) * error)


def masked_square_error(forecasts: Tensor, values: Tensor, masks: Tensor) -> Tensor:
    """Return the mean squared error over hidden bars alone.

    Args:
        forecasts: Shape (B, L, K).
        values: Shape (B, L, K).
        masks: True where a bar was hidden, shape (B, L). Without any the loss is 0.
    """
    errors = (forecasts - values).square().mean(-1)
    return torch.where(masks, errors, 0.0).sum() / masks.sum().clamp(min=1)


def smoothed_cross_entropy(logits: Tensor, classes: Tensor, smoothing: float) -> Tensor:
    """Return the mean cross-entropy against classes of which a share is spread evenly over the wrong ones.

    Args:
        logits: Shape (B, K).
        classes: The right ones, int64, shape (B,).
        smoothing: Share that the K − 1 wrong classes get together; torch's own spreads over all K.
    """
    n = logits.shape[-1]
    return F.cross_entropy(logits, classes, label_smoothing=smoothing * n / (n - 1))


def heatmap_cross_entropy(logits: Tensor, heatmaps: Tensor) -> Tensor:
    """Return the mean binary cross-entropy over cells, of logits: the one sigmoid is in here.

    Args:
        logits: Shape (B, cells).
        heatmaps: From 0 to 1, shape (B, cells).
    """
    return F.binary_cross_entropy_with_logits(logits, heatmaps)
