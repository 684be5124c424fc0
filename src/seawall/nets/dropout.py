"""Dropout that an interrupted training takes up where it stopped, and that decisions never see.

Srivastava et al. 2014, JMLR 15. torch's own draws from the global generator, which no checkpoint of ours keeps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_SEEDS = 2**62


class Dropout(nn.Module):
    """Sets a share of numbers to 0 in gradient steps, and scales up the rest so that their mean stays.

    Agents keep a network in training mode and decide without gradients. So this acts where the module is in training mode
    *and* gradients are on: rollouts, targets of Q-learning, evaluation and live policies see the whole network.

    Masks follow from a seed and a count of the masks drawn so far. Both are saved with the weights, so that a resumed
    training equals one that was never stopped, on one kind of device.

    What that means for an agent: supervised training, `exact` and `dqn` use it as the paper does. `ppo` compares
    log-probabilities of a gradient step with those of the rollout, and dropout moves the former before any weight has moved:
    its ratios are noisy and some are clipped at once (Hausknecht and Wagener 2022, arXiv 2202.11818). That is why it is off by
    default in every network.

    Attributes:
        share: p, how likely a number is set to 0.
    """

    def __init__(self, share: float) -> None:
        """Take the share; the seed comes from torch's global generator until weights are drawn."""
        super().__init__()
        self.share = share
        self._drawn = 0
        self.draw(None)

    def draw(self, generator: torch.Generator | None) -> None:
        """Draw the seed of the masks, as other modules draw their weights."""
        self._seed = int(torch.randint(_SEEDS, (), generator=generator, device="cpu"))

    def forward(self, numbers: Tensor) -> Tensor:
        """Return numbers of any shape, some of them 0 in a gradient step."""
        if not (self.share and self.training and torch.is_grad_enabled()):
            return numbers
        source = torch.Generator(numbers.device).manual_seed(self._seed + self._drawn)
        self._drawn += 1
        kept = torch.rand(numbers.shape, generator=source, device=numbers.device) >= self.share
        return numbers * kept.to(numbers.dtype) / (1.0 - self.share)

    def get_extra_state(self) -> Tensor:
        """Return the seed and the count of masks drawn, int64, shape (2,)."""
        return torch.tensor([self._seed, self._drawn], device="cpu")

    def set_extra_state(self, state: Tensor) -> None:
        """Undo `get_extra_state`."""
        self._seed, self._drawn = state.tolist()

    def extra_repr(self) -> str:
        """Return the share, as torch prints it."""
        return f"share={self.share}"


def dropout(share: float) -> nn.Module:
    """Return a `Dropout`, or for a share of 0 what changes nothing and saves nothing."""
    return Dropout(share) if share else nn.Identity()
