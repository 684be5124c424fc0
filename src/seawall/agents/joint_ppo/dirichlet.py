"""Weights that add up to 1, drawn from a Dirichlet distribution, or now and then from all weights alike.

The policy is ``alpha = 1 + softplus(logits)``: no density is ever infinite at an edge, and logits far below 0 forget an asset. With
a share ε of exploration what acts is the mixture ``(1 - ε) Dirichlet(alpha) + ε Dirichlet(1)``. Its density is known exactly, so a
ratio of densities is right for every action, whichever of the two it came from.
"""

from __future__ import annotations

from math import lgamma, log, log1p

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the name that torch users know)
from torch import Tensor
from torch.distributions import Dirichlet

_LEAST = 1e-7
"""No drawn weight is smaller: the logarithm of 0 is no number."""


def concentrations(logits: Tensor) -> Tensor:
    """Return the parameters of the Dirichlet distribution, above 1, of logits of the same shape (..., A + 1)."""
    return 1.0 + F.softplus(logits)


def mean_weights(alpha: np.ndarray) -> np.ndarray:
    """Return the mean of the distribution, float64, of parameters (..., A + 1)."""
    wide = np.asarray(alpha, dtype=np.float64)
    return wide / wide.sum(-1, keepdims=True)


def draw(alpha: np.ndarray, exploration: float, source: np.random.Generator) -> np.ndarray:
    """Draw weights of N accounts from the mixture.

    Args:
        alpha: Parameters, shape (N, A + 1).
        exploration: ε.
        source: Always asked for as many numbers, whatever comes of them.

    Returns:
        float32, shape (N, A + 1).
    """
    explores = source.random(len(alpha)) < exploration
    drawn = source.standard_gamma(np.where(explores[:, None], 1.0, alpha.astype(np.float64)))
    weights = np.maximum(drawn / drawn.sum(1, keepdims=True), _LEAST)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def log_density(alpha: Tensor, weights: Tensor, exploration: float = 0.0) -> Tensor:
    """Return the log density of weights under the mixture, shape (...), with respect to the first A of the A + 1 weights.

    Args:
        alpha: Parameters, shape (..., A + 1).
        weights: What was drawn, shape (..., A + 1).
        exploration: ε.
    """
    own = Dirichlet(alpha, validate_args=False).log_prob(weights)
    if not exploration:
        return own
    uniform = lgamma(alpha.shape[-1])
    return torch.logaddexp(own + log1p(-exploration), own.new_tensor(uniform + log(exploration)))


def entropies(alpha: Tensor) -> Tensor:
    """Return the entropy of the Dirichlet distributions in nats, shape (...); that of a mixture has no closed form."""
    return Dirichlet(alpha, validate_args=False).entropy()
