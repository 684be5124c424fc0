"""What Q-learning learns towards, and how far off it is: pure functions of tensors."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 (the name that torch users know)
from torch import Tensor


def following_quantiles(ahead: Tensor, chooser: Tensor) -> Tensor:
    """Return what the best action is worth where the rewards end.

    With the target network as chooser this is Q-learning's maximum; with the learning network it is double Q-learning, which does
    not mistake noise for value (van Hasselt, Guez, Silver 2016, arXiv 1509.06461, equation 4).

    Args:
        ahead: The target network's quantiles of each action, shape (B, n_actions, K).
        chooser: Quantiles whose mean chooses the action, shape (B, n_actions, K).

    Returns:
        Quantiles of the chosen action, shape (B, K).
    """
    return taken(ahead, chooser.mean(2).argmax(1))


def taken(quantiles: Tensor, actions: Tensor) -> Tensor:
    """Return the quantiles (B, K) of one action each, out of (B, n_actions, K); actions have shape (B,)."""
    return quantiles.gather(1, actions[:, None, None].expand(-1, 1, quantiles.shape[2]))[:, 0]


def bootstrapped(returns: Tensor, discounts: Tensor, following: Tensor) -> Tensor:
    """Return ``R + discount * quantile`` for each quantile: returns and discounts (B,), quantiles (B, K), result (B, K)."""
    return returns[:, None] + discounts[:, None] * following


def value_losses(predicted: Tensor, target: Tensor, threshold: float | None) -> Tensor:
    """Return the loss of each sample, shape (B,): half the squared error, or Huber's.

    Args:
        predicted: Q of the action taken, shape (B,).
        target: What it should have been, shape (B,).
        threshold: Error beyond which the loss grows linearly; None for never.
    """
    if threshold is None:
        return 0.5 * (predicted - target).square()
    return F.huber_loss(predicted, target, reduction="none", delta=threshold)


def quantile_losses(predicted: Tensor, target: Tensor, threshold: float) -> Tensor:
    """Return the quantile Huber loss of each sample, shape (B,).

    ``sum_i mean_j |tau_i - [u_ij < 0]| huber(u_ij) / threshold`` with ``u_ij = target_j - predicted_i`` and
    ``tau_i = (2i + 1) / 2K``. Source: Dabney et al. 2018, arXiv 1710.10044, equation 10; divided by the threshold as in
    arXiv 1806.06923, equation 3, so that a threshold near 0 gives plain quantile regression.

    Args:
        predicted: Quantiles of the action taken, shape (B, K).
        target: Samples of what the return should have been, shape (B, K').
        threshold: Error beyond which the loss grows linearly.
    """
    count = predicted.shape[1]
    fractions = (torch.arange(count, device=predicted.device) + 0.5) / count
    errors = target[:, None, :] - predicted[:, :, None]
    weights = (fractions[:, None] - (errors.detach() < 0).float()).abs()
    huber = F.huber_loss(errors, torch.zeros_like(errors), reduction="none", delta=threshold)
    return (weights * huber / threshold).mean(2).sum(1)
