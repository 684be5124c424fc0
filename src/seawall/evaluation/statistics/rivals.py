"""Whether one policy beats another bar by bar: a paired test, and what to do where there are many of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from seawall.core.errors import ConfigError
from seawall.core.seeding import generator
from seawall.evaluation.bootstrap import MIN_BARS, BootstrapParams, Interval, mean_block_bars
from seawall.evaluation.metrics import Measured

_ROUNDING = 1e-12


@dataclass(frozen=True)
class PairedTest:
    """Mean log return per bar of a policy less that of its rival, over the same bars.

    Attributes:
        mean: Observed mean difference per bar.
        interval: Its interval by the stationary bootstrap.
        p_value: How likely a mean this high or higher is where the policy is no better (one-sided), by the same resamples.
        mean_block_bars: Mean length of the resampled blocks.
    """

    mean: Measured
    interval: Interval
    p_value: Measured
    mean_block_bars: int

    def to_dict(self) -> dict[str, Any]:
        """Return the test as plain values."""
        figures = {"mean": self.mean, "p_value": self.p_value}
        return {
            "mean": self.mean.value,
            **self.interval.to_dict(),
            "p_value": self.p_value.value,
            "mean_block_bars": self.mean_block_bars,
            "undefined": {name: figure.reason for name, figure in figures.items() if figure.value is None},
        }


def paired_test(judged: np.ndarray, rival: np.ndarray, params: BootstrapParams | None = None) -> PairedTest:
    """Test whether a policy earns more per bar than a rival.

    The differences are resampled in blocks of random length (Politis and Romano 1994), as in `bootstrap.resample`. The p-value
    is the share of resampled means that lie as far above the observed mean as that lies above 0, the observed one counted
    among them: (1 + #{m* − m ≥ m}) / (B + 1).

    Args:
        judged: Net log return per bar, float64, shape (T,).
        rival: That of the rival on the same bars, float64, shape (T,).
        params: Settings of the resamples; the defaults where None.

    Returns:
        The test; undefined with fewer than `bootstrap.MIN_BARS` bars, a return that is no finite number, or where both earn the
        same on every bar.

    Raises:
        ConfigError: The two have different shapes.
    """
    params = BootstrapParams() if params is None else params
    ours, theirs = np.asarray(judged, dtype=np.float64), np.asarray(rival, dtype=np.float64)
    if ours.shape != theirs.shape or ours.ndim != 1:
        raise ConfigError(f"log returns have shapes {ours.shape} and {theirs.shape}; allowed: one each for the same bars")
    bad = int(np.count_nonzero(~np.isfinite(ours)) + np.count_nonzero(~np.isfinite(theirs)))
    if bad:
        return _undefined(Measured(None, f"{bad} of {2 * len(ours)} log returns are no finite numbers"))
    if not len(ours):
        return _undefined(Measured(None, "there is no bar"))
    differences = ours - theirs
    mean = Measured(float(differences.mean()))
    if len(ours) < MIN_BARS:
        return _undefined(mean, f"{len(ours)} bars are too few; at least {MIN_BARS} are needed")
    if float(np.ptp(differences)) <= _ROUNDING * max(float(np.abs(ours).max()), float(np.abs(theirs).max())):
        return _undefined(mean, "the difference is the same on every bar")
    block = mean_block_bars(differences)
    means = _resampled_means(differences, block, params)
    tail = 100.0 * (1.0 - params.confidence) / 2.0
    low, high = np.percentile(means, [tail, 100.0 - tail])
    observed = float(differences.mean())
    above = int(np.count_nonzero(means - observed >= observed))
    return PairedTest(mean, Interval(float(low), float(high)), Measured((1 + above) / (len(means) + 1)), block)


def _resampled_means(differences: np.ndarray, block: int, params: BootstrapParams) -> np.ndarray:
    from arch.bootstrap import StationaryBootstrap

    sampler = StationaryBootstrap(block, np.empty(len(differences)), seed=generator(params.seed, "bootstrap"))
    return np.array([differences[sampler.update_indices()].mean() for _ in range(params.n_resamples)])


def _undefined(mean: Measured, reason: str = "") -> PairedTest:
    reason = reason or mean.reason
    return PairedTest(mean, Interval(None, None, reason), Measured(None, reason), 1)


def adjusted_p_values(p_values: Mapping[str, Measured]) -> dict[str, Measured]:
    """Return the p-values of several tests, adjusted for their number (Benjamini and Hochberg 1995).

    Calling those below a bound a discovery keeps the expected share of false ones among them below it, for tests that are
    independent or positively dependent. A policy that must beat *every* rival needs no adjustment: that is one claim.

    Args:
        p_values: By name; what is undefined stays so and does not count.
    """
    from scipy.stats import false_discovery_control

    known = {name: figure.value for name, figure in p_values.items() if figure.value is not None}
    if not known:
        return dict(p_values)
    adjusted = dict(zip(known, false_discovery_control(list(known.values())), strict=True))
    return {name: Measured(float(adjusted[name])) if name in adjusted else figure for name, figure in p_values.items()}
