"""Honest look-alikes of the planted leaks. The detector must let every one of them pass."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

from seawall.evaluation.leaks.candidates import (
    Candidate,
    FeatureCandidate,
    LabelCandidate,
    RewardCandidate,
    ScalerCandidate,
    SelectionCandidate,
    SplitCandidate,
)
from seawall.evaluation.leaks.zoo_parts import best_exit, closes_every_four_hours, fill_quiet, next_returns, returns
from seawall.market.splits import SplitParams, chronological_split

_HOUR = pd.Timedelta(hours=1).as_unit("ms")
_PROFILE_BARS, _PROFILE_BINS = 48, 12


def trailing_window(bars: pd.DataFrame) -> pd.Series:
    """A mean of the last five bars."""
    return bars["close"].rolling(5).mean() / bars["close"]


def scaled_by_the_past(bars: pd.DataFrame) -> pd.Series:
    """Scaled by the mean and deviation of the bars so far."""
    return (bars["close"] - bars["close"].expanding().mean()) / bars["close"].expanding().std()


def clipped_by_the_past(bars: pd.DataFrame) -> pd.Series:
    """Clipped at quantiles of the last hundred bars."""
    window = returns(bars).rolling(100)
    return returns(bars).clip(window.quantile(0.01), window.quantile(0.99))


def filled_forwards(bars: pd.DataFrame) -> np.ndarray:
    """Bars without volume keep the last known volume."""
    return np.log(bars["volume"].where(bars["volume"] > 0).ffill().to_numpy())


def longer_bar_at_its_close(bars: pd.DataFrame) -> pd.Series:
    """The close of a four-hour bar, read from the moment at which it has closed."""
    known = closes_every_four_hours(bars).rename("longer").rename_axis("at").reset_index()
    known["at"] += 4 * _HOUR
    here = pd.DataFrame({"at": bars["timestamp"] + _HOUR})
    return pd.merge_asof(here, known, on="at")["longer"] / bars["close"]


def lagged_target(bars: pd.DataFrame) -> pd.DataFrame:
    """The target of two bars ago, whose outcome is known."""
    return pd.DataFrame({"momentum": bars["close"].pct_change(10), "outcome": next_returns(bars).shift(2) > 0})


def causal_chikou(bars: pd.DataFrame) -> pd.Series:
    """Ichimoku's lagging line as a rule: the close against that of 26 bars before."""
    return bars["close"] / bars["close"].shift(26)


def confirmed_pivot(bars: pd.DataFrame) -> pd.Series:
    """A high is called a pivot five bars later, once it is one."""
    return (bars["high"] == bars["high"].rolling(11, center=True).max()).shift(5, fill_value=False)


def trailing_profile(bars: pd.DataFrame) -> np.ndarray:
    """The distance to the price of most volume in the last 48 bars."""
    close, volume = (sliding_window_view(bars[name].to_numpy(), _PROFILE_BARS) for name in ("close", "volume"))
    low, high = close.min(axis=1, keepdims=True), close.max(axis=1, keepdims=True)
    bins = np.minimum((close - low) / np.maximum(high - low, 1e-12) * _PROFILE_BINS, _PROFILE_BINS - 1).astype(int)
    amounts = np.stack([np.where(bins == place, volume, 0.0).sum(axis=1) for place in range(_PROFILE_BINS)])
    price = low[:, 0] + (np.argmax(amounts, axis=0) + 0.5) / _PROFILE_BINS * (high - low)[:, 0]
    return np.concatenate([np.full(_PROFILE_BARS - 1, np.nan), close[:, -1] / price - 1.0])


def trends_of_last_week(bars: pd.DataFrame, trends: pd.DataFrame) -> pd.Series:
    """Search interest of the last week that has ended by the close of the bar."""
    known = pd.DataFrame({"at": trends["timestamp"] + trends["length"], "value": trends["value"]})
    return pd.merge_asof(pd.DataFrame({"at": bars["timestamp"] + _HOUR}), known, on="at")["value"]


def last_value_gap_filling(bars: pd.DataFrame) -> pd.Series:
    """Quiet bars keep the last known close."""
    return fill_quiet(bars, known_after=0)


def resampled_to_the_right(bars: pd.DataFrame) -> pd.Series:
    """The range of six hours bears the time at which they end, and is read from then on."""
    longer = bars.set_index("timestamp")["close"].resample("6h", label="right", closed="left").agg(["max", "min"])
    spread = (longer["max"] / longer["min"]).rename("spread").reset_index()
    return pd.merge_asof(bars[["timestamp"]], spread, on="timestamp")["spread"]


