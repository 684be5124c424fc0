"""Taking a learner apart into tensors and JSON, and putting it together again, without pickle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from seawall.core.errors import DataError

_ADAM = ("step", "exp_avg", "exp_avg_sq")


def split_state(state: Mapping[str, Any], prefix: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Part a nested mapping into its arrays and the rest.

    Args:
        state: Arrays, tensors, JSON values, and mappings of these.
        prefix: Put before every name, with a slash.

    Returns:
        Tensors by path, as in ``environment/position``; and the same nesting with the arrays left out.
    """
    tensors: dict[str, Tensor] = {}
    rest: dict[str, Any] = {}
    for key, value in state.items():
        path = f"{prefix}/{key}"
        if isinstance(value, Mapping):
            inner, rest[key] = split_state(cast("Mapping[str, Any]", value), path)
            tensors.update(inner)
        elif isinstance(value, np.ndarray):
            tensors[path] = torch.from_numpy(value.copy())
        elif isinstance(value, Tensor):
            tensors[path] = value.detach().cpu().clone()
        else:
            rest[key] = value
    return tensors, rest


def join_state(tensors: Mapping[str, Tensor], rest: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Undo `split_state`; arrays come back as NumPy arrays of their own."""
    state: dict[str, Any] = {}
    for key, value in rest.items():
        nested = isinstance(value, Mapping)
        state[key] = join_state(tensors, cast("Mapping[str, Any]", value), f"{prefix}/{key}") if nested else value
    for path, tensor in tensors.items():
        if path.startswith(f"{prefix}/"):
            key = path[len(prefix) + 1 :]
            if "/" not in key:
                state[key] = tensor.numpy().copy()
    return state


def adam_state(optimiser: torch.optim.Adam, network: torch.nn.Module, prefix: str) -> dict[str, Tensor]:
    """Return Adam's moments by parameter name; empty before the first step."""
    tensors: dict[str, Tensor] = {}
    for name, parameter in network.named_parameters():
        moments: dict[str, Tensor] = optimiser.state.get(parameter, {})
        tensors.update({f"{prefix}/{name}/{key}": moments[key].detach().cpu().clone() for key in _ADAM if key in moments})
    return tensors


def load_adam_state(optimiser: torch.optim.Adam, network: torch.nn.Module, tensors: Mapping[str, Tensor], prefix: str) -> None:
    """Undo `adam_state`."""
    for name, parameter in network.named_parameters():
        paths = {key: f"{prefix}/{name}/{key}" for key in _ADAM}
        if all(path in tensors for path in paths.values()):
            moments = {key: tensors[path].clone() for key, path in paths.items()}
            # Fused Adam keeps the step count where the parameter is, and the default on the host.
            fused = bool(optimiser.param_groups[0]["fused"])
            optimiser.state[parameter] = {
                key: value if key == "step" and not fused else value.to(parameter.device) for key, value in moments.items()
            }


def host_weights(network: torch.nn.Module) -> dict[str, Tensor]:
    """Return a copy of a network's weights by name, on the host."""
    return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}


def load_weights(network: torch.nn.Module, weights: Mapping[str, Tensor | np.ndarray], source: str) -> None:
    """Load weights by name into a network.

    Args:
        network: Where they go.
        weights: Tensors or arrays by parameter name.
        source: Where they came from, for the message.

    Raises:
        DataError: A name or a shape differs; each difference is listed.
    """
    own = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    given = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if own != given:
        names = sorted(name for name in own | given if own.get(name) != given.get(name))
        lines = "\n".join(f"  {name}: network {own.get(name, 'absent')}, saved {given.get(name, 'absent')}" for name in names)
        raise DataError(f"the weights of {source} do not fit the network:\n{lines}")
    network.load_state_dict({name: torch.as_tensor(value) for name, value in weights.items()})
