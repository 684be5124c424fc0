"""Refusing what a scheme of actions cannot read."""

from __future__ import annotations

from typing import Any

import numpy as np

from seawall.core.errors import InvariantError


def as_array(actions: Any) -> np.ndarray:
    """Return actions as an array, and lists that are none, as their lengths differ, as one of objects, which schemes refuse."""
    try:
        return np.asarray(actions)
    except ValueError:
        given = np.empty(len(actions), dtype=object)
        given[:] = actions
        return given


def checked_actions(actions: np.ndarray, n: int, names: tuple[str, ...], scheme: str) -> np.ndarray:
    """Return the actions as an index array, refusing what the scheme does not number.

    Args:
        actions: Given actions.
        n: Number of accounts, N.
        names: Name of each action, in its numbering.
        scheme: The scheme's name.

    Raises:
        InvariantError: An action is not a whole number or not in the numbering, or the shape is not (N,).
    """
    given = as_array(actions)
    if given.dtype.kind not in "iu" or given.ndim != 1:
        raise InvariantError(
            f"action {given.flat[0] if given.size else given!r} of type {given.dtype}, shape {given.shape}, is not understood by "
            f"scheme {scheme!r}; allowed: whole numbers 0..{len(names) - 1}, shape (N,)"
        )
    if given.size and (given.min() < 0 or given.max() >= len(names)):
        wrong = given[(given < 0) | (given >= len(names))][0]
        allowed = ", ".join(f"{index} {name}" for index, name in enumerate(names))
        raise InvariantError(f"action {wrong} is unknown to scheme {scheme!r}; allowed: {allowed}")
    _refuse_other_lengths(given, n)
    return given


def checked_numbers(actions: np.ndarray, n: int, scheme: str) -> np.ndarray:
    """Return continuous actions as float64 of shape (N,), refusing what is not within −1 and 1.

    Args:
        actions: Given actions, shape (N,) or (N, 1).
        n: Number of accounts, N.
        scheme: The scheme's name.

    Raises:
        InvariantError: An action is no number, beyond −1 or 1, or of another shape.
    """
    given = as_array(actions)
    if given.dtype.kind not in "fiu" or not (given.ndim == 1 or (given.ndim == 2 and given.shape[1] == 1)):
        raise InvariantError(
            f"actions of type {given.dtype}, shape {given.shape}, are not understood by scheme {scheme!r}; allowed: numbers from "
            "-1 to 1, shape (N,) or (N, 1)"
        )
    _refuse_other_lengths(given, n)
    numbers = given.reshape(len(given)).astype(np.float64)
    good = np.abs(numbers) <= 1.0
    if not good.all():
        raise InvariantError(
            f"action {numbers[np.argmin(good)]} is not allowed by scheme {scheme!r}; allowed: numbers from -1 to 1"
        )
    return numbers


def _refuse_other_lengths(given: np.ndarray, n: int) -> None:
    """Refuse actions of another number than there are accounts: one alone would be taken for all of them."""
    if len(given) != n:
        raise InvariantError(f"{len(given)} actions were given to {n} accounts, shape {given.shape}; allowed: one for each")
