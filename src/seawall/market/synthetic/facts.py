"""Stylised facts: does a made market look like a real one?"""

from __future__ import annotations

import numpy as np
import pandas as pd

_LAGS = (1, 10, 50)


def stylised_facts(bars: pd.DataFrame) -> dict[str, float]:
    """Measure the facts that real markets share.

    Args:
        bars: A bar frame of at least 100 rows.

    Returns:
        Of the log returns r from close to close: deviation, excess kurtosis (real ones are well above 0), lag-one
        autocorrelation (near 0), and autocorrelation of |r| at lags 1, 10 and 50 (above 0, falling slowly). NaN where
        returns never vary.
    """
    returns = np.diff(np.log(bars["close"].to_numpy(np.float64)))
    centred = returns - returns.mean()
    variance = float(centred.var())
    kurtosis = float((centred**4).mean()) / variance**2 - 3.0 if variance > 0.0 else float("nan")
    clustering = {f"absolute_autocorrelation_{lag}": autocorrelation(np.abs(returns), lag) for lag in _LAGS}
    return {
        "volatility_per_bar": float(np.sqrt(variance)),
        "excess_kurtosis": kurtosis,
        "autocorrelation_1": autocorrelation(returns, 1),
        **clustering,
    }


def autocorrelation(values: np.ndarray, lag: int) -> float:
    """Return the sample autocorrelation at one lag; NaN for values that never vary.

    Args:
        values: Shape (T,), with T above the lag.
        lag: At least 1.
    """
    centred = values - values.mean()
    power = float(centred @ centred)
    return float(centred[lag:] @ centred[:-lag]) / power if power > 0.0 else float("nan")
