"""Advantages: how much better an action turned out than was expected."""

from __future__ import annotations

import numba
import numpy as np

from seawall.core.errors import InvariantError


def generalised_advantages(
    rewards: np.ndarray,
    values: np.ndarray,
    final_values: np.ndarray,
    terminated: np.ndarray,
    truncated: np.ndarray,
    gamma: float,
    lam: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return generalised advantage estimates and the returns that a value function should predict.

    ``delta_t = r_t + gamma * next_t - v_t`` and ``A_t = delta_t + gamma * lam * A_{t+1}``, where the second term is
    dropped at every end of an episode. ``next_t`` is ``v_{t+1}`` inside an episode; the value of the final observation
    at a truncation, because the market goes on after it; 0 at a termination. A step that is both is a termination.
    Source: Schulman et al. 2015, arXiv 1506.02438, equation 16.

    Args:
        rewards: Reward of the step that starts at observation t, shape (T, N).
        values: Value of the observation of each step, and of the one after the last; shape (T + 1, N).
        final_values: Value of the observation in which an episode ended, shape (T, N); read only where `truncated`.
        terminated: Whether the step ended in ruin, bool, shape (T, N).
        truncated: Whether a limit of time or data ended the episode, bool, shape (T, N).
        gamma: Discount per step.
        lam: Weight of longer estimates, 0 for one step, 1 for all of the rollout.

    Returns:
        Advantages, and advantages plus values; both float32, shape (T, N).

    Raises:
        InvariantError: The shapes do not fit together.
    """
    steps, n = rewards.shape
    if values.shape != (steps + 1, n) or any(block.shape != (steps, n) for block in (final_values, terminated, truncated)):
        raise InvariantError(
            f"rewards have shape {rewards.shape}, so values need {(steps + 1, n)}, and final values and ends {(steps, n)}; "
            f"got {values.shape}, {final_values.shape}, {terminated.shape}, {truncated.shape}"
        )
    advantages = np.empty((steps, n), dtype=np.float32)
    _accumulate(rewards, values, final_values, terminated, truncated, gamma, lam, advantages)
    return advantages, advantages + values[:-1].astype(np.float32)


@numba.njit(cache=True)
def _accumulate(rewards, values, final_values, terminated, truncated, gamma, lam, advantages):  # noqa: PLR0913  # pragma: no cover
    steps, n = rewards.shape
    for i in range(n):
        advantage = 0.0
        for t in range(steps - 1, -1, -1):
            following = values[t + 1, i]
            if terminated[t, i]:
                following = 0.0
                advantage = 0.0
            elif truncated[t, i]:
                following = final_values[t, i]
                advantage = 0.0
            delta = rewards[t, i] + gamma * following - values[t, i]
            advantage = delta + gamma * lam * advantage
            advantages[t, i] = advantage
