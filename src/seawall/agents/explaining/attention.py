"""Where the transformers of a network attend: the maps of its blocks, their mean, and their rollout."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


def attention_maps(network: nn.Module, look: Callable[[], Any]) -> list[Tensor]:
    """Return the maps of the blocks that take part, from the first to the last.

    Args:
        network: Whose blocks are listened to.
        look: Runs what is of interest; a block may be passed once.

    Returns:
        For each block shape (B, T, T): how much token i takes from token j, mean over the heads; rows add up to 1. None where the
        network has no such blocks.
    """
    maps: list[Tensor] = []
    with _listening(network, maps), torch.no_grad():
        look()
    return maps


def mean_attention(maps: list[Tensor]) -> np.ndarray:
    """Return how much of the attention each token gets, mean over tokens and blocks, float64, shape (B, T); rows add up to 1."""
    return torch.stack(maps).double().mean((0, 2)).cpu().numpy()


def rollout(maps: list[Tensor]) -> np.ndarray:
    """Return how much of each token arrives at the top, mean over the top's tokens, float64, shape (B, T); rows add up to 1.

    Half of each token is taken to pass a block as it is. Source: Abnar and Zuidema 2020, arXiv 2005.00928.
    """
    flow = torch.eye(maps[0].shape[-1], dtype=torch.float64, device=maps[0].device)
    for each in maps:
        passed = 0.5 * each.double() + 0.5 * torch.eye(each.shape[-1], dtype=torch.float64, device=each.device)
        flow = passed @ flow
    return flow.mean(1).cpu().numpy()


@contextmanager
def _listening(network: nn.Module, maps: list[Tensor]) -> Generator[None]:
    """Let the attention of every block give its map along, and keep it."""

    def ask(_module: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return arguments, {**keywords, "need_weights": True, "average_attn_weights": True}

    def keep(_module: nn.Module, _arguments: tuple[Any, ...], told: Any) -> None:
        maps.append(told[1].detach())

    handles = []
    for block in network.modules():
        if isinstance(block, nn.TransformerEncoderLayer):
            handles.append(block.self_attn.register_forward_pre_hook(ask, with_kwargs=True))
            handles.append(block.self_attn.register_forward_hook(keep))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
