"""The long-short columns beside pandas, in the words of the published code, and by hand where markets stand still."""

import math

import numpy as np
import pandas as pd
import pytest
from random_bars import DATA, random_bars, spelt_bars

from seawall.core.timeframe import Timeframe
from seawall.features.arithmetic.indicators import simple_rsi
from seawall.features.pipeline import compute_features
from seawall.features.registry import FeatureParams, feature_set


def columns(bars, name="long_short"):
    made = feature_set(FeatureParams(set=name))
    with np.errstate(divide="ignore", invalid="ignore"):
        return pd.DataFrame(made(bars), columns=list(made.columns))


@pytest.fixture(scope="module")
def real():
    path = DATA / "binance_BTCUSDT_15m.parquet"
    if not path.is_file():
        pytest.skip("needs the real 15-minute BTCUSDT bars")
    return pd.read_parquet(path).iloc[:6_000].reset_index(drop=True)


def published(bars):
    """The levels as pandas gives them, with the published code's definitions."""
    open_, high, low, close, volume = (bars[name] for name in ("open", "high", "low", "close", "volume"))
    change = close.diff()
    gains, losses = change.clip(lower=0).rolling(14).mean(), (-change).clip(lower=0).rolling(14).mean()
    line = close.ewm(span=12, adjust=False).mean() - close.ewm(span=26, adjust=False).mean()
    signal = line.ewm(span=9, adjust=False).mean()
    middle, deviation = close.rolling(20).mean(), close.rolling(20).std()
    before = close.shift()
    ranges = pd.concat([high - low, (high - before).abs(), (low - before).abs()], axis=1).max(axis=1)
    stochastic = 100 * (close - low.rolling(14).min()) / (high.rolling(14).max() - low.rolling(14).min())
    flow = ((close - low) - (high - close)) / (high - low) * volume
    return pd.DataFrame(
        {
            **{f"sma_{n}": close.rolling(n).mean() for n in (7, 25, 99)},
            **{f"ema_{n}": close.ewm(span=n, adjust=False).mean() for n in (9, 21)},
            "price_sma_ratio": close / close.rolling(25).mean(),
            "rsi_14": 100 - 100 / (1 + gains / losses),
            "stoch_k": stochastic,
            "stoch_d": stochastic.rolling(3).mean(),
            "macd": line,
            "macd_signal": signal,
            "macd_hist": line - signal,
            "bb_upper": middle + 2 * deviation,
            "bb_middle": middle,
            "bb_lower": middle - 2 * deviation,
            "bb_width": 4 * deviation / middle,
            "bb_pct_b": (close - middle + 2 * deviation) / (4 * deviation),
            "atr_14": ranges.rolling(14).mean(),
            "volume_sma_20": volume.rolling(20).mean(),
            "volume_ratio": volume / volume.rolling(20).mean(),
            "cmf_20": flow.rolling(20).sum() / volume.rolling(20).sum(),
            "return": close.pct_change(),
            "log_return": np.log(close / before),
            "high_low_range": (high - low) / close,
            "body_size": (open_ - close).abs() / close,
            "true_volatility": close.pct_change().rolling(30).std(),
        }
    )


def test_the_levels_are_those_of_the_published_code_on_real_bars(real):
    found = columns(real, "long_short_levels").iloc[1_000:]
    wanted = published(real).iloc[1_000:]
    # pandas adds the newest value and takes the oldest away, which rounds at 1e-16 of the largest price seen.
    for name in wanted.columns:
        scale = wanted[name].abs().mean()
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-8, atol=1e-8 * scale, err_msg=name)
    for name in ("open", "high", "low", "close", "volume"):
        np.testing.assert_array_equal(found[name], real[name].iloc[1_000:])


