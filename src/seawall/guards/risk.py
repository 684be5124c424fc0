"""What the guards share: how exposures are cut, and how an answer is put together."""

from __future__ import annotations

import numpy as np

from seawall.core.protocols import GuardVerdict


def without_new_risk(current: np.ndarray, proposed: np.ndarray) -> np.ndarray:
    """Return the part of a proposal that cuts risk: an increase stays at the current exposure, a reversal becomes flat."""
    same_side = np.sign(current) * np.sign(proposed) > 0
    return np.where(same_side, np.sign(current) * np.minimum(np.abs(current), np.abs(proposed)), 0.0)


def capped(proposed: np.ndarray, cap: np.ndarray | float) -> np.ndarray:
    """Return proposals cut to an absolute exposure of at most `cap`; the side stays."""
    return np.clip(proposed, -cap, cap) + 0.0  # which makes −0 a 0


def cuts_risk(current: np.ndarray, proposed: np.ndarray) -> np.ndarray:
    """Say where a proposal would cut the current exposure, by a part, to zero, or through zero; bool, shape (N,)."""
    return np.abs(without_new_risk(current, proposed)) < np.abs(current)


def vetoed(current: np.ndarray, proposed: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return proposals stripped of new risk in some accounts, and as they are in the others."""
    return np.where(where, without_new_risk(current, proposed), proposed)


def answer(proposed: np.ndarray, allowed: np.ndarray, code: np.ndarray | int, state: np.ndarray) -> GuardVerdict:
    """Return a verdict whose reason stands wherever the proposal was changed.

    Args:
        proposed: What the guard was asked about, float64, shape (N,).
        allowed: What it allows, likewise.
        code: 1 + index into its reasons, for all accounts or each.
        state: Its next state.
    """
    return GuardVerdict(allowed, np.where(allowed != proposed, code, 0).astype(np.int8), state)


def columns(state: np.ndarray) -> list[np.ndarray]:
    """Return the columns of a state, each of shape (N,)."""
    return list(state.T)


def state_of(*parts: np.ndarray) -> np.ndarray:
    """Return columns side by side, float64, shape (N, K)."""
    return np.stack([np.asarray(part, dtype=np.float64) for part in parts], axis=1)
