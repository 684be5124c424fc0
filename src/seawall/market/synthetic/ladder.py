"""The known-answer ladder: markets whose signal is seen in full, so that the attainable is known exactly.

A market shows its chain in one or two of 21 columns; the others are noise, persistent noise and past returns. Bars open at the
close before them: a decision at the close of t, filled at the open of t + 1, earns exactly the drift of the state at t. The
strongest drift is solved for, so that the best policy's net growth per bar over the volatility is the one asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numba import njit

from seawall.core.errors import ConfigError, InvariantError
from seawall.core.market import Market, RowRange
from seawall.core.seeding import generator
from seawall.core.timeframe import Timeframe
from seawall.market.splits import Split
from seawall.market.synthetic.ladder_chains import RUNGS, STRENGTHS, Chain, Rung, stationary
from seawall.market.synthetic.switching import best_switching, expected_log_growth, switching_costs

VOLATILITY = 0.005
LEVELS = (-1.0, 0.0, 1.0)
FLAT = 1
"""Place of the exposure 0 in `LEVELS`."""
N_FEATURES = 21
LADDER_ROWS = {"strong": (320_000, 40_000, 40_000), "medium": (640_000, 80_000, 40_000), "weak": (1_280_000, 160_000, 40_000)}
"""Rows to learn from, to choose on and to judge on: a smaller edge needs more of them to stand out from their luck."""
_PURGE = 64
_TOLERANCE = 1e-10
_MOST_STEPS = 60
_PERSISTENT = 0.9
_PAST = (1, 4, 12)
_START_PRICE, _WICK = 100.0, 0.2


@dataclass(frozen=True)
class Optimum:
    """The best policy of a trader who sees the state.

    Attributes:
        amplitude: Log drift of the next bar where the shape is 1.
        earned: Expected log growth of a bar at each level and state, float64, shape (3, K).
        switching: Log growth, at most 0, of going from level i to j, shape (3, 3).
        choice: Place of the level to hold next, for the level held and the state; int64, shape (3, K).
        growth: Its long-run net log growth per bar: the attainable.
    """

    amplitude: float
    earned: np.ndarray
    switching: np.ndarray
    choice: np.ndarray
    growth: float


@dataclass(frozen=True)
class LadderMarket:
    """A rung at a strength: the market, and what is known of it.

    Attributes:
        rung: Which.
        strength: A key of `STRENGTHS`.
        cost_rate: Cost per unit of traded notional.
        market: Prices and features.
        states: State of the chain at the close of each row, int64, shape (T,).
        optimum: The best policy.
        split: Rows to learn from, to choose on and to judge on.
    """

    rung: Rung
    strength: str
    cost_rate: float
    market: Market
    states: np.ndarray
    optimum: Optimum
    split: Split

    @cached_property
    def moves(self) -> np.ndarray:
        """Simple return of each row, from the close before it; 0 in the first; shape (T,)."""
        closes = self.market.prices[:, 3]
        return np.concatenate([[0.0], closes[1:] / closes[:-1] - 1.0])

    def walk(self, choices: np.ndarray, rows: RowRange) -> np.ndarray:
        """Return the levels that a policy takes, starting flat.

        Args:
            choices: Place of the level to hold next, for each decision row and each level held, int64, shape (T', 3).
            rows: The decision rows and the one after them, T' + 1 rows.

        Returns:
            Place in `LEVELS` held before the first decision and after each, int64, shape (T' + 1,).
        """
        if choices.shape != (len(rows) - 1, len(LEVELS)):
            raise InvariantError(f"choices have shape {choices.shape}; allowed: {(len(rows) - 1, len(LEVELS))}")
        return walk(np.ascontiguousarray(choices), FLAT)

    def expected_growth(self, held: np.ndarray, rows: RowRange) -> np.ndarray:
        """Return what each decision earns in expectation, after costs, given the state in which it was taken.

        Args:
            held: As `walk` gives, shape (T' + 1,).
            rows: The rows walked.

        Returns:
            Net log growth of each decision's bar without the luck of its shock, float64, shape (T',).
        """
        states = self.states[rows.start : rows.stop - 1]
        return self.optimum.earned[held[1:], states] + self.optimum.switching[held[:-1], held[1:]]

    def realised_growth(self, held: np.ndarray, rows: RowRange) -> np.ndarray:
        """Return what each decision did earn, with exposures kept at their levels through each bar; shape (T',)."""
        moves = self.moves[rows.start + 1 : rows.stop]
        return np.log1p(np.array(LEVELS)[held[1:]] * moves) + self.optimum.switching[held[:-1], held[1:]]

    def best_choices(self, rows: RowRange) -> np.ndarray:
        """Return the best policy's choices at the decision rows, as `walk` takes them."""
        return self.optimum.choice[:, self.states[rows.start : rows.stop - 1]].T

    def share(self, choices: np.ndarray, rows: RowRange) -> float:
        """Return a policy's share of the attainable: expected growth over that of the best policy in the same rows.

        Both are taken in the states that came, with the drift in place of the moves that came of it: what is left out is the luck
        of the shocks, which at a Sharpe ratio of 0.02 a bar would be as large as a third of the edge in 25,000 bars.

        Args:
            choices: As for `walk`.
            rows: The rows.

        Returns:
            1 for the best policy, 0 for one that stays flat; NaN on a rung without an edge.
        """
        best = float(self.expected_growth(self.walk(self.best_choices(rows), rows), rows).mean())
        own = float(self.expected_growth(self.walk(choices, rows), rows).mean())
        return own / best if self.optimum.amplitude > 0.0 else float("nan")


def solve(chain: Chain, amplitude: float, cost_rate: float) -> Optimum:
    """Find the best policy at a strength of the drift.

    Args:
        chain: The signal.
        amplitude: Log drift where the shape is 1.
        cost_rate: Cost per unit of traded notional.
    """
    levels, switching = switching_costs(LEVELS, cost_rate)
    earned = expected_log_growth(levels, amplitude * chain.shape, VOLATILITY)
    states = np.arange(len(chain.shape), dtype=np.float64)
    policy = best_switching(states, chain.transition, levels, earned, switching, _TOLERANCE)
    growth = policy_growth(chain, earned, switching, policy.choice)
    return Optimum(amplitude, earned, switching, policy.choice, growth)


def policy_growth(chain: Chain, earned: np.ndarray, switching: np.ndarray, choice: np.ndarray) -> float:
    """Return the long-run net growth per bar of a policy that starts flat, from the stationary distribution of (level, state).

    Args:
        chain: The signal.
        earned: As in `Optimum`.
        switching: As in `Optimum`.
        choice: As in `Optimum`.
    """
    n_levels, n_states = choice.shape
    moves = np.zeros((n_levels, n_states, n_levels, n_states))
    level, state = np.indices(choice.shape)
    moves[level, state, choice] = chain.transition[state]
    size = n_levels * n_states
    matrix = moves.reshape(size, size)
    reached = np.linalg.matrix_power(0.5 * (matrix + np.eye(size)), size)[FLAT * n_states :][:n_states].any(axis=0)
    inside = matrix[np.ix_(reached, reached)]
    rewards = (earned[choice, state] + switching[level, choice]).reshape(size)[reached]
    return float(stationary(inside) @ rewards)


@lru_cache(maxsize=64)
def optimum_of(rung: str, strength: str) -> Optimum:
    """Return the best policy of a rung whose drift is so strong that it earns what the strength says.

    Raises:
        ConfigError: No such rung or strength.
    """
    for what, name, allowed in (("rung", rung, RUNGS), ("strength", strength, STRENGTHS)):
        if name not in allowed:
            raise ConfigError(f"{what} {name!r} is unknown; allowed: {', '.join(allowed)}")
    sharpe = STRENGTHS[strength]
    chain, cost = RUNGS[rung].chain(), 1e-4 * RUNGS[rung].cost_bps(sharpe)
    if rung == "walk":
        return solve(chain, 0.0, cost)
    # The best growth is convex in the drift, so that secants from above come down to the root and never pass it.
    high, low = solve(chain, 2.0 * VOLATILITY, cost), solve(chain, VOLATILITY, cost)
    target = sharpe * VOLATILITY
    for _ in range(_MOST_STEPS):
        if abs(low.growth - target) < _TOLERANCE:
            return low
        slope = (high.growth - low.growth) / (high.amplitude - low.amplitude)
        high, low = low, solve(chain, low.amplitude - (low.growth - target) / slope, cost)
    raise InvariantError(f"no drift was found at which rung {rung!r} earns {target} a bar; the last earns {low.growth}")


def ladder_market(
    rung: str, strength: str, seed: int, rows: tuple[int, int, int] | None = None, *, shuffled: bool = False
) -> LadderMarket:
    """Make a market of the ladder.

    Args:
        rung: A key of `RUNGS`.
        strength: A key of `STRENGTHS`.
        seed: Any whole number from 0.
        rows: Rows to learn from, to choose on and to judge on; those of `LADDER_ROWS` where None.
        shuffled: Pay, in the rows to learn from and to choose on, each move at a place drawn by lot, while all columns, past
            returns too, stay as they were: a negative control, in which no column tells anything of a move. The rows to judge on
            stay true.

    Raises:
        ConfigError: No such rung or strength.
    """
    optimum, chain = optimum_of(rung, strength), RUNGS[rung].chain()
    sizes = LADDER_ROWS[strength] if rows is None else rows
    edges = np.cumsum((sizes[0], _PURGE, sizes[1], _PURGE, sizes[2]))
    total = int(edges[-1])
    split = Split(RowRange(0, int(edges[0])), RowRange(int(edges[1]), int(edges[2])), RowRange(int(edges[3]), total), _PURGE)
    states = chain_path(chain, generator(seed, "ladder states").random(total))
    moves = -0.5 * VOLATILITY**2 + VOLATILITY * generator(seed, "ladder shocks").standard_normal(total)
    moves[1:] += optimum.amplitude * chain.shape[states[:-1]]
    features, names = _features(chain, states, moves, seed)
    paid = moves
    if shuffled:
        order = generator(seed, "ladder order of the control").permutation(split.test.start)
        paid = np.concatenate([moves[order], moves[split.test.start :]])
    timeframe = Timeframe.parse("1h")
    market = Market(
        symbols=(rung.upper(),),
        starts=(0, total),
        timeframe=timeframe,
        timestamps=timeframe.milliseconds * np.arange(total, dtype=np.int64),
        prices=_prices(paid),
        features=features,
        feature_names=names,
        ready=(0,),
    )
    return LadderMarket(RUNGS[rung], strength, 1e-4 * RUNGS[rung].cost_bps(STRENGTHS[strength]), market, states, optimum, split)


def _prices(moves: np.ndarray) -> np.ndarray:
    """Return open, high, low, close and volume of bars that open at the close before them."""
    path = np.concatenate([[0.0], np.cumsum(moves)])
    opens, closes = (_START_PRICE * np.exp(part) for part in (path[:-1], path[1:]))
    wick = 1.0 + _WICK * VOLATILITY
    return np.column_stack([opens, np.maximum(opens, closes) * wick, np.minimum(opens, closes) / wick, closes, np.ones_like(opens)])


def _features(chain: Chain, states: np.ndarray, moves: np.ndarray, seed: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the columns of about unit variance and their names: signals among noise, in an order of the seed."""
    signals = chain.shown[states]
    total = np.concatenate([[0.0], np.cumsum(moves + 0.5 * VOLATILITY**2)])
    rows = np.arange(1, len(moves) + 1)
    past = np.column_stack([(total[rows] - total[np.maximum(rows - bars, 0)]) / (VOLATILITY * np.sqrt(bars)) for bars in _PAST])
    n_noise = N_FEATURES - signals.shape[1] - past.shape[1]
    noise = generator(seed, "ladder distractors").standard_normal((len(moves), n_noise))
    persistent = n_noise // 2
    noise[:, :persistent] = _persistent(noise[:, :persistent])
    names: tuple[str, ...] = (
        *(f"signal_{number}" for number in range(signals.shape[1])),
        *(f"return_{bars}" for bars in _PAST),
        *(f"slow_{number}" for number in range(persistent)),
        *(f"noise_{number}" for number in range(n_noise - persistent)),
    )
    order = generator(seed, "ladder columns").permutation(N_FEATURES)
    block = np.column_stack([signals, past, noise])[:, order].astype(np.float32)
    places: list[int] = order.tolist()
    return np.ascontiguousarray(block), tuple(names[place] for place in places)


@njit(cache=True)
def _persistent(shocks: np.ndarray) -> np.ndarray:
    out = shocks.copy()
    deviation = np.sqrt(1.0 - _PERSISTENT**2)
    for row in range(1, len(out)):
        out[row] = _PERSISTENT * out[row - 1] + deviation * shocks[row]
    return out


def chain_path(chain: Chain, draws: np.ndarray) -> np.ndarray:
    """Return a stationary path of states, int64, shape (T,), from uniform draws, shape (T,)."""
    first, cumulative = np.cumsum(chain.occupancy()), np.cumsum(chain.transition, axis=1)
    # Sums may round to a little less than 1, and a draw may lie between.
    first[-1] = cumulative[:, -1] = 1.0
    return _path(cumulative, draws, int(np.argmax(first > draws[0])))


@njit(cache=True)
def _path(cumulative: np.ndarray, draws: np.ndarray, state: int) -> np.ndarray:
    states = np.empty(len(draws), dtype=np.int64)
    for row in range(len(draws)):
        if row > 0:
            state = int(np.argmax(cumulative[state] > draws[row]))
        states[row] = state
    return states


@njit(cache=True)
def walk(choices: np.ndarray, level: int) -> np.ndarray:
    """Follow choices (T, levels) from a level on; return the levels held before and after each, int64, shape (T + 1,)."""
    held = np.empty(len(choices) + 1, dtype=np.int64)
    held[0] = level
    for row in range(len(choices)):
        level = choices[row, level]
        held[row + 1] = level
    return held
