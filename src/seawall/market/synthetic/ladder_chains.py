"""The signals of the known-answer ladder: finite Markov chains that a trader sees in full.

The next close moves by ``drift(state) - volatility² / 2 + volatility * z`` with z standard normal, so that the state of now is all
that the past tells of the next bar. What the best trader earns after costs is then a small dynamic programme.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_SINE_PHASES, _SINE_ADVANCE = 24, 0.8
_NODES, _WIDEST = 13, 2.4
_SLOW, _FAST = 0.93, 0.7
_BUCKETS, _BUCKET_STEP, _EXTREME = 9, 0.45, 2
_REGIME_STAYS, _SIGN_STAYS = 0.99, 0.93


@dataclass(frozen=True)
class Chain:
    """A signal with K states.

    Attributes:
        transition: Chance to go from state i to j in a bar, float64, shape (K, K).
        shape: Drift of the next bar in each state as a share of the strongest, within [-1, 1], shape (K,).
        shown: What the C signal columns show in each state, of about unit variance; shape (K, C). No two states look the same.
    """

    transition: np.ndarray
    shape: np.ndarray
    shown: np.ndarray

    def occupancy(self) -> np.ndarray:
        """Return the long-run share of bars in each state, shape (K,)."""
        return stationary(self.transition)


@dataclass(frozen=True)
class Rung:
    """One market of the ladder.

    Attributes:
        name: As it is asked for.
        title: What it is, in words.
        chain: Builds the signal.
        cost_bps: Cost of a unit of traded notional at a Sharpe ratio of the optimum per bar, in basis points.
    """

    name: str
    title: str
    chain: Callable[[], Chain]
    cost_bps: Callable[[float], float]


def stationary(transition: np.ndarray) -> np.ndarray:
    """Return the distribution that a chain with one closed class settles to, shape (K,), from its matrix (K, K)."""
    states = len(transition)
    equations = np.vstack([transition.T - np.eye(states), np.ones(states)])
    return np.linalg.lstsq(equations, np.append(np.zeros(states), 1.0), rcond=None)[0]


def sine_chain() -> Chain:
    """Return a wave of 24 phases that takes 30 bars in the mean, and now and then stands still for a bar."""
    phases = np.arange(_SINE_PHASES)
    transition = (1.0 - _SINE_ADVANCE) * np.eye(_SINE_PHASES) + _SINE_ADVANCE * np.roll(np.eye(_SINE_PHASES), 1, axis=1)
    angle = 2.0 * np.pi * phases / _SINE_PHASES
    return Chain(transition, np.sin(angle), np.sqrt(2.0) * np.column_stack([np.sin(angle), np.cos(angle)]))


def autoregressive_chain(persistence: float) -> Chain:
    """Return an AR(1) process of unit variance on 13 nodes; the drift is proportional to it."""
    nodes = np.linspace(-_WIDEST, _WIDEST, _NODES)
    deviation = np.sqrt(1.0 - persistence**2)
    kernel = np.exp(-0.5 * ((nodes[None, :] - persistence * nodes[:, None]) / deviation) ** 2)
    return Chain(kernel / kernel.sum(axis=1, keepdims=True), nodes / _WIDEST, nodes[:, None])


def indicator_chain() -> Chain:
    """Return an oscillator in nine buckets that says something in the outer two of each side alone: low rises, high falls."""
    buckets = np.arange(_BUCKETS)
    transition = np.zeros((_BUCKETS, _BUCKETS))
    transition[buckets[:-1], buckets[1:]] = transition[buckets[1:], buckets[:-1]] = _BUCKET_STEP
    transition[buckets, buckets] = 1.0 - transition.sum(axis=1)
    shape = np.where(buckets < _EXTREME, 1.0, 0.0) - np.where(buckets >= _BUCKETS - _EXTREME, 1.0, 0.0)
    centred = buckets - buckets.mean()
    return Chain(transition, shape, (centred / centred.std())[:, None])


def regime_chain() -> Chain:
    """Return a sign that means up in one regime and down in the other: neither tells anything without its partner."""
    regime, sign = (np.array([[stays, 1.0 - stays], [1.0 - stays, stays]]) for stays in (_REGIME_STAYS, _SIGN_STAYS))
    shown = np.array([[r, s] for r in (-1.0, 1.0) for s in (-1.0, 1.0)])
    return Chain(np.kron(regime, sign), shown.prod(axis=1), shown)


def _usual_cost(_sharpe: float) -> float:
    return 7.5


def _high_cost(sharpe: float) -> float:
    # In proportion to what can be earned, so that to follow every sign loses most of it to costs at each strength.
    return 150.0 * sharpe


RUNGS: dict[str, Rung] = {
    rung.name: rung
    for rung in (
        Rung("sine", "a wave", sine_chain, _usual_cost),
        Rung("ar1", "an AR(1) edge", lambda: autoregressive_chain(_SLOW), _usual_cost),
        Rung("indicator", "an indicator's extremes", indicator_chain, _usual_cost),
        Rung("regime", "a sign that turns with the regime", regime_chain, _usual_cost),
        Rung("threshold", "an edge barely worth its costs", lambda: autoregressive_chain(_FAST), _high_cost),
        Rung("walk", "a random walk", lambda: autoregressive_chain(_SLOW), _usual_cost),
    )
}
"""The ladder's markets by name; ``walk`` has no edge whatever the strength."""

STRENGTHS: dict[str, float] = {"strong": 0.15, "medium": 0.06, "weak": 0.02}
"""Net growth of the best policy over the volatility, per bar."""