def trailing_trend(bars: pd.DataFrame) -> np.ndarray:
    """The distance to the start of a line through the last 50 bars."""
    windows = sliding_window_view(np.log(bars["close"].to_numpy()), 50)
    weights = np.arange(50) - 24.5
    slope = windows @ weights / (weights @ weights)
    return np.concatenate([np.full(49, np.nan), windows[:, -1] - windows.mean(axis=1) - 24.5 * slope])


def bars_so_far(bars: pd.DataFrame) -> np.ndarray:
    """How many bars there have been."""
    return np.arange(len(bars))


def notice_of_a_tripling(bars: pd.DataFrame) -> pd.Series:
    """Rings once the price has tripled, which these bars never do: constant."""
    return bars["close"] > 3 * bars["close"].shift(1)


def smoothed_one_way(bars: pd.DataFrame) -> pd.Series:
    """An exponential mean of an exponential mean, forwards both times."""
    return bars["close"].ewm(span=10).mean().ewm(span=10, adjust=False).mean() / bars["close"]


def rank_in_the_past(bars: pd.DataFrame) -> pd.Series:
    """The rank of the volume among the last hundred bars."""
    return bars["volume"].rolling(100).rank(pct=True)


def hour_of_the_bar(bars: pd.DataFrame) -> pd.DataFrame:
    """The hour and the weekday at which the bar opens, whole numbers."""
    return pd.DataFrame({"hour": bars["timestamp"].dt.hour, "weekday": bars["timestamp"].dt.dayofweek})


def huge_values(bars: pd.DataFrame) -> pd.Series:
    """Turnover so far, in units that make it huge."""
    return (bars["close"] * bars["volume"]).cumsum() * 1e12


def without_quiet_bars(bars: pd.DataFrame) -> pd.Series:
    """A mean over the last twenty bars that had volume."""
    return bars.loc[bars["volume"] > 0, "close"].rolling(20).mean().reindex(bars.index).ffill()


def seeded_noise(bars: pd.DataFrame) -> np.ndarray:
    """Random numbers with a seed of their own: useless, and no leak."""
    return np.random.default_rng(0).normal(size=len(bars))


def filtered_by_frequencies(bars: pd.DataFrame) -> np.ndarray:
    """A trailing sum computed by a Fourier transform, exact but for the last digits."""
    log = np.log(bars["close"].to_numpy())
    length = 2 * len(log) + 40
    return np.fft.irfft(np.fft.rfft(log, length) * np.fft.rfft(np.ones(20), length), length)[: len(log)]


def the_next_day(bars: pd.DataFrame) -> pd.Series:
    """Whether the next hour belongs to another day, which the clock tells beforehand."""
    return (bars["timestamp"] + _HOUR).dt.day != bars["timestamp"].dt.day


def label_as_declared(bars: pd.DataFrame) -> pd.Series:
    """The return of the next five bars, declared as such."""
    return bars["close"].shift(-5) / bars["close"] - 1.0


def scaled_by_training_rows(block: np.ndarray, train: range) -> np.ndarray:
    """Moved and divided by what the training rows show."""
    training = block[train.start : train.stop]
    return (block - training.mean(axis=0)) / training.std(axis=0)


def clipped_by_training_rows(block: np.ndarray, train: range) -> np.ndarray:
    """Clipped at quantiles of the training rows."""
    return np.clip(block, *np.quantile(block[train.start : train.stop], (0.01, 0.99), axis=0))


def encoded_by_training_rows(block: np.ndarray, train: range) -> np.ndarray:
    """Kinds become how frequent they are in training; those never seen there become 0."""
    kinds = block[:, -1]
    return np.array([(kinds[train.start : train.stop] == kind).mean() for kind in kinds])


def reduced_by_training_rows(block: np.ndarray, train: range) -> np.ndarray:
    """Scaled by the training rows, and turned to their main axes."""
    scaled = scaled_by_training_rows(block, train)
    return scaled @ np.linalg.eigh(np.cov(scaled[train.start : train.stop].T))[1][:, -2:]


def scaled_by_what_came_before(block: np.ndarray, _train: range) -> np.ndarray:
    """Each row is scaled by the hundred rows up to it."""
    frame = pd.DataFrame(block)
    return ((frame - frame.rolling(100).mean()) / frame.rolling(100).std()).to_numpy()


def chosen_on_training_rows(block: np.ndarray, target: np.ndarray, train: range) -> np.ndarray:
    """The three columns that go best with the target in the training rows."""
    rows = slice(train.start, train.stop)
    return np.argsort(np.abs(target[rows] @ block[rows]))[-3:]


