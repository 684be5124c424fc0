"""The newest transitions of N environments, with what the policy thought of them when they were taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from seawall.core.errors import DataError, InvariantError

_SMALLEST_ADVANTAGE = 1e-6


@dataclass(frozen=True)
class Transitions:
    """Steps of N environments, shape (T, N), or samples of them, shape (B,); accounts have A columns more.

    Attributes:
        rows: Market row of the observation, int32.
        account: Account row of the observation, float32.
        actions: What was chosen, as the distribution keeps it.
        log_probabilities: Of these when they were chosen, float32.
        values: What the value was thought to be then, float32.
        rewards: What the step earned, in the learner's units, float32.
        advantages: How much better the action turned out than was expected, float32.
        returns: What the value should have been, float32.
        episodes: Number of the episode, counted over all environments, int64.
        moments: Steps of that episode before this one, int64.
        versions: Rounds of learning that the policy had behind it when it acted, int64.
    """

    rows: Tensor
    account: Tensor
    actions: Tensor
    log_probabilities: Tensor
    values: Tensor
    rewards: Tensor
    advantages: Tensor
    returns: Tensor
    episodes: Tensor
    moments: Tensor
    versions: Tensor

    @classmethod
    def none(cls, n: int, n_account: int, actions: torch.dtype, device: torch.device) -> Transitions:
        """Return no steps of n environments, with accounts of that many columns and actions of that type."""
        kinds = {"rows": torch.int32, "actions": actions}
        kinds |= dict.fromkeys(("episodes", "moments", "versions"), torch.int64)
        shapes = {"account": (0, n, n_account)}
        names = [field.name for field in fields(cls)]
        return cls(**{name: torch.zeros(shapes.get(name, (0, n)), dtype=kinds.get(name), device=device) for name in names})


class TransitionMemory:
    """A ring of steps. Windows are not kept: a row of the market says which one was seen.

    Attributes:
        held: All places, shape (S, N); those never used hold zeros and a version of -1.
    """

    def __init__(self, slots: int, like: Transitions, alpha: float, beta: float) -> None:
        """Set all places free.

        Args:
            slots: S, steps of all environments that are remembered.
            like: Steps of the kind that will be remembered; only their types and trailing sizes are read.
            alpha: Exponent of the size of an advantage; 0 draws evenly.
            beta: How far that preference is corrected for.
        """
        made = {field.name: getattr(like, field.name) for field in fields(Transitions)}
        blank = {
            name: torch.zeros((slots, *block.shape[1:]), dtype=block.dtype, device=block.device) for name, block in made.items()
        }
        self.held = Transitions(**blank)
        self.held.versions.fill_(-1)
        self.slots, self.n, self.alpha, self.beta = slots, like.rows.shape[1], alpha, beta
        self._next = 0
        self._versions = np.full(slots, -1, dtype=np.int64)

    def __len__(self) -> int:
        """Return how many transitions are remembered."""
        return int(np.count_nonzero(self._versions >= 0)) * self.n

    def append(self, steps: Transitions) -> None:
        """Remember some steps; the oldest give way."""
        places = (self._next + np.arange(len(steps.rows))) % self.slots
        at = torch.from_numpy(places).to(self.held.rows.device)
        for field in fields(Transitions):
            getattr(self.held, field.name)[at] = getattr(steps, field.name)
        self._versions[places] = steps.versions[:, 0].cpu().numpy()
        self._next = int(places[-1] + 1) % self.slots

    def usable(self, oldest: int) -> np.ndarray:
        """Return the places of steps that a policy of version `oldest` or later took, int64, ascending."""
        return np.flatnonzero(self._versions >= max(oldest, 0))

    def sample(self, count: int, oldest: int, generator: np.random.Generator) -> tuple[Transitions, Tensor]:
        """Draw transitions, with replacement, out of those that are not too old.

        ``P(i) = p_i / sum(p)`` with ``p_i = (|A_i| + 1e-6) ** alpha``, and a sample counts ``(1 / (n P(i))) ** beta``, divided by
        the largest such number of the draw. Source: Schaul et al. 2016, arXiv 1511.05952, sections 3.3 and 3.4, with the advantage
        in place of the temporal difference.

        Args:
            count: B, how many.
            oldest: Oldest version of the policy whose steps may be used.
            generator: Source of the draws.

        Returns:
            The samples, and how much each counts, float32, shape (B,).

        Raises:
            InvariantError: No transition is new enough.
        """
        places = self.usable(oldest)
        if not len(places):
            raise InvariantError(f"{count} samples were asked of a memory without a step of policy version {oldest} or later")
        device = self.held.rows.device
        if self.alpha:
            drawn, weights = self._preferred(count, places, generator)
        else:
            drawn, weights = generator.integers(0, len(places) * self.n, count), np.ones(count, dtype=np.float32)
        step = torch.from_numpy(places[drawn // self.n]).to(device)
        environment = torch.from_numpy(drawn % self.n).to(device)
        taken = {field.name: getattr(self.held, field.name)[step, environment] for field in fields(Transitions)}
        return Transitions(**taken), torch.from_numpy(weights).to(device)

    def _preferred(self, count: int, places: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw by priority; return numbers of transitions among the usable ones, and how much each counts."""
        sizes = self.held.advantages[torch.from_numpy(places).to(self.held.rows.device)].abs().cpu().numpy().astype(np.float64)
        cumulative = ((sizes.ravel() + _SMALLEST_ADVANTAGE) ** self.alpha).cumsum()
        drawn = np.searchsorted(cumulative, generator.random(count) * cumulative[-1], side="right")
        drawn = np.minimum(drawn, len(cumulative) - 1)
        chances = np.diff(cumulative, prepend=0.0)[drawn] / cumulative[-1]
        weights = (1.0 / (len(cumulative) * chances)) ** self.beta
        return drawn, (weights / weights.max()).astype(np.float32)

    def state(self) -> dict[str, Tensor | int]:
        """Return what is remembered, and the place that is written next."""
        return {**{field.name: getattr(self.held, field.name) for field in fields(Transitions)}, "next": self._next}

    def load_state(self, state: Mapping[str, np.ndarray | int]) -> None:
        """Go on from what `state` returned.

        Raises:
            DataError: It was remembered for other environments, places or account columns.
        """
        for field in fields(Transitions):
            own, saved = getattr(self.held, field.name), np.asarray(state[field.name])
            if own.shape != saved.shape:
                raise DataError(
                    f"the checkpoint's memory has {field.name} of shape {saved.shape}, and this training {tuple(own.shape)}; "
                    "n_envs, buffer_size and the account columns must be those of the training that was stopped"
                )
            own.copy_(torch.from_numpy(saved))
        self._versions = self.held.versions[:, 0].cpu().numpy().copy()
        self._next = int(state["next"])