def test_the_ratios_are_the_levels_without_their_units(real):
    ratios, levels, close = columns(real).iloc[500:], columns(real, "long_short_levels").iloc[500:], real["close"].iloc[500:]
    for name in ("sma_7", "sma_25", "sma_99", "ema_9", "ema_21"):
        np.testing.assert_allclose(ratios[f"{name}_ratio"], close / levels[name] - 1, rtol=1e-9, atol=1e-15)
    for name in ("bb_upper", "bb_middle", "bb_lower"):
        np.testing.assert_allclose(ratios[f"{name}_ratio"], levels[name] / close - 1, rtol=1e-9, atol=1e-15)
    for name in ("macd", "macd_signal", "macd_hist"):
        np.testing.assert_allclose(ratios[name], levels[name] / close, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(ratios["rsi_simple_14"], levels["rsi_14"] / 100, rtol=1e-12)
    np.testing.assert_allclose(ratios["atr_14_ratio"], levels["atr_14"] / close, rtol=1e-12)
    assert (ratios["sma_cross_signal"] == np.where(levels["sma_7"] > levels["sma_25"], 1, -1)).all()


def test_both_sets_have_32_columns_and_no_ratio_knows_units():
    assert len(feature_set(FeatureParams(set="long_short")).columns) == 32
    assert len(feature_set(FeatureParams(set="long_short_levels")).columns) == 32
    bars = random_bars(6, 900)
    other = bars.assign(volume=bars["volume"] * 1_024.0)
    for name in ("open", "high", "low", "close"):
        other[name] *= 1_024.0
    np.testing.assert_allclose(columns(bars), columns(other), rtol=1e-12, atol=1e-15)


def test_simple_rsi_by_hand_and_apart_from_wilders():
    # Changes +2, −1, +3, 0: gains 5, losses 1 of 4: 100 · 5 / 6
    assert simple_rsi(np.array([10.0, 12.0, 11.0, 14.0, 14.0]), 4)[-1] == pytest.approx(100 * 5 / 6, rel=1e-15)
    assert simple_rsi(np.full(9, 3.0), 4)[-1] == 50.0
    assert simple_rsi(np.arange(9.0), 4)[-1] == 100.0
    close = random_bars(7, 500, flat=(2, 3))["close"].to_numpy()
    wilder = feature_set(FeatureParams(set="technical_ohlcv"))(random_bars(7, 500, flat=(2, 3)))[-1, 10] * 100
    assert abs(simple_rsi(close, 14)[-1] - wilder) > 1.0


def test_a_market_that_stands_still_has_the_values_that_are_stated():
    found = columns(spelt_bars(np.full(400, 0.1), volume=np.zeros(400))).iloc[-1]
    zero = [
        "volume_change", "volume_sma_ratio", "volume_ratio", "obv_share", "cmf_20", "return", "log_return", "high_low_range",
        "body_size", "open_ratio", "atr_14_ratio",
    ]  # fmt: skip
    assert found[zero].tolist() == [0.0] * len(zero)
    assert found[["rsi_simple_14", "stoch_k", "bb_pct_b"]].tolist() == [0.5, 0.5, 0.5]
    assert found["sma_cross_signal"] == -1.0
    assert abs(found["bb_width"]) < 1e-15


def test_obv_and_money_flow_by_hand():
    close = np.concatenate([np.full(80, 10.0), [11.0, 10.0]])
    volume = np.concatenate([np.full(80, 2.0), [6.0, 4.0]])
    high, low = np.full(82, 12.0), np.full(82, 8.0)
    found = columns(spelt_bars(close, high=high, low=low, volume=volume)).iloc[-1]
    # Of the last 20 bars 18 did not change; one rose with 6, one fell with 4: 2 of 18 · 2 + 10 = 46.
    assert found["obv_share"] == pytest.approx(2 / 46, rel=1e-14)
    # Place of the close in 8 … 12: 0 at 10, 0.5 at 11: 0.5 · 6 of 46.
    assert found["cmf_20"] == pytest.approx(3 / 46, rel=1e-14)
    levels = columns(spelt_bars(np.resize([10.0, 11.0], 200), high=np.full(200, 12.0), low=np.full(200, 8.0)), "long_short_levels")
    # 99 bars of volume 1, ups and downs in turn: one more of the newest kind, an up at the last bar.
    assert levels["obv"].iloc[-1] == 1.0


def test_longer_bars_stand_beside_once_they_have_closed(real):
    made = feature_set(FeatureParams(set="long_short", timeframes=("1h",)))
    quarter = Timeframe.parse("15m")
    block = pd.DataFrame(compute_features(real, made, quarter), columns=list(made.columns))
    hourly = real.set_index("timestamp").resample("1h", origin="epoch")["close"].last().dropna()
    returns = np.log(hourly).diff()
    row = 5_001
    closed = real["timestamp"][row] + pd.Timedelta("15min")
    newest = returns[returns.index + pd.Timedelta("1h") <= closed].iloc[-1]
    assert block["1h_log_return"][row] == pytest.approx(newest, rel=1e-12)
    assert math.isclose(block["log_return"][row], np.log(real["close"][row] / real["close"][row - 1]), rel_tol=1e-12)