def purged_split(n_rows: int, window: int, horizon: int) -> list[tuple[range, range, range]]:
    """Seawall's own split, in order of time with unused rows between the parts."""
    split = chronological_split(window - 1, n_rows, SplitParams(), purge=window + horizon)
    train, validation, test = (range(part.start, part.stop) for part in (split.train, split.validation, split.test))
    return [(train, validation, test)]


def walk_forward(n_rows: int, window: int, horizon: int) -> list[tuple[range, range]]:
    """Four folds in order of time, each with a purge before its test rows."""
    step = n_rows // 5
    return [(range(fold * step), range(fold * step + window + horizon, (fold + 1) * step)) for fold in range(1, 5)]


def paid_with_the_next_return(bars: pd.DataFrame, positions: np.ndarray) -> np.ndarray:
    """The position of a close is paid with the move of the next bar, after costs."""
    changes = np.abs(np.diff(positions, prepend=0.0))
    return positions * next_returns(bars).fillna(0.0).to_numpy() - 0.001 * changes


def paid_when_earned(bars: pd.DataFrame, positions: np.ndarray) -> np.ndarray:
    """The same pay, booked at the bar on which it is earned."""
    return np.append(0.0, positions[:-1]) * returns(bars).fillna(0.0).to_numpy()


def paid_by_past_risk(bars: pd.DataFrame, positions: np.ndarray) -> np.ndarray:
    """The next bar's pay in units of the deviation of the last fifty bars."""
    risk = returns(bars).rolling(50, min_periods=5).std().fillna(1.0).clip(lower=1e-4)
    return positions * (next_returns(bars) / risk).fillna(0.0).to_numpy()


CLEAN: dict[str, Candidate] = {
    "trailing window": FeatureCandidate(trailing_window, warmup=4),
    "scaled by the bars so far": FeatureCandidate(scaled_by_the_past),
    "clipped by the last bars": FeatureCandidate(clipped_by_the_past),
    "ffill": FeatureCandidate(filled_forwards),
    "higher-timeframe bar joined at its close": FeatureCandidate(longer_bar_at_its_close),
    "lagged target": FeatureCandidate(lagged_target, warmup=10),
    "causal Chikou": FeatureCandidate(causal_chikou, warmup=26),
    "confirmed pivot": FeatureCandidate(confirmed_pivot),
    "trailing volume profile": FeatureCandidate(trailing_profile, warmup=47),
    "Trends of last week": FeatureCandidate(trends_of_last_week),
    "last-value gap filling": FeatureCandidate(last_value_gap_filling),
    "resample with the right label side": FeatureCandidate(resampled_to_the_right),
    "trailing detrend": FeatureCandidate(trailing_trend),
    "bars so far": FeatureCandidate(bars_so_far),
    "notice of a rare event": FeatureCandidate(notice_of_a_tripling),
    "one-way smoothing": FeatureCandidate(smoothed_one_way),
    "rank in the last bars": FeatureCandidate(rank_in_the_past),
    "hour and weekday": FeatureCandidate(hour_of_the_bar),
    "huge values": FeatureCandidate(huge_values),
    "quiet bars left out": FeatureCandidate(without_quiet_bars),
    "noise with a seed": FeatureCandidate(seeded_noise),
    "trailing sum by frequencies": FeatureCandidate(filtered_by_frequencies),
    "end of the day by the clock": FeatureCandidate(the_next_day),
    "label as declared": LabelCandidate(label_as_declared, horizon=5),
    "scaler fitted on training rows": ScalerCandidate(scaled_by_training_rows),
    "clip fitted on training rows": ScalerCandidate(clipped_by_training_rows),
    "encoder fitted on training rows": ScalerCandidate(encoded_by_training_rows),
    "axes fitted on training rows": ScalerCandidate(reduced_by_training_rows),
    "scaler of the last rows": ScalerCandidate(scaled_by_what_came_before),
    "feature selected on training rows": SelectionCandidate(chosen_on_training_rows),
    "purged chronological split": SplitCandidate(purged_split),
    "purged walk-forward split": SplitCandidate(walk_forward),
    "next-bar pay": RewardCandidate(paid_with_the_next_return, reported=True),
    "pay booked when earned": RewardCandidate(paid_when_earned, reported=True),
    "pay scaled by past risk": RewardCandidate(paid_by_past_risk),
    "hindsight exit as a training label": RewardCandidate(best_exit, horizon=24),
}
