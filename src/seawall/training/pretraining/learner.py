"""One encoder in training: gradient steps whose every number follows from the seed and the count of steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from seawall.agents.optimiser import BlockAdamW
from seawall.agents.state import host_weights, load_weights
from seawall.core.seeding import generator
from seawall.nets.pretraining import PretrainingNetwork
from seawall.nets.pretraining_masks import span_masks
from seawall.training.pretraining.baselines import NaiveForecasts
from seawall.training.pretraining.judging import Measures, measure
from seawall.training.pretraining.lessons import Lessons

ENCODER = "encoder."


class Pretrainer:
    """A network, its optimiser, and how many gradient steps it has made.

    Attributes:
        steps: Gradient steps so far.
        total_steps: Gradient steps of all epochs.
        steps_per_epoch: Whole batches of an epoch; the rest of its windows, fewer than a batch, is left out.
    """

    def __init__(self, network: PretrainingNetwork, lessons: Lessons, seed: int) -> None:
        """Take over a network: its heads begin at what anyone could say, and its parameters become views of one block.

        Args:
            network: On the device of the lessons.
            lessons: Windows and targets.
            seed: Of the order of the windows, and of the hidden bars.
        """
        self.network, self.lessons, self.seed = network, lessons, seed
        self.params = lessons.params
        drawn = len(lessons.train) if self.params.epoch_windows is None else min(self.params.epoch_windows, len(lessons.train))
        self.batch_size = min(self.params.batch_size, drawn)
        self.steps, self.steps_per_epoch = 0, drawn // self.batch_size
        self.total_steps = self.steps_per_epoch * self.params.epochs
        network.begin_at(NaiveForecasts(lessons).outputs)
        self._optimiser = BlockAdamW(network, self.params.weight_decay)
        self._epoch, self._order = -1, np.empty(0, np.int64)

    @property
    def learning_rate(self) -> float:
        """Step size of the next step: half a cosine from the first to the final one."""
        first, last = self.params.learning_rate, self.params.final_learning_rate
        return last + 0.5 * (first - last) * (1.0 + math.cos(math.pi * self.steps / self.total_steps))

    def step(self) -> dict[str, float]:
        """Go one gradient step; return the loss of each head and their weighted ``total``."""
        self.network.train()
        heads = self.params.heads
        rows = self._rows()
        random = generator(self.seed, f"hidden bars of step {self.steps}")
        masks = span_masks(random, len(rows), self.lessons.window, heads.candles.mask_ratio, heads.candles.mean_span)
        batch = self.lessons.batch(rows, masks)
        losses = self.network.losses(self.network(batch), batch)
        total = self.network.total(losses)
        self._optimiser.learning_rate = self.learning_rate
        self._optimiser.step(total, self.params.max_gradient_norm)
        self.steps += 1
        return {name: float(loss.detach()) for name, loss in {**losses, "total": total}.items()}

    def judge(self) -> tuple[float, Measures]:
        """Return the weighted validation loss, and every head's measures."""
        self.network.eval()
        found = measure(self.network, self.lessons, self.lessons.judged(), self.seed)
        weights = self.params.heads.weights
        return sum(weights[head] * own["loss"] for head, own in found.items()), found

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the encoder's weights, on the host."""
        return {name.removeprefix(ENCODER): value for name, value in host_weights(self.network).items() if name.startswith(ENCODER)}

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return all that an exact resumption needs."""
        weights = {f"network/{name}": value for name, value in host_weights(self.network).items()}
        return {**weights, **self._optimiser.state("optimiser")}, {"steps": self.steps}

    def load_state(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Continue from what `state` returned.

        Raises:
            DataError: It is the state of another network.
        """
        under = "network/"
        weights = {name.removeprefix(under): value for name, value in tensors.items() if name.startswith(under)}
        load_weights(self.network, weights, "the checkpoint")
        self._optimiser.load_state(tensors, "optimiser")
        self.steps = int(values["steps"])

    def _rows(self) -> np.ndarray:
        epoch, place = divmod(self.steps, self.steps_per_epoch)
        if epoch != self._epoch:
            order = generator(self.seed, f"order of epoch {epoch}").permutation(len(self.lessons.train))
            self._epoch, self._order = epoch, self.lessons.train[order[: self.steps_per_epoch * self.batch_size]]
        return self._order[place * self.batch_size : (place + 1) * self.batch_size]
