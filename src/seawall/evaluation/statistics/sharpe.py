"""What a Sharpe ratio proves: probabilistic and deflated Sharpe ratio, and the record it takes.

Every Sharpe ratio here is *per bar*, not annualised: mean / standard deviation of the returns of T bars. Sources: Bailey and Lopez
de Prado, The Sharpe Ratio Efficient Frontier (2012), for the probabilistic Sharpe ratio and the least track record; The
Deflated Sharpe Ratio (2014); Bailey, Borwein, Lopez de Prado and Zhu, Pseudo-Mathematics and Financial Charlatanism (2014), for the
least backtest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from seawall.core.errors import ConfigError
from seawall.evaluation.metrics import Measured

MIN_ACTIVE_BARS = 30
"""Bars with a return other than zero, below which nothing is said: these figures rest on the law of large numbers."""

_EULER_MASCHERONI = 0.577215664901532860606512090082
_ROUNDING = 1e-12


@dataclass(frozen=True)
class SharpeFacts:
    """What a Sharpe ratio is judged by.

    Attributes:
        sharpe: Mean / standard deviation (ddof 1) of the returns per bar; not annualised.
        skew: Third standardised moment m3 / m2^1.5, of the sample itself (no correction for its size); 0 for a normal one.
        kurtosis: Fourth standardised moment m4 / m2², likewise, *not* less 3; 3 for a normal one.
        n_bars: T, returns it was computed from.
    """

    sharpe: float
    skew: float
    kurtosis: float
    n_bars: int

    @property
    def spread(self) -> float:
        """1 − γ3·SR + (γ4 − 1)/4·SR²: the variance of the estimated Sharpe ratio, times T − 1."""
        return 1.0 - self.skew * self.sharpe + (self.kurtosis - 1.0) / 4.0 * self.sharpe**2

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return dict(vars(self))


def sharpe_facts(returns: np.ndarray) -> SharpeFacts | str:
    """Measure a series of returns.

    Args:
        returns: Net simple returns per bar, float64, shape (T,).

    Returns:
        The facts, or why there are none: a return that is no finite number, fewer than `MIN_ACTIVE_BARS` bars with a return,
        or returns that are all equal.
    """
    values = np.asarray(returns, dtype=np.float64)
    bad = int(np.count_nonzero(~np.isfinite(values)))
    if bad:
        return f"{bad} of {len(values)} returns are no finite numbers"
    active = int(np.count_nonzero(values))
    if active < MIN_ACTIVE_BARS:
        return f"{active} of {len(values)} bars have a return; at least {MIN_ACTIVE_BARS} are needed"
    largest = float(np.abs(values).max())
    if float(np.ptp(values)) <= _ROUNDING * largest:
        return "every bar has the same return"
    # In units of the largest return: fourth powers of small ones would lose their digits.
    scaled = values / largest
    mean = float(scaled.mean())
    centred = scaled - mean
    variance = float(np.mean(centred**2))
    skew = float(np.mean(centred**3)) / variance**1.5
    kurtosis = float(np.mean(centred**4)) / variance**2
    return SharpeFacts(mean / float(scaled.std(ddof=1)), skew, kurtosis, len(values))


def probabilistic_sharpe(facts: SharpeFacts | str, benchmark: float = 0.0) -> Measured:
    """Return the probability that the true Sharpe ratio is above a benchmark, given the observed one.

    Φ[(SR − SR*)·√(T − 1) / √(1 − γ3·SR + (γ4 − 1)/4·SR²)], as if no other configuration had been tried.

    Args:
        facts: From `sharpe_facts`; a reason passes through.
        benchmark: SR*, per bar.
    """
    if isinstance(facts, str):
        return Measured(None, facts)
    if facts.n_bars < 2 or not facts.spread > _ROUNDING:
        return Measured(None, "the spread of the estimate cannot be told from these returns")
    score = (facts.sharpe - benchmark) * math.sqrt(facts.n_bars - 1) / math.sqrt(facts.spread)
    return Measured(float(ndtr(score)))


def expected_maximum(n_trials: int) -> float:
    """Return about how large the largest of N independent standard normal numbers is on average.

    (1 − γ)·Φ⁻¹(1 − 1/N) + γ·Φ⁻¹(1 − 1/(N·e)), γ the constant of Euler and Mascheroni; 0 for one.

    Args:
        n_trials: N, at least 1.

    Raises:
        ConfigError: It is no whole number of 1 or more.
    """
    if isinstance(n_trials, bool) or not isinstance(n_trials, int | np.integer) or n_trials < 1:
        raise ConfigError(f"n_trials is {n_trials!r}; allowed: a whole number of 1 or more")
    if n_trials == 1:
        return 0.0
    gamma = _EULER_MASCHERONI
    return float((1.0 - gamma) * ndtri(1.0 - 1.0 / n_trials) + gamma * ndtri(1.0 - 1.0 / (n_trials * math.e)))


def benchmark_of_trials(n_trials: int, n_bars: int, variance: float | None = None) -> float:
    """Return SR0, the largest Sharpe ratio per bar to expect of N configurations without skill: √V times `expected_maximum`.

    Args:
        n_trials: N, configurations tried on these bars.
        n_bars: T.
        variance: V, variance of the trials' Sharpe ratios per bar; where None, 1/(T − 1), the variance of a Sharpe ratio
            that is estimated from T bars without skill.

    Raises:
        ConfigError: A number is out of range.
    """
    if variance is None:
        variance = 1.0 / (n_bars - 1) if n_bars > 1 else math.nan
    if not 0.0 <= variance < math.inf:
        raise ConfigError(f"variance is {variance}, n_bars {n_bars}; allowed: a variance of 0 or more, or None and 2 bars or more")
    return math.sqrt(variance) * expected_maximum(n_trials)


def deflated_sharpe(facts: SharpeFacts | str, n_trials: int, variance: float | None = None) -> Measured:
    """Return the probabilistic Sharpe ratio against the largest to expect of as many configurations without skill.

    With one trial it is the probabilistic Sharpe ratio against 0.

    Args:
        facts: Of the chosen configuration, from `sharpe_facts`; a reason passes through.
        n_trials: Distinct configurations tried on these bars, the chosen one among them.
        variance: As for `benchmark_of_trials`.

    Raises:
        ConfigError: A number is out of range.
    """
    expected_maximum(n_trials)
    if isinstance(facts, str):
        return Measured(None, facts)
    return probabilistic_sharpe(facts, benchmark_of_trials(n_trials, facts.n_bars, variance))


def least_track_record(facts: SharpeFacts | str, benchmark: float = 0.0, confidence: float = 0.95) -> Measured:
    """Return how many bars it takes until the observed Sharpe ratio proves the true one above a benchmark.

    1 + (1 − γ3·SR + (γ4 − 1)/4·SR²)·(Φ⁻¹(p) / (SR − SR*))².

    Args:
        facts: From `sharpe_facts`; a reason passes through.
        benchmark: SR*, per bar.
        confidence: p, above 0.5 and below 1.

    Raises:
        ConfigError: The confidence is out of range.
    """
    if not 0.5 < confidence < 1.0:
        raise ConfigError(f"confidence is {confidence}; allowed: above 0.5 and below 1")
    if isinstance(facts, str):
        return Measured(None, facts)
    lead = facts.sharpe - benchmark
    if lead <= 0.0:
        return Measured(None, "the Sharpe ratio is not above the benchmark, so no length of record proves it")
    if not facts.spread > _ROUNDING:
        return Measured(None, "the spread of the estimate cannot be told from these returns")
    ratio = float(ndtri(confidence)) / lead
    return Measured(1.0 + facts.spread * ratio**2) if ratio < 1e100 else Measured(None, "too large to be written as a number")


def least_backtest_years(n_trials: int, annual_sharpe: float = 1.0) -> Measured:
    """Return how many years of data keep the best of N configurations without skill below an annualised Sharpe ratio, on average.

    (`expected_maximum`(N) / SR)², at most 2·ln N / SR².

    Args:
        n_trials: N.
        annual_sharpe: SR, annualised.

    Raises:
        ConfigError: The number of trials is no whole number of 1 or more.
    """
    largest = expected_maximum(n_trials)
    if not 1e-100 < annual_sharpe < math.inf:
        return Measured(None, f"the annualised Sharpe ratio is {annual_sharpe}, and only one above 0 can be kept from chance")
    return Measured((largest / annual_sharpe) ** 2)
