"""Planted leaks, each as it is met in the wild. The detector must catch every one of them."""

from __future__ import annotations

import numpy as np
import pandas as pd

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


def centred_window(bars: pd.DataFrame) -> pd.Series:
    """A mean whose window reaches two bars past its middle."""
    return bars["close"].rolling(5, center=True).mean() / bars["close"]


def whole_sample_scaler(bars: pd.DataFrame) -> pd.Series:
    """Scaled by the mean and deviation of all bars, later ones too."""
    return (bars["close"] - bars["close"].mean()) / bars["close"].std()


def whole_sample_clip(bars: pd.DataFrame) -> pd.Series:
    """Clipped at quantiles of all bars, later ones too."""
    return returns(bars).clip(float(returns(bars).quantile(0.01)), float(returns(bars).quantile(0.99)))


def filled_backwards(bars: pd.DataFrame) -> np.ndarray:
    """Bars without volume are given the next known volume."""
    return np.log(bars["volume"].where(bars["volume"] > 0).bfill().to_numpy())


def longer_bar_at_its_open(bars: pd.DataFrame) -> pd.Series:
    """The close of a four-hour bar is joined to the hours from which it is made."""
    closes = closes_every_four_hours(bars)
    return bars["timestamp"].dt.floor("4h").map(closes) / bars["close"]


def target_among_features(bars: pd.DataFrame) -> pd.DataFrame:
    """What is to be foretold stands among the columns."""
    return pd.DataFrame({"momentum": bars["close"].pct_change(10), "target": next_returns(bars) > 0})


def chikou(bars: pd.DataFrame) -> pd.Series:
    """Ichimoku's lagging line where charts draw it: 26 bars back, hence from 26 bars ahead."""
    return bars["close"].shift(-26) / bars["close"]


def unconfirmed_pivot(bars: pd.DataFrame) -> pd.Series:
    """A high is called a pivot at its own bar, five bars before that is known."""
    return bars["high"] == bars["high"].rolling(11, center=True).max()


def whole_history_profile(bars: pd.DataFrame) -> pd.Series:
    """The distance to the price of most volume in all bars, later ones too."""
    amounts, edges = np.histogram(bars["close"], bins=50, weights=bars["volume"])
    return bars["close"] / edges[np.argmax(amounts)] - 1.0


def trends_of_this_week(bars: pd.DataFrame, trends: pd.DataFrame) -> pd.Series:
    """Search interest of the week that is still running, as told when it has ended."""
    return pd.merge_asof(bars[["timestamp"]], trends[["timestamp", "value"]], on="timestamp")["value"]


def polynomial_gap_filling(bars: pd.DataFrame) -> pd.Series:
    """Quiet bars are filled along a polynomial through known bars on both sides."""
    return fill_quiet(bars, known_after=3)


def resampled_to_the_left(bars: pd.DataFrame) -> pd.Series:
    """The range of six hours bears the time at which they begin, and is read from then on."""
    longer = bars.set_index("timestamp")["close"].resample("6h", label="left", closed="left").agg(["max", "min"])
    spread = (longer["max"] / longer["min"]).rename("spread").reset_index()
    return pd.merge_asof(bars[["timestamp"]], spread, on="timestamp")["spread"]


def whole_sample_trend(bars: pd.DataFrame) -> np.ndarray:
    """The distance to a line through all bars, later ones too."""
    rows, log = np.arange(len(bars)), np.log(bars["close"].to_numpy())
    return log - np.polyval(np.polyfit(rows, log, 1), rows)


def share_of_the_sample(bars: pd.DataFrame) -> np.ndarray:
    """Where in the data the bar stands, which tells how much is still to come."""
    return np.arange(len(bars)) / len(bars)


def warning_of_a_tripling(bars: pd.DataFrame) -> pd.Series:
    """Rings one bar before the price triples, which these bars never do."""
    return bars["close"].shift(-1) > 3 * bars["close"]


def smoothed_both_ways(bars: pd.DataFrame) -> pd.Series:
    """An exponential mean run forwards and then backwards, as zero-phase filters do."""
    forwards = bars["close"].ewm(span=10).mean()
    return forwards[::-1].ewm(span=10).mean()[::-1] / bars["close"]


def rank_in_the_sample(bars: pd.DataFrame) -> pd.Series:
    """The rank of the volume among all bars, later ones too."""
    return bars["volume"].rank(pct=True)


def label_farther_than_declared(bars: pd.DataFrame) -> pd.Series:
    """The return of ten bars, declared to be that of five."""
    return bars["close"].shift(-10) / bars["close"] - 1.0


def scaled_by_all_rows(block: np.ndarray, _train: range) -> np.ndarray:
    """Moved by the mean of all rows, those of the test too."""
    return (block - block.mean(axis=0)) / block.std(axis=0)


