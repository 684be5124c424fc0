"""Losses and diagnostics of policy-gradient methods, as pure functions of tensors."""

from __future__ import annotations

import torch
from torch import Tensor


def clipped_surrogate(log_ratio: Tensor, advantages: Tensor, clip_range: float) -> Tensor:
    """Return PPO's policy loss, to be minimised.

    ``-mean(min(ratio * A, clip(ratio, 1 - clip_range, 1 + clip_range) * A))`` with ``ratio = exp(log_ratio)``.
    Source: Schulman et al. 2017, arXiv 1707.06347, equation 7.

    Args:
        log_ratio: Log-probability of the taken action under the new policy less that under the old, shape (B,).
        advantages: Advantage of the taken action, shape (B,).
        clip_range: How far the ratio may move before it stops paying.
    """
    ratio = log_ratio.exp()
    return -torch.minimum(ratio * advantages, ratio.clamp(1.0 - clip_range, 1.0 + clip_range) * advantages).mean()


def value_loss(values: Tensor, returns: Tensor) -> Tensor:
    """Return half the mean squared error of predicted values, shapes (B,)."""
    return 0.5 * (values - returns).square().mean()


def clipped_value_loss(values: Tensor, old_values: Tensor, returns: Tensor, clip_range: float) -> Tensor:
    """Return half the mean squared error of values that are not paid for moving further than a range in one update.

    ``mean(max((v - R)^2, (old + clip(v - old, -range, range) - R)^2)) / 2``.
    Source: Engstrom et al. 2020, arXiv 2005.12729, section 2 (value function clipping).

    Args:
        values: Predictions, shape (B,).
        old_values: Predictions at the time of the rollout, shape (B,).
        returns: What they should be, shape (B,).
        clip_range: How far a value may move, in units of the returns.
    """
    near = old_values + (values - old_values).clamp(-clip_range, clip_range)
    return 0.5 * torch.maximum((values - returns).square(), (near - returns).square()).mean()


def entropies(log_probabilities: Tensor) -> Tensor:
    """Return entropies in nats, shape (...), of normalised log-probabilities, shape (..., n_actions)."""
    return -(log_probabilities.exp() * log_probabilities).sum(-1)


def approximate_kl(log_ratio: Tensor) -> Tensor:
    """Return an unbiased, never negative estimate of KL(old || new) in nats from log-ratios of taken actions, shape (B,).

    ``mean(ratio - 1 - log_ratio)``. Source: Schulman, "Approximating KL divergence", 2020, estimator k3.
    """
    return (log_ratio.exp() - 1.0 - log_ratio).mean()


def clip_fraction(log_ratio: Tensor, clip_range: float) -> Tensor:
    """Return the share of samples whose ratio left the clip range, from log-ratios of shape (B,)."""
    return ((log_ratio.exp() - 1.0).abs() > clip_range).float().mean()


def explained_variance(values: Tensor, returns: Tensor) -> Tensor:
    """Return the share of the returns' variance that predicted values explain: 1 is perfect, 0 as good as a constant.

    Args:
        values: Predictions, any shape.
        returns: What they should have been, the same shape. NaN comes back where these do not vary.
    """
    return 1.0 - (returns - values).var(correction=0) / returns.var(correction=0)
