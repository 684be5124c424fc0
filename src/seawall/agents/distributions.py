"""What a policy draws its actions from: numbered actions, or one number from -1 to 1.

A learner draws the noise of a whole rollout at once, `choose`s with it step by step, and keeps what was chosen: its
log-probability under a later policy follows from that alone. `proposals` is what the environment is given.
"""

from __future__ import annotations

from math import log, pi, sqrt
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the name that torch users know)
from torch import Tensor

from seawall.agents.losses import entropies

_NODES = 20


class Distribution(Protocol):
    """Actions of one kind, described by preferences of shape (..., P)."""

    dtype: torch.dtype

    def noise(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Draw what `choose` needs for a block of choices, on the generator's device."""
        ...

    def choose(self, preferences: Tensor, noise: Tensor) -> Tensor:
        """Return samples, shape (...)."""
        ...

    def evaluate(self, preferences: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log-probability of what was chosen, and the entropy in nats; shapes (...)."""
        ...

    def likeliest(self, preferences: Tensor) -> Tensor:
        """Return what is chosen where nothing is left to chance, shape (...)."""
        ...

    def proposals(self, chosen: Tensor) -> Tensor:
        """Return the actions that the environment understands, shape (...)."""
        ...


class Numbered:
    """One of P actions; preferences are unnormalised log-probabilities."""

    dtype = torch.int64

    def __init__(self, n_actions: int) -> None:
        """Take P."""
        self.n_actions = n_actions

    def noise(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Draw standard Gumbel numbers, shape (*shape, P)."""
        drawn = torch.empty((*shape, self.n_actions), device=generator.device)
        return drawn.exponential_(generator=generator).log_().neg_()

    def choose(self, preferences: Tensor, noise: Tensor) -> Tensor:
        """Return the largest of preference plus noise, which is a sample (Gumbel 1954)."""
        return (preferences + noise).argmax(-1)

    def evaluate(self, preferences: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Return log-probabilities and entropies."""
        logs = torch.log_softmax(preferences, -1)
        return logs.gather(-1, chosen[..., None])[..., 0], entropies(logs)

    def likeliest(self, preferences: Tensor) -> Tensor:
        """Return the action of the largest preference."""
        return preferences.argmax(-1)

    def proposals(self, chosen: Tensor) -> Tensor:
        """Return the numbers as they are."""
        return chosen


class Squashed:
    """The hyperbolic tangent of a normal number; preferences are that number's mean and log deviation.

    What was chosen is kept before it is squashed: from the action near -1 or 1 it could not be told again. The
    log-probability is that of the action, by the change of variables ``log N(u) - log(1 - tanh(u)^2)``.
    Source: Haarnoja et al. 2018, arXiv 1801.01290, appendix C.
    """

    dtype = torch.float32

    def noise(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Draw standard normal numbers, of that shape."""
        return torch.randn(shape, generator=generator, device=generator.device)

    def choose(self, preferences: Tensor, noise: Tensor) -> Tensor:
        """Return samples before they are squashed."""
        return preferences[..., 0] + preferences[..., 1].exp() * noise

    def evaluate(self, preferences: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Return log-probabilities and entropies; the latter by Gauss-Hermite quadrature, for there is no closed form."""
        mean, log_deviation = preferences[..., 0], preferences[..., 1]
        distance = (chosen - mean) * (-log_deviation).exp()
        logs = -0.5 * distance.square() - log_deviation - 0.5 * log(2 * pi) - _log_slope(chosen)
        nodes, weights = _quadrature(preferences)
        spread = mean[..., None] + log_deviation.exp()[..., None] * nodes
        return logs, log_deviation + 0.5 * log(2 * pi) + 0.5 + (_log_slope(spread) * weights).sum(-1)

    def likeliest(self, preferences: Tensor) -> Tensor:
        """Return the mean before it is squashed."""
        return preferences[..., 0]

    def proposals(self, chosen: Tensor) -> Tensor:
        """Return numbers from -1 to 1."""
        return torch.tanh(chosen)


def distribution(n_actions: int) -> Distribution:
    """Return what a network with that many discrete actions draws from; 0 stands for one continuous number."""
    return Numbered(n_actions) if n_actions else Squashed()


def _log_slope(numbers: Tensor) -> Tensor:
    """Return ``log(1 - tanh(u)^2)`` without loss of digits at large u."""
    return 2.0 * (log(2.0) - numbers - F.softplus(-2.0 * numbers))


def _quadrature(like: Tensor) -> tuple[Tensor, Tensor]:
    """Return nodes and weights of the mean over a standard normal number."""
    nodes, weights = np.polynomial.hermite.hermgauss(_NODES)
    return like.new_tensor(nodes * sqrt(2.0)), like.new_tensor(weights / sqrt(pi))
