"""What prices do next: log returns over some horizons, in units of trailing volatility."""

from __future__ import annotations

import numpy as np

from seawall.features.arithmetic.windows import previous, rolling_mean


def future_log_returns(closes: np.ndarray, horizons: tuple[int, ...]) -> np.ndarray:
    """Return log returns from each close to later ones. They look ahead.

    Args:
        closes: Closing prices of one series, above 0, float64, shape (T,).
        horizons: Bars ahead, each at least 1.

    Returns:
        ``ln C(t + h) − ln C(t)``, float64, shape (T, H), known at the close of t + h; NaN in the last h rows.
    """
    logs = np.log(closes)
    result = np.full((len(closes), len(horizons)), np.nan)
    for place, horizon in enumerate(horizons):
        ahead = logs[horizon:] - logs[: max(len(logs) - horizon, 0)]
        result[: len(ahead), place] = ahead
    return result


def trailing_volatility(closes: np.ndarray, n: int) -> np.ndarray:
    """Return the root of the mean squared log return of the last n bars, shape (T,), known at the close; NaN in the first n."""
    with np.errstate(invalid="ignore"):
        returns = np.log(closes / previous(closes))
    return np.sqrt(rolling_mean(returns**2, n))


def scaled_future_returns(closes: np.ndarray, horizons: tuple[int, ...], volatility: np.ndarray) -> np.ndarray:
    """Return future log returns in units of what a random walk of the trailing volatility would do over the horizon.

    Args:
        closes: Closing prices of one series, above 0, float64, shape (T,).
        horizons: Bars ahead, each at least 1.
        volatility: Deviation of a bar's log return, known at its close, shape (T,).

    Returns:
        ``(ln C(t + h) − ln C(t)) / (volatility(t) · √h)``, float64, shape (T, H); NaN where either is unknown or volatility is 0.
    """
    usual = volatility[:, None] * np.sqrt(np.asarray(horizons, dtype=np.float64))
    return np.where(usual > 0.0, future_log_returns(closes, horizons) / np.where(usual > 0.0, usual, 1.0), np.nan)
