"""What a bar of a portfolio is worth to a learner, in named parts that add up to the reward. All are known at the close of the bar.

===============  =================================================================================================================
reward           parts
===============  =================================================================================================================
log_growth       ``growth``: log(equity / equity one bar ago) after all costs, log(μ y·w) in the words of Jiang, Xu and Liang
                 (2017); ``excess``: `excess_weight` times what it is above the log growth of equal-weight buy-and-hold
scaled_return    a published one, kept to compare with: ``growth``: 1,000 times the return from prices alone, costs left out;
                 ``excess``: 500 times what it is above the return of equal-weight buy-and-hold; ``clip``: what takes the sum
                 back to within ±100
===============  =================================================================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

RewardName = Literal["log_growth", "scaled_return"]
_RETURN_SCALE, _EXCESS_SCALE, _LARGEST = 1_000.0, 500.0, 100.0


@dataclass(frozen=True)
class BarGrowth:
    """What one bar made of N accounts; float64, shape (N,) each.

    Attributes:
        log_return: log(equity / equity one bar ago), after all costs.
        benchmark_return: The same of equal-weight buy-and-hold, without costs.
        price_return: Profit from prices over the equity one bar ago.
    """

    log_return: np.ndarray
    benchmark_return: np.ndarray
    price_return: np.ndarray


def log_growth(bar: BarGrowth, excess_weight: float) -> dict[str, np.ndarray]:
    """Return the parts of ``log_growth``, float64, shape (N,) each."""
    return {"growth": bar.log_return, "excess": excess_weight * (bar.log_return - bar.benchmark_return)}


def scaled_return(bar: BarGrowth, _excess_weight: float) -> dict[str, np.ndarray]:
    """Return the parts of ``scaled_return``, float64, shape (N,) each."""
    growth = _RETURN_SCALE * bar.price_return
    excess = _EXCESS_SCALE * (bar.price_return - np.expm1(bar.benchmark_return))
    return {"growth": growth, "excess": excess, "clip": np.clip(growth + excess, -_LARGEST, _LARGEST) - (growth + excess)}


PORTFOLIO_REWARDS: dict[str, Callable[[BarGrowth, float], dict[str, np.ndarray]]] = {
    "log_growth": log_growth,
    "scaled_return": scaled_return,
}
"""Every reward by its name."""
