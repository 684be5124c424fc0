"""Refusing what a scheme of actions cannot read."""

from __future__ import annotations

import numpy as np

from seawall.core.errors import InvariantError


def checked_actions(actions: np.ndarray, names: tuple[str, ...], scheme: str) -> np.ndarray:
    """Return the actions as an index array, refusing what the scheme does not number.

    Args:
        actions: Given actions.
        names: Name of each action, in its numbering.
        scheme: The scheme's name.

    Raises:
        InvariantError: An action is not a whole number or not in the numbering, or the shape is not (N,).
    """
    given = np.asarray(actions)
    if given.dtype.kind not in "iu" or given.ndim != 1:
        raise InvariantError(
            f"action {given.flat[0] if given.size else given!r} of type {given.dtype}, shape {given.shape}, is not understood by "
            f"scheme {scheme!r}; allowed: whole numbers 0..{len(names) - 1}, shape (N,)"
        )
    if given.size and (given.min() < 0 or given.max() >= len(names)):
        wrong = given[(given < 0) | (given >= len(names))][0]
        allowed = ", ".join(f"{index} {name}" for index, name in enumerate(names))
        raise InvariantError(f"action {wrong} is unknown to scheme {scheme!r}; allowed: {allowed}")
    return given


def checked_numbers(actions: np.ndarray, scheme: str) -> np.ndarray:
    """Return continuous actions as float64 of shape (N,), refusing what is not within −1 and 1.

    Args:
        actions: Given actions, shape (N,) or (N, 1).
        scheme: The scheme's name.

    Raises:
        InvariantError: An action is no number, beyond −1 or 1, or of another shape.
    """
    given = np.asarray(actions)
    if given.dtype.kind not in "fiu" or not (given.ndim == 1 or (given.ndim == 2 and given.shape[1] == 1)):
        raise InvariantError(
            f"actions of type {given.dtype}, shape {given.shape}, are not understood by scheme {scheme!r}; allowed: numbers from "
            "-1 to 1, shape (N,) or (N, 1)"
        )
    numbers = given.reshape(len(given)).astype(np.float64)
    good = np.abs(numbers) <= 1.0
    if not good.all():
        raise InvariantError(
            f"action {numbers[np.argmin(good)]} is not allowed by scheme {scheme!r}; allowed: numbers from -1 to 1"
        )
    return numbers
