"""PPO's loss of a batch and its gradient, in one compiled pass where that serves and in torch's operations elsewhere.

A small minibatch spends as long on the thirty small operations of this loss as on a layer of its network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from seawall.agents.distributions import Distribution, Numbered
from seawall.agents.losses import clipped_surrogate, clipped_value_loss, value_loss
from seawall.agents.ppo.batches import Batch


@dataclass(frozen=True)
class Weights:
    """What the loss is made of.

    Attributes:
        clip_range: How far a ratio may move.
        entropy: Weight of the entropy bonus.
        value: Weight of the value loss.
        value_clip: How far a value may move; None sets no limit.
    """

    clip_range: float
    entropy: float
    value: float
    value_clip: float | None


def objective(
    preferences: Tensor, values: Tensor, batch: Batch, distribution: Distribution, weights: Weights
) -> tuple[Tensor, Tensor, Tensor]:
    """Return PPO's loss of a batch.

    Args:
        preferences: What the policy makes of the batch, shape (..., P).
        values: What it is thought to be worth, shape (...).
        batch: Samples or sequences, shape (...).
        distribution: What the preferences describe.
        weights: Of the parts.

    Returns:
        The loss, with a gradient; policy loss, value loss and entropy, shape (3,); and the log-ratios of all samples, shape (B,);
        the last two without one.
    """
    if isinstance(distribution, Numbered) and preferences.device.type == "cpu" and preferences.dtype == torch.float32:
        return _Compiled.apply(preferences, values, batch, weights)  # pyright: ignore[reportReturnType] (torch does not say)
    logs, entropies = distribution.evaluate(preferences, batch.actions)
    log_ratio = logs - batch.log_probabilities
    policy_part, entropy_part = clipped_surrogate(log_ratio, batch.advantages, weights.clip_range), entropies.mean()
    if weights.value_clip is None:
        value_part = value_loss(values, batch.returns)
    else:
        value_part = clipped_value_loss(values, batch.values, batch.returns, weights.value_clip)
    loss = policy_part + weights.value * value_part - weights.entropy * entropy_part
    return loss, torch.stack((policy_part, value_part, entropy_part)).detach(), log_ratio.detach().flatten()


class _Compiled(torch.autograd.Function):
    """The loss of numbered actions; its gradient is found on the way forward."""

    @staticmethod
    def forward(ctx: Any, preferences: Tensor, values: Tensor, batch: Batch, weights: Weights) -> tuple[Tensor, Tensor, Tensor]:
        slopes, value_slopes = torch.empty_like(preferences, memory_format=torch.contiguous_format), torch.empty(values.shape)
        parts, log_ratio = torch.empty(3), torch.empty(values.numel())
        told = (batch.log_probabilities, batch.advantages, batch.returns, batch.values)
        _accumulate(
            preferences.reshape(-1, preferences.shape[-1]).numpy(),
            batch.actions.flatten().numpy(),
            tuple(block.flatten().numpy() for block in (values, *told)),
            (weights.clip_range, weights.value, weights.entropy, np.inf if weights.value_clip is None else weights.value_clip),
            (slopes.view(-1, preferences.shape[-1]).numpy(), value_slopes.view(-1).numpy()),
            parts.numpy(),
            log_ratio.numpy(),
        )
        ctx.save_for_backward(slopes, value_slopes)
        ctx.mark_non_differentiable(parts, log_ratio)
        loss = parts[0] + weights.value * parts[1] - weights.entropy * parts[2]
        return loss, parts, log_ratio

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *wanted: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        slopes, value_slopes = ctx.saved_tensors
        return slopes * wanted[0], value_slopes * wanted[0], None, None


@numba.njit(cache=True, error_model="numpy")
def _accumulate(preferences, actions, told, weights, slopes, parts, log_ratios):  # pragma: no cover
    """Fill in slopes of the loss, the means of its parts, and log-ratios."""
    clip_range, value_weight, entropy_weight, value_clip = weights
    by_preference, by_value = slopes
    values, old_logs, advantages, returns, old_values = told
    count, n_actions = preferences.shape
    policy_sum, value_sum, entropy_sum = 0.0, 0.0, 0.0
    logs = np.empty(n_actions)
    for i in range(count):
        entropy = _log_softmax(preferences[i], logs)
        log_ratio = logs[actions[i]] - old_logs[i]
        ratio, advantage = np.exp(log_ratio), advantages[i]
        kept = ratio
        if ratio > 1.0 + clip_range:
            kept = 1.0 + clip_range
        elif ratio < 1.0 - clip_range:
            kept = 1.0 - clip_range
        gain, kept_gain = ratio * advantage, kept * advantage
        pull = -gain if kept == ratio or gain < kept_gain else 0.0
        policy_sum -= gain if gain < kept_gain else kept_gain
        for action in range(n_actions):
            share = np.exp(logs[action])
            slope = pull * ((action == actions[i]) - share) + entropy_weight * share * (logs[action] + entropy)
            by_preference[i, action] = slope / count
        loss, slope = _value(values[i], old_values[i], returns[i], value_clip)
        by_value[i] = value_weight * slope / count
        value_sum += loss
        entropy_sum += entropy
        log_ratios[i] = log_ratio
    parts[0], parts[1], parts[2] = policy_sum / count, value_sum / count, entropy_sum / count


@numba.njit(cache=True, error_model="numpy")
def _log_softmax(row, logs):  # pragma: no cover
    """Fill in log-probabilities; return their entropy."""
    top, total, entropy = row.max(), 0.0, 0.0
    for action in range(len(row)):
        total += np.exp(float(row[action]) - top)
    lost = top + np.log(total)
    for action in range(len(row)):
        logs[action] = float(row[action]) - lost
        entropy -= np.exp(logs[action]) * logs[action]
    return entropy


@numba.njit(cache=True, error_model="numpy")
def _value(value, old, wanted, limit):  # pragma: no cover
    """Return half the squared error of a value that is not paid for moving far, and its slope."""
    far = float(value) - wanted
    moved = float(value) - old
    if not abs(moved) > limit:
        return 0.5 * far * far, far
    near = old + (limit if moved > 0 else -limit) - wanted
    if far * far > near * near:
        return 0.5 * far * far, far
    return 0.5 * near * near, 0.5 * far if far * far == near * near else 0.0
