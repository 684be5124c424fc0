"""A rollout as minibatches: shuffled samples, or shuffled sequences for a network that remembers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from seawall.agents.ppo.rollout import Rollout


@dataclass(frozen=True)
class Batch:
    """Samples of shape (B,), or sequences of shape (T, B), with the trailing sizes of a rollout.

    Attributes:
        rows: Market rows.
        account: Account rows, with A columns.
        starts: Whether a sample is the first of its episode.
        actions: What was chosen.
        log_probabilities: Of these when they were chosen.
        advantages: How much better they turned out than was expected.
        returns: What the value should have been.
        values: What the value was thought to be.
        memory: What was remembered before each sequence, shape (B, S); no columns without a memory.
    """

    rows: Tensor
    account: Tensor
    starts: Tensor
    actions: Tensor
    log_probabilities: Tensor
    advantages: Tensor
    returns: Tensor
    values: Tensor
    memory: Tensor


def whole_batch(rollout: Rollout, advantages: np.ndarray, returns: np.ndarray, sequence: int | None) -> Batch:
    """Lay a rollout out as one batch.

    Args:
        rollout: T steps of N environments.
        advantages: Shape (T, N).
        returns: Shape (T, N).
        sequence: Steps of a sequence, which divides T; None makes single samples.

    Returns:
        Samples in the last axis before the trailing sizes: (T N,), or (sequence, T / sequence * N).
    """
    device = rollout.rows.device

    def lay(block: Tensor) -> Tensor:
        if sequence is None:
            return block.flatten(0, 1)
        parts = block.view(-1, sequence, *block.shape[1:])  # (T / sequence, sequence, N, ...)
        return parts.transpose(0, 1).flatten(1, 2)

    moved = (torch.from_numpy(block).to(device) for block in (advantages, returns, rollout.values[:-1]))
    kept = (rollout.rows, rollout.account, rollout.starts, rollout.actions, rollout.log_probabilities, *moved)
    memory = rollout.memory.flatten(0, 1)
    return Batch(*(lay(block) for block in kept), memory=memory if sequence is not None else memory[:, :0])


def minibatches(whole: Batch, size: int, generator: torch.Generator, *, normalise: bool) -> Iterator[Batch]:
    """Shuffle a batch once and cut it.

    Args:
        whole: From `whole_batch`.
        size: Samples of a minibatch; where the batch holds sequences, a whole number of these.
        generator: Source of the order, on the host.
        normalise: Centre and scale the advantages within each minibatch.
    """
    sequences = whole.rows.ndim == 2
    count, each = whole.rows.shape[-1], size // len(whole.rows) if sequences else size
    order = torch.randperm(count, generator=generator).to(whole.rows.device)
    blocks: dict[str, tuple[Tensor, ...]] = {}
    for field in fields(Batch):
        block, axis = getattr(whole, field.name), int(sequences and field.name != "memory")
        # Without a memory its block has no columns, and there is nothing to shuffle.
        shuffled = block.index_select(axis, order) if block.numel() else block.new_empty((count, *block.shape[axis + 1 :]))
        if normalise and field.name == "advantages":
            shuffled = _normalised(shuffled.view(-1, count // each, each)).view(shuffled.shape)
        blocks[field.name] = shuffled.split(each, axis)
    for parts in zip(*blocks.values(), strict=True):
        yield Batch(*parts)


def _normalised(advantages: Tensor) -> Tensor:
    """Centre and scale within each minibatch of a block (T or 1, minibatches, B)."""
    return (advantages - advantages.mean((0, 2), keepdim=True)) / (advantages.std((0, 2), keepdim=True) + 1e-8)
