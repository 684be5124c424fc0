"""The compiled recursions over a stretch of bars: values backward, visiting probabilities forward.

With B stretches of L bars, P positions and A actions: π the policy, r the reward, and n(p, a) the position after an action.

    Q[t, p, a] = r[t, p, a] + γ V[t + 1, n(p, a)]        V[t, p] = Σ_a π[t, p, a] Q[t, p, a]        V[L] = the critic's
    d[t + 1, q] = Σ_{p, a: n(p, a) = q} d[t, p] π[t, p, a]        d[0] = where the account starts

The path of the market does not depend on the position, so that both are exact: no action is sampled.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from seawall.core.errors import InvariantError


def advantages_and_values(
    policy: np.ndarray, rewards: np.ndarray, following: np.ndarray, end_values: np.ndarray, gamma: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the advantage of every action, and the value, in every position at every bar, under the policy itself.

    Args:
        policy: Probability of each action, shape (B, L, P, A), float32 or float64.
        rewards: Reward of each action, the same shape and type.
        following: Place of the position after each action, int64, shape (P, A).
        end_values: Value of each position after the last bar, the same type, shape (B, P).
        gamma: Discount per bar.

    Returns:
        Advantages Q − V, shape (B, L, P, A); and values, shape (B, L, P).

    Raises:
        InvariantError: The shapes do not fit together.
    """
    n, bars, n_positions, n_actions = policy.shape
    wanted = ((n, bars, n_positions, n_actions), (n_positions, n_actions), (n, n_positions))
    if (rewards.shape, following.shape, end_values.shape) != wanted:
        raise InvariantError(
            f"a policy of shape {policy.shape} needs rewards, following positions and end values of shapes {wanted}; "
            f"got {rewards.shape}, {following.shape}, {end_values.shape}"
        )
    advantages, values = np.empty_like(policy), np.empty_like(policy[..., 0])
    _backward(policy, rewards, following, end_values, gamma, advantages, values)
    return advantages, values


def visiting_probabilities(policy: np.ndarray, following: np.ndarray, start: np.ndarray, discount: float = 1.0) -> np.ndarray:
    """Return how likely the policy is in each position at each bar, shape (B, L, P).

    Args:
        policy: Probability of each action, shape (B, L, P, A).
        following: Place of the position after each action, int64, shape (P, A).
        start: Probability of each position at the first bar, shape (B, P).
        discount: Factor per bar; with γ the weights are those of the gradient of the discounted return.

    Raises:
        InvariantError: The shapes do not fit together.
    """
    n, _, n_positions, n_actions = policy.shape
    if following.shape != (n_positions, n_actions) or start.shape != (n, n_positions):
        raise InvariantError(
            f"a policy of shape {policy.shape} needs following positions and a start of shapes {(n_positions, n_actions)} and "
            f"{(n, n_positions)}; got {following.shape}, {start.shape}"
        )
    visits = np.empty_like(policy[..., 0])
    _forward(policy, following, start, discount, visits)
    return visits


@njit(cache=True, error_model="numpy")
def _backward(
    policy: np.ndarray,
    rewards: np.ndarray,
    following: np.ndarray,
    end_values: np.ndarray,
    gamma: float,
    advantages: np.ndarray,
    values: np.ndarray,
) -> None:
    n, bars, n_positions, n_actions = policy.shape
    after, now = np.empty(n_positions), np.empty(n_positions)
    for i in range(n):
        after[:] = end_values[i]
        for bar in range(bars - 1, -1, -1):
            for position in range(n_positions):
                value = 0.0
                for action in range(n_actions):
                    quality = rewards[i, bar, position, action] + gamma * after[following[position, action]]
                    advantages[i, bar, position, action] = quality
                    value += policy[i, bar, position, action] * quality
                for action in range(n_actions):
                    advantages[i, bar, position, action] -= value
                now[position] = values[i, bar, position] = value
            after[:] = now


@njit(cache=True, error_model="numpy")
def _forward(policy: np.ndarray, following: np.ndarray, start: np.ndarray, discount: float, visits: np.ndarray) -> None:
    n, bars, n_positions, n_actions = policy.shape
    now, after = np.empty(n_positions), np.empty(n_positions)
    for i in range(n):
        now[:] = start[i]
        for bar in range(bars):
            visits[i, bar] = now
            after[:] = 0.0
            for position in range(n_positions):
                for action in range(n_actions):
                    after[following[position, action]] += discount * now[position] * policy[i, bar, position, action]
            now[:] = after
