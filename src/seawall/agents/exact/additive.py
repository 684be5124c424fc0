"""Which terms of a reward are functions of the bar, the position held and the action alone.

The property itself is tried, for every term, a user's own too: on a made market accounts live through a path of decisions, while
at each bar a stranger with another past takes over: a fresh account, set into the same exposure, whose terms remember noise. A term
that is paid otherwise to the stranger depends on the path: on a highest equity, an entry price, an age, a moment.
"""

from __future__ import annotations

import numpy as np

from seawall.core.market import Market
from seawall.core.seeding import generator
from seawall.core.timeframe import Timeframe
from seawall.simulator.costs.params import CostParams
from seawall.simulator.rewards.params import RewardParams
from seawall.simulator.settings import SimulatorParams
from seawall.simulator.simulator import Simulator

_BARS, _ACCOUNTS = 96, 16
_LEVELS = np.array([-1.0, -0.5, 0.0, 0.0, 1.0])
_CHANGES = 0.3
_VOLATILITY = 0.01
_LONGEST_MEMORY = 1 << 22
_TOLERANCE = 1e-9
"""The two accounts reach the same exposure by other sums, so that their last bits differ."""


def path_dependent_terms(params: RewardParams) -> tuple[str, ...]:
    """Return the names of the reward's terms that depend on more than bar, position and action.

    Args:
        params: The reward. Terms of weight 0 count nothing and are passed.
    """
    return tuple(name for name, weight in params.weights.items() if weight != 0.0 and not _is_additive(name, params))


def _is_additive(name: str, params: RewardParams) -> bool:
    reward = params.model_copy(update={"weights": {name: 1.0}, "scale": 1.0, "clip": None})
    market, settings = _made_market(), SimulatorParams(max_exposure=10.0, reward=reward)
    lived, stranger = (Simulator(market, _ACCOUNTS, CostParams(), settings) for _ in range(2))
    everyone, rows = np.arange(_ACCOUNTS), np.zeros(_ACCOUNTS, dtype=np.int64)
    choices, noise = generator(0, "decisions of the additive probe"), generator(0, "memories of the additive probe")
    lived.reset(everyone, rows, rows + _BARS)
    for row in range(_BARS - 2):
        changed = choices.random(_ACCOUNTS) < _CHANGES
        wanted = np.where(changed, choices.choice(_LEVELS, _ACCOUNTS), lived.target)
        signals = np.sign(wanted - lived.target).astype(np.int8)
        exposure = lived.quantity * market.prices[row, 3] / lived.equity
        stranger.reset(everyone, rows + row, rows + _BARS, exposure)
        try:
            _scramble(stranger, noise)
            # Who keeps the target trades nothing, whatever the exposure has drifted to.
            stranger.step(np.where(wanted == lived.target, exposure, wanted), signals=signals)
        except Exception:  # a user's term may fail in any way at a memory that is none, and so shows that it has one
            return False
        lived.step(wanted, signals=signals)
        if not np.allclose(stranger.reward.terms, lived.reward.terms, rtol=_TOLERANCE, atol=_TOLERANCE):
            return False
    return True


def _scramble(simulator: Simulator, noise: np.random.Generator) -> None:
    """Fill what the terms remember by with noise, as if they had seen much."""
    for name, block in simulator.reward.blocks().items():
        if name == "reward_sums":
            continue
        if block.dtype.kind in "iu":
            block[...] = noise.integers(_LONGEST_MEMORY // 2, _LONGEST_MEMORY, block.shape).astype(block.dtype)
        elif block.dtype.kind == "b":
            block[...] = noise.random(block.shape) < 0.5
        else:
            block[...] = noise.standard_normal(block.shape) * _LONGEST_MEMORY ** noise.uniform(-1.0, 1.0, block.shape)


def _made_market() -> Market:
    """Return a market of one series with gaps and wicks."""
    draws = generator(0, "prices of the additive probe").standard_normal((_BARS, 4)) * _VOLATILITY
    closes = 100.0 * np.exp(np.cumsum(draws[:, 0]))
    opens = np.concatenate([[100.0], closes[:-1]]) * np.exp(0.3 * draws[:, 1])
    highs = np.maximum(opens, closes) * np.exp(np.abs(draws[:, 2]))
    lows = np.minimum(opens, closes) / np.exp(np.abs(draws[:, 3]))
    return Market(
        symbols=("PROBE",),
        starts=(0, _BARS),
        timeframe=Timeframe(3_600),
        timestamps=np.arange(_BARS, dtype=np.int64) * 3_600_000,
        prices=np.column_stack([opens, highs, lows, closes, np.ones(_BARS)]),
        features=np.zeros((_BARS, 0), dtype=np.float32),
        feature_names=(),
        ready=(0,),
    )