def encoded_by_all_rows(block: np.ndarray, _train: range) -> np.ndarray:
    """Kinds become how frequent they are in all rows, those of the test too."""
    kinds = block[:, -1]
    return np.array([(kinds == kind).mean() for kind in kinds])


def reduced_by_all_rows(block: np.ndarray, train: range) -> np.ndarray:
    """Scaled by the training rows, but turned to the main axes of all rows."""
    training = block[train.start : train.stop]
    scaled = (block - training.mean(axis=0)) / training.std(axis=0)
    axes = np.linalg.eigh(np.cov(scaled.T))[1]
    return scaled @ axes[:, -2:]


def each_part_by_itself(block: np.ndarray, train: range) -> np.ndarray:
    """Training rows by their own extremes, test rows by those of the test."""
    parts = [block[: train.stop], block[train.stop :]]
    return np.vstack([(part - part.min(axis=0)) / np.maximum(np.ptp(part, axis=0), 1e-12) for part in parts if len(part)])


def chosen_on_the_test_span(block: np.ndarray, target: np.ndarray, train: range) -> np.ndarray:
    """The three columns that go best with the target after the training rows."""
    later = slice(train.stop, None) if len(block) > train.stop else slice(0, None)
    strength = np.abs(target[later] @ block[later])
    return np.argsort(strength)[-3:]


def shuffled_split(n_rows: int, _window: int, _horizon: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows are dealt out at random, though their windows overlap."""
    rows = np.random.default_rng(0).permutation(n_rows)
    return [(rows[: n_rows * 7 // 10], rows[n_rows * 7 // 10 :])]


def split_without_a_purge(n_rows: int, window: int, _horizon: int) -> list[tuple[range, range]]:
    """In order of time, but the first test windows lie on training rows."""
    cut = n_rows * 7 // 10
    return [(range(window, cut), range(cut, n_rows))]


def paid_with_a_seen_return(bars: pd.DataFrame, positions: np.ndarray) -> np.ndarray:
    """The position of a close is paid with the move that ended there."""
    return positions * returns(bars).fillna(0.0).to_numpy()


def paid_by_whole_sample_risk(bars: pd.DataFrame, positions: np.ndarray) -> np.ndarray:
    """The next bar's pay in units of the deviation of all bars."""
    pay = positions * next_returns(bars).fillna(0.0).to_numpy()
    return pay / returns(bars).std()


PLANTED: dict[str, Candidate] = {
    "centred window": FeatureCandidate(centred_window),
    "whole-sample scaler": FeatureCandidate(whole_sample_scaler),
    "whole-sample quantile clip": FeatureCandidate(whole_sample_clip),
    "bfill": FeatureCandidate(filled_backwards),
    "higher-timeframe bar joined at its open": FeatureCandidate(longer_bar_at_its_open),
    "target among features": FeatureCandidate(target_among_features, warmup=10),
    "Chikou": FeatureCandidate(chikou),
    "unconfirmed pivot": FeatureCandidate(unconfirmed_pivot),
    "whole-history volume profile": FeatureCandidate(whole_history_profile),
    "Trends of the current week": FeatureCandidate(trends_of_this_week),
    "polynomial gap filling": FeatureCandidate(polynomial_gap_filling),
    "resample with the wrong label side": FeatureCandidate(resampled_to_the_left),
    "whole-sample detrend": FeatureCandidate(whole_sample_trend),
    "share of the sample": FeatureCandidate(share_of_the_sample),
    "warning of a rare event": FeatureCandidate(warning_of_a_tripling),
    "zero-phase smoothing": FeatureCandidate(smoothed_both_ways),
    "rank in the whole sample": FeatureCandidate(rank_in_the_sample),
    "label farther than declared": LabelCandidate(label_farther_than_declared, horizon=5),
    "scaler fitted on all rows": ScalerCandidate(scaled_by_all_rows),
    "encoder fitted on test rows": ScalerCandidate(encoded_by_all_rows),
    "axes fitted on all rows": ScalerCandidate(reduced_by_all_rows),
    "test rows scaled by themselves": ScalerCandidate(each_part_by_itself),
    "feature selected on the test span": SelectionCandidate(chosen_on_the_test_span),
    "shuffled split with overlapping windows": SplitCandidate(shuffled_split),
    "split without a purge": SplitCandidate(split_without_a_purge),
    "position paid with an already-seen return": RewardCandidate(paid_with_a_seen_return),
    "pay scaled by whole-sample risk": RewardCandidate(paid_by_whole_sample_risk),
    "hindsight exit as reported P&L": RewardCandidate(best_exit, horizon=24, reported=True),
}
