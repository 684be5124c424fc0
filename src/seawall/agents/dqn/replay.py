"""The memory of transitions: market rows instead of windows, so that a million of them take some tens of megabytes."""

from __future__ import annotations

from typing import Any

import numpy as np

from seawall.agents.dqn.ring import GOING, OPEN, RUINED, Batch, Ring, Step, append, read
from seawall.agents.dqn.sum_tree import draw_leaves, set_leaves, sum_tree
from seawall.core.errors import DataError, InvariantError

_SMALLEST_SURPRISE = 1e-6


class Replay:
    """The newest transitions of N environments, drawn evenly or by priority (Schaul et al. 2016, arXiv 1511.05952).

    Rewards are kept as the environment gave them; whoever samples scales them.

    Attributes:
        ring: The entries.
        tree: Sums over the priorities of all places, see `sum_tree`; of length 0 where draws are even.
        top_priority: The highest so far, which new transitions get.
    """

    def __init__(self, n: int, length: int, n_account: int, *, prioritised: bool = False, alpha: float = 0.6) -> None:
        """Set all places free; call `start` before the first `append`.

        Args:
            n: N, environments.
            length: L, places of each, at least 3; one of them waits for an action, and each episode that is cut takes one more.
            n_account: A, length of the account row.
            prioritised: Draw by priority.
            alpha: Exponent of the surprise; 0 draws evenly.
        """
        self.ring = Ring(
            rows=np.zeros((n, length), np.int32),
            account=np.zeros((n, length, n_account), np.float32),
            actions=np.zeros((n, length), np.uint8),
            rewards=np.zeros((n, length), np.float32),
            kinds=np.zeros((n, length), np.uint8),
            heads=np.zeros(n, np.int64),
        )
        self.tree = sum_tree(np.zeros(n * length if prioritised else 0))
        self.top_priority, self.alpha = 1.0, alpha
        self._length, self._used, self._count = length, 1, 0

    @property
    def prioritised(self) -> bool:
        """Whether draws follow priorities."""
        return len(self.tree) > 0

    @property
    def nbytes(self) -> int:
        """Bytes that all places take, used or not."""
        return sum(block.nbytes for block in self.ring) + self.tree.nbytes

    def __len__(self) -> int:
        """Return how many transitions can be drawn."""
        return self._count

    def start(self, rows: np.ndarray, account: np.ndarray) -> None:
        """Take the first observation of every environment: market rows, shape (N,), and account rows, shape (N, A)."""
        self.ring.rows[:, 0], self.ring.account[:, 0], self.ring.kinds[:, 0] = rows, account, OPEN

    def waiting(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the newest observations, that no action has followed yet: market rows, int64, shape (N,), and account rows."""
        here = np.arange(len(self.ring.heads)), self.ring.heads
        return self.ring.rows[here].astype(np.int64), self.ring.account[here]

    def append(self, step: Step) -> None:
        """Remember one step of every environment; the oldest transitions give way."""
        more, reached = append(self.ring, step, self.tree, self.top_priority)
        self._count, self._used = self._count + more, max(self._used, reached)

    def sample(self, count: int, generator: np.random.Generator, n_step: int, gamma: float) -> tuple[np.ndarray, Batch]:
        """Draw transitions, with replacement.

        Args:
            count: B, how many.
            generator: Source of the draws.
            n_step: Most rewards to add up from each.
            gamma: Discount per step.

        Returns:
            Their places, int64, shape (B,); and what was remembered.

        Raises:
            InvariantError: Nothing is remembered.
        """
        if not self._count:
            raise InvariantError(f"{count} samples were asked of a replay without a transition; append some first")
        places = draw_leaves(self.tree, generator.random(count)) if self.prioritised else self._draw_evenly(count, generator)
        return places, read(self.ring, places, n_step, gamma)

    def weights(self, places: np.ndarray, beta: float) -> np.ndarray:
        """Return how much each sample counts, to make up for being drawn more often than others.

        ``(P(rarest) / P(i)) ** beta``, so the rarest of the samples counts 1. Source: Schaul et al. 2016, section 3.4, with the
        largest weight taken over the samples.

        Args:
            places: As drawn, shape (B,).
            beta: 0 for no correction, 1 for all of it.

        Returns:
            float32, shape (B,); ones where draws are even.
        """
        if not self.prioritised:
            return np.ones(len(places), np.float32)
        priorities = self.tree[len(self.tree) // 2 + places]
        return ((priorities.min() / priorities) ** beta).astype(np.float32)

    def surprise(self, places: np.ndarray, errors: np.ndarray) -> None:
        """Set priorities to ``(|error| + 1e-6) ** alpha``, for places as drawn and their errors, shape (B,) each."""
        if self.prioritised:
            priorities = (np.abs(errors.astype(np.float64)) + _SMALLEST_SURPRISE) ** self.alpha
            self.top_priority = max(self.top_priority, float(priorities.max()))
            set_leaves(self.tree, places, priorities)

    def state(self) -> dict[str, Any]:
        """Return what was remembered, as arrays, without the places never used; and the highest priority."""
        saved = {name: block[:, : self._used] for name, block in self._entries().items()}
        leaves = self.tree[len(self.tree) // 2 :].reshape(len(self.ring.heads), -1)[:, : self._used]
        return {**saved, "heads": self.ring.heads, "priorities": leaves, "top_priority": self.top_priority}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned.

        Raises:
            DataError: It was remembered for other environments, places or account columns.
        """
        priorities = state["priorities"]
        used = state["kinds"].shape[1]
        entries = self._entries()
        fits = used <= self._length and all(state[name].shape == block[:, :used].shape for name, block in entries.items())
        if not fits or bool(priorities.size) != self.prioritised:
            raise DataError(
                f"the checkpoint's replay has {state['account'].shape} account numbers and {priorities.size} priorities, which do "
                f"not fit {self.ring.account.shape} and {len(self.tree) // 2}; n_envs, buffer_size, the account columns and "
                "prioritised must be those of the training that was stopped"
            )
        for name, block in entries.items():
            block[:, :used], block[:, used:] = state[name], 0
        self.ring.heads[:] = state["heads"]
        leaves = np.zeros((len(self.ring.heads), self._length if self.prioritised else 0))
        leaves[:, :used] = priorities
        self.tree, self.top_priority, self._used = sum_tree(leaves.ravel()), float(state["top_priority"]), used
        self._count = int(np.count_nonzero(self._drawable(self.ring.kinds)))

    def _entries(self) -> dict[str, np.ndarray]:
        """Return the arrays of the ring that have a place for every entry, by name."""
        return {name: block for name, block in self.ring._asdict().items() if name != "heads"}

    def _draw_evenly(self, count: int, generator: np.random.Generator) -> np.ndarray:
        """Draw among the used places, and again for those that hold no transition: each transition is as likely."""
        kinds, places = self.ring.kinds.reshape(-1), np.empty(count, np.int64)
        missing = np.arange(count)
        while len(missing):
            drawn = generator.integers(0, len(self.ring.heads) * self._used, len(missing))
            places[missing] = drawn // self._used * self._length + drawn % self._used
            missing = missing[~self._drawable(kinds[places[missing]])]
        return places

    @staticmethod
    def _drawable(kinds: np.ndarray) -> np.ndarray:
        return (kinds == GOING) | (kinds == RUINED)
