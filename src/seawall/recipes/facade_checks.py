"""What the facade's agents are shown and told, checked: what is wrong is named, with its value and what is allowed."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import torch
from pydantic import BaseModel, ValidationError
from torch import Tensor

from seawall.core.errors import ConfigError, DataError
from seawall.recipes.refusals import refused_recipe
from seawall.simulator.actions.registry import SellBuyHold

P = TypeVar("P", bound=BaseModel)


def count_of(name: str, value: Any) -> int:
    """Return a size.

    Raises:
        ConfigError: It is no whole number of 1 or more.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ConfigError(f"{name} is {value!r}; allowed: a whole number of 1 or more")
    return int(value)


def settings_of(model: type[P], values: Any, name: str) -> P:
    """Return settings from themselves, from their values, or the defaults where None.

    Raises:
        ConfigError: A key is unknown, or a value is not allowed.
    """
    try:
        return model.model_validate({} if values is None else values)
    except ValidationError as error:
        told = refused_recipe(f"of the agent's {name}", error, dict.fromkeys(model.model_fields, ()))
        raise ConfigError(str(told).removeprefix("recipe of ")) from error


def windows_of(states: Any, sizes: tuple[int, int], name: str = "states", batch: int | None = None) -> Tensor:
    """Return states as a tensor.

    Args:
        states: Windows, shape (B, L, F).
        sizes: L and F.
        name: What they are called.
        batch: B, where it is known.

    Raises:
        DataError: They are of other sizes, or hold what is no finite number.
    """
    wanted = f"finite numbers of shape ({'batch' if batch is None else batch}, {sizes[0]}, {sizes[1]})"
    found = _numbers(states, name, wanted)
    if found.ndim != 3 or found.shape[1:] != sizes or batch not in (None, len(found)):
        raise DataError(f"{name} of shape {found.shape}; needed: {wanted}")
    if not len(found):
        raise DataError(f"{name} are 0; needed: {wanted}, at least one")
    _refuse_places(name, found, ~np.isfinite(found), wanted)
    return torch.from_numpy(np.ascontiguousarray(found))


def rollout_of(states: Any, sizes: tuple[int, int]) -> tuple[Tensor, tuple[int, int]]:
    """Return the states of a rollout as one batch of windows, step by step, and its numbers of steps and environments.

    Args:
        states: Windows, with those after the last step; shape (T + 1, N, L, F).
        sizes: L and F.

    Raises:
        DataError: They are of other sizes, or hold what is no finite number.
    """
    wanted = f"finite numbers of shape (steps + 1, environments, {sizes[0]}, {sizes[1]})"
    found = _numbers(states, "states", wanted)
    if found.ndim != 4 or found.shape[2:] != sizes or found.shape[0] < 2 or not found.shape[1]:
        raise DataError(f"states of shape {found.shape}; needed: {wanted}, at least one step of one environment")
    _refuse_places("states", found, ~np.isfinite(found), wanted)
    windows = torch.from_numpy(np.ascontiguousarray(found.reshape(-1, *sizes)))
    return windows, (found.shape[0] - 1, found.shape[1])


def actions_of(actions: Any, shape: tuple[int, ...], name: str = "actions") -> np.ndarray:
    """Return actions, int64, of a known shape.

    Raises:
        DataError: They are of another shape, or one is none of `SellBuyHold`.
    """
    allowed = "whole numbers " + ", ".join(f"{action.value} ({action.name})" for action in SellBuyHold) + f" of shape {shape}"
    found = np.asarray(_numbers(actions, name, allowed, np.float64))
    if found.shape != shape:
        raise DataError(f"{name} of shape {found.shape}; allowed: {allowed}")
    _refuse_places(name, found, ~np.isin(found, [action.value for action in SellBuyHold]), allowed)
    return found.astype(np.int64)


def rewards_of(rewards: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return rewards, float32, of a known shape.

    Raises:
        DataError: They are of another shape, or one is no finite number.
    """
    allowed = f"finite numbers of shape {shape}"
    found = _numbers(rewards, "rewards", allowed)
    if found.shape != shape:
        raise DataError(f"rewards of shape {found.shape}; allowed: {allowed}")
    _refuse_places("rewards", found, ~np.isfinite(found), allowed)
    return found


def flags_of(terminated: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return whether steps ended an episode, bool, of a known shape.

    Raises:
        DataError: They are of another shape, or one is neither true nor false.
    """
    allowed = f"true or false, of shape {shape}"
    found = _numbers(terminated, "terminated", allowed, np.float64)
    if found.shape != shape:
        raise DataError(f"terminated of shape {found.shape}; allowed: {allowed}")
    _refuse_places("terminated", found, ~np.isin(found, [0.0, 1.0]), allowed)
    return found.astype(np.bool_)


def _numbers(values: Any, name: str, allowed: str, kind: type[np.floating[Any]] = np.float32) -> np.ndarray:
    try:
        return np.asarray(values, dtype=kind)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} are {type(values).__name__}, which holds more than numbers in rows; needed: {allowed}") from error


def _refuse_places(name: str, found: np.ndarray, wrong: np.ndarray, allowed: str) -> None:
    if wrong.any():
        place = tuple(int(each) for each in np.argwhere(wrong)[0])
        raise DataError(f"{name} hold {found[place]:g} at {place}; needed: {allowed}")
