"""What a clipped policy gradient tells of its learning."""

from __future__ import annotations

import torch
from torch import Tensor

from seawall.agents.distributions import Distribution
from seawall.agents.losses import approximate_kl, clip_fraction

LOSSES: tuple[str, ...] = ("policy_loss", "value_loss", "entropy", "gradient_norm")


def step_diagnostics(losses: Tensor, log_ratios: Tensor, clip_range: float, max_gradient_norm: float) -> dict[str, float]:
    """Return the diagnostics of some gradient steps.

    Args:
        losses: In the order of `LOSSES`, the norm before it was clipped; shape (K, 4).
        log_ratios: Of all samples, shape (B,).
        clip_range: How far a ratio might move.
        max_gradient_norm: To which gradients were scaled down.
    """
    return {
        **dict(zip(LOSSES, losses.mean(0).tolist(), strict=True)),
        "gradient_clipped": float((losses[:, -1] > max_gradient_norm).float().mean()),
        "approx_kl": float(approximate_kl(log_ratios)),
        "clip_fraction": float(clip_fraction(log_ratios, clip_range)),
        "log_ratio_max": float(log_ratios.abs().max()),
    }


def actions_taken(distribution: Distribution, actions: Tensor, n_actions: int) -> dict[str, float]:
    """Return the share of each numbered action, or mean and deviation of continuous ones.

    Args:
        distribution: That the actions were drawn from.
        actions: As it keeps them, any shape.
        n_actions: Number of discrete actions; 0 where an action is one continuous number.
    """
    proposed = distribution.proposals(actions)
    if not n_actions:
        return {"action_mean": float(proposed.mean()), "action_deviation": float(proposed.std())}
    shares = torch.bincount(proposed.flatten(), minlength=n_actions) / proposed.numel()
    return {f"action_share_{action}": share for action, share in enumerate(shares.tolist())}
