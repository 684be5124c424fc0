"""Stylised facts: does a made market look like a real one?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from seawall.core.bars import PRICE_COLUMNS
from seawall.market.synthetic.regimes import REGIME_NAMES, RegimeMarket, RegimeParams

_LAGS = (1, 10, 50)
_FURTHEST_LAG = 50
# Of 25 frequencies of a true chain, one lies beyond this many deviations by chance in 6,000 markets.
_MOST_DEVIATIONS = 4.5
_CONTRACTION, _EXPANSION = REGIME_NAMES.index("volatility_contraction"), REGIME_NAMES.index("volatility_expansion")


def stylised_facts(bars: pd.DataFrame) -> dict[str, float]:
    """Measure the facts that real markets share.

    Args:
        bars: A bar frame of at least 100 rows.

    Returns:
        Of the log returns r from close to close: deviation, excess kurtosis (real ones are well above 0), lag-one
        autocorrelation (near 0), the largest size of any at lags 1 to 50, and autocorrelation of |r| at lags 1, 10 and 50
        (above 0, falling slowly). NaN where returns never vary.
    """
    returns = np.diff(np.log(bars["close"].to_numpy(np.float64)))
    centred = returns - returns.mean()
    variance = float(centred.var())
    squares = centred * centred
    kurtosis = float((squares * squares).mean()) / variance**2 - 3.0 if variance > 0.0 else float("nan")
    signed = autocorrelations(returns, range(1, _FURTHEST_LAG + 1))
    sizes = autocorrelations(np.abs(returns), _LAGS)
    return {
        "volatility_per_bar": float(np.sqrt(variance)),
        "excess_kurtosis": kurtosis,
        "autocorrelation_1": signed[0],
        "largest_autocorrelation": max(abs(value) for value in signed),
        **{f"absolute_autocorrelation_{lag}": value for lag, value in zip(_LAGS, sizes, strict=True)},
    }


def autocorrelation(values: np.ndarray, lag: int) -> float:
    """Return the sample autocorrelation at one lag; NaN for values that never vary.

    Args:
        values: Shape (T,), with T above the lag.
        lag: At least 1.
    """
    return autocorrelations(values, (lag,))[0]


def autocorrelations(values: np.ndarray, lags: Iterable[int]) -> list[float]:
    """Return the sample autocorrelation at each of several lags; NaN for values that never vary.

    Args:
        values: Shape (T,), with T above each lag.
        lags: At least 1 each.
    """
    centred = values - values.mean()
    power = float(centred @ centred)
    return [float(centred[lag:] @ centred[:-lag]) / power if power > 0.0 else float("nan") for lag in lags]


def regime_facts(market: RegimeMarket, params: RegimeParams) -> dict[str, Any]:
    """Measure a regime market against what it was made to be.

    Args:
        market: The market, of at least 100 bars.
        params: What it was made with.

    Returns:
        JSON: ``bars``, ``valid_bars`` (low <= open, close <= high, all finite and above 0), the `stylised_facts`, ``regimes`` (by
        name: share of bars, mean volume and factor), ``transitions`` (counts, frequencies, chances, the largest distance between
        them in binomial deviations) and ``accepted``: which of the generator's acceptance tests the market passes. Only a market of
        many bars, with the default settings or ones like them, can be expected to pass all.
    """
    facts = stylised_facts(market.bars)
    regimes = _by_regime(market, params)
    transitions = transition_facts(market.spells, np.asarray(params.transitions))
    valid = valid_bars(market.bars)
    visited = [entry for entry in regimes.values() if entry["mean_volume"] is not None]
    in_order = sorted(visited, key=lambda entry: entry["volume_factor"])
    clustering = [facts[f"absolute_autocorrelation_{lag}"] for lag in _LAGS]
    accepted = {
        "fat_tails": facts["excess_kurtosis"] > 1.0,
        "clustered_volatility": clustering[0] > 0.1 and clustering[0] > clustering[1] > clustering[2],
        "uncorrelated_returns": facts["largest_autocorrelation"] < 0.05,
        "transitions_as_stated": transitions["largest_deviation"] <= _MOST_DEVIATIONS,
        "volume_in_order": sorted(visited, key=lambda entry: entry["mean_volume"]) == in_order,
        "valid_prices": valid == len(market.bars),
    }
    return {
        "bars": len(market.bars),
        "valid_bars": valid,
        **facts,
        "regimes": regimes,
        "transitions": transitions,
        "accepted": {name: bool(passed) for name, passed in accepted.items()},
    }


def transition_facts(spells: np.ndarray, chances: np.ndarray) -> dict[str, Any]:
    """Count which regime followed which, and compare with the stated chances.

    Args:
        spells: First row and regime of each spell, shape (S, 2).
        chances: Stated chance of each next regime (column) after each (row), shape (5, 5).

    Returns:
        ``counts``, ``frequencies`` (None in the row of a regime that never ended), ``chances``, ``largest_deviation``: the largest
        distance of a count from its mean, in binomial deviations (infinite where what cannot be was seen), and
        ``expansion_after_contraction``, None where no contraction ended.
    """
    followed = np.zeros((5, 5))
    np.add.at(followed, (spells[:-1, 1], spells[1:, 1]), 1)
    ended = followed.sum(axis=1, keepdims=True)
    deviation = np.sqrt(ended * chances * (1.0 - chances))
    distance = np.abs(followed - ended * chances)
    certain = np.where(distance > 0.5, np.inf, 0.0)
    off = np.divide(distance, deviation, out=certain, where=deviation > 0.0)
    frequencies = [list(row / total) if total else None for row, total in zip(followed, ended[:, 0], strict=True)]
    after_contraction = frequencies[_CONTRACTION]
    return {
        "names": list(REGIME_NAMES),
        "counts": followed.astype(np.int64).tolist(),
        "frequencies": [None if row is None else [float(share) for share in row] for row in frequencies],
        "chances": chances.tolist(),
        "largest_deviation": float(off.max()),
        "expansion_after_contraction": None if after_contraction is None else float(after_contraction[_EXPANSION]),
    }


def valid_bars(bars: pd.DataFrame) -> int:
    """Count bars whose prices are finite, above 0, and whose open and close lie between low and high."""
    opens, high, low, close = (bars[name].to_numpy(np.float64) for name in PRICE_COLUMNS)
    bottom, top = np.minimum(opens, close), np.maximum(opens, close)
    return int(((low > 0.0) & (low <= bottom) & (top <= high) & np.isfinite(high)).sum())


def _by_regime(market: RegimeMarket, params: RegimeParams) -> dict[str, dict[str, Any]]:
    counts = np.bincount(market.regimes, minlength=len(REGIME_NAMES))
    sums = np.bincount(market.regimes, weights=market.bars["volume"].to_numpy(np.float64), minlength=len(REGIME_NAMES))
    shares = counts / counts.sum()
    return {
        name: {
            "share_of_bars": float(shares[row]),
            "mean_volume": float(sums[row] / counts[row]) if counts[row] else None,
            "volume_factor": regime.volume,
        }
        for row, (name, regime) in enumerate(zip(REGIME_NAMES, params.regimes(), strict=True))
    }
