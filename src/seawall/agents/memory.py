"""What policies remember from bar to bar, and how it is taken out and put back."""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np
import torch

from seawall.core.errors import ConfigError, InvariantError


class Remembering:
    """A policy's memory of N environments, a row of S numbers each; S is 0 for most networks.

    Attributes:
        memory_width: S.
        device: Where the rows live.
    """

    def __init__(self, memory_width: int, device: torch.device) -> None:
        """Begin with no environment."""
        self.memory_width, self.device = memory_width, device
        self._memory: torch.Tensor | None = None

    def begin(self, n: int) -> None:
        """Start an episode in n environments: nothing is remembered."""
        self._memory = torch.zeros(n, self.memory_width, device=self.device)

    @property
    def memory(self) -> np.ndarray:
        """What is remembered of each environment's bars, float32, shape (N, S); a copy, without columns for most networks."""
        return np.zeros((0, self.memory_width), np.float32) if self._memory is None else self._memory.cpu().numpy().copy()

    def resume(self, memory: np.ndarray) -> None:
        """Go on from what `memory` told.

        Raises:
            ConfigError: It is of another network.
        """
        if memory.ndim != 2 or memory.shape[1] != self.memory_width:
            raise ConfigError(f"a memory of shape {memory.shape} is not this network's; (N, {self.memory_width}) is needed")
        self._memory = torch.tensor(memory, dtype=torch.float32, device=self.device)

    def remembered(self, n: int) -> torch.Tensor:
        """Return what is remembered of n environments, shape (n, S); nothing where no episode was begun.

        Raises:
            InvariantError: Another number of environments is remembered.
        """
        memory = self._memory
        # Where there is nothing to remember, any number of environments may come next.
        if memory is None or (not self.memory_width and len(memory) != n):
            memory = torch.zeros(n, self.memory_width, device=self.device)
        if len(memory) != n:
            raise InvariantError(f"a policy that remembers {len(memory)} environments was shown {n}; call begin first")
        return memory


Member = TypeVar("Member", bound=Remembering)


class RememberingMembers(Generic[Member]):
    """The memory of an ensemble: that of its members side by side.

    Attributes:
        members: The policies.
    """

    members: tuple[Member, ...]

    def begin(self, n: int) -> None:
        """Start an episode in n environments: no member remembers anything."""
        for member in self.members:
            member.begin(n)

    @property
    def memory(self) -> np.ndarray:
        """What the members remember, side by side; float32, shape (N, S of all of them)."""
        return np.concatenate([member.memory for member in self.members], axis=1)

    def resume(self, memory: np.ndarray) -> None:
        """Go on from what `memory` told.

        Raises:
            ConfigError: It is of another ensemble.
        """
        edges = np.cumsum([member.memory_width for member in self.members])
        if memory.ndim != 2 or memory.shape[1] != edges[-1]:
            raise ConfigError(f"a memory of shape {memory.shape} is not this ensemble's; (N, {edges[-1]}) is needed")
        for member, part in zip(self.members, np.split(memory, edges[:-1], axis=1), strict=True):
            member.resume(part)
