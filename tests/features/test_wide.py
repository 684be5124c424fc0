import numpy as np
import pandas as pd
import pytest
from random_bars import DATA, random_bars

from seawall.core.errors import ConfigError, DataError
from seawall.core.timeframe import Timeframe
from seawall.features.pipeline import compute_features
from seawall.features.registry import FeatureParams, feature_set
from seawall.features.sets.wide_windows import STEPS, WideWindows, observation_size, rows_for_windows

FIVE = Timeframe.parse("5m")
SMALL = {"5m": 6, "15m": 4, "1h": 3}


def bars_of(seed, n=4_000, gaps=0):
    return random_bars(seed, n, timeframe=FIVE, flat=(5, 60), gaps=gaps)


@pytest.fixture(scope="module")
def assets():
    first = bars_of(1)
    return {"A": first, "B": bars_of(2).assign(timestamp=first["timestamp"])}


@pytest.fixture(scope="module")
def windows(assets):
    return WideWindows.build(assets, feature_set(FeatureParams(set="wide")), SMALL)


def test_there_are_72_columns_and_52_of_them_need_no_amounts_but_volume():
    full, less = feature_set(FeatureParams(set="wide")), feature_set(FeatureParams(set="wide_ohlcv"))
    assert (len(full.columns), len(less.columns)) == (72, 52)
    assert full.requires == ("quote_volume", "trades", "taker_buy_base", "taker_buy_quote")
    assert less.requires == ()
    without = feature_set(FeatureParams(set="wide", omit=("quote_volume", "trades", "taker_buy_base", "taker_buy_quote")))
    assert without.columns == less.columns


def test_an_observation_of_the_design_has_134_980_numbers():
    # 10 × (187 × 72 + 3 × 10 + 4)
    assert observation_size(10, 72, list(STEPS.values())) == 134_980
    assert sum(STEPS.values()) == 187


def test_a_window_holds_the_newest_bars_that_have_closed(windows, assets):
    row = windows.ready + 101
    window = windows.gather(np.array([row]))[0, 0]
    assert window.shape == (13, 72)
    bars, closed = assets["A"], assets["A"]["timestamp"][row] + pd.Timedelta("5min")
    close_at = windows.columns.index("close")
    last_six = bars["close"].to_numpy()[row - 5 : row + 1]
    np.testing.assert_allclose(window[:6, close_at], last_six / last_six[0], rtol=1e-6)
    for label, rows in (("15min", slice(6, 10)), ("60min", slice(10, 13))):
        longer = bars.set_index("timestamp")["close"].resample(label, origin="epoch").last()
        known = longer[longer.index + pd.Timedelta(label) <= closed].to_numpy()[-(rows.stop - rows.start) :]
        np.testing.assert_allclose(window[rows, close_at], known / known[0], rtol=1e-6)


def test_a_longer_bar_has_its_own_prices_and_amounts_and_the_last_indicators(windows, assets):
    # Windows scale columns; the stored rows hold them.
    bars = assets["B"]
    grouped = bars.set_index("timestamp").resample("1h", origin="epoch")
    hour = grouped.agg({"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"})
    whole = hour[grouped["close"].count() == 12]
    place = 20
    stored = dict(zip(windows.columns, windows.rows[2][1, place], strict=True))
    wanted = whole.iloc[place]
    for name in ("open", "high", "low"):
        assert stored[name] == pytest.approx(wanted[name] / wanted["close"], rel=1e-6)
    assert stored["volume"] == pytest.approx(np.log1p(wanted["volume"]), rel=1e-6)
    block = compute_features(bars, feature_set(FeatureParams(set="wide")), FIVE, np.float32)
    last = int(np.flatnonzero(bars["timestamp"] == whole.index[place] + pd.Timedelta("55min"))[0])
    same = [windows.columns.index(name) for name in ("rsi", "macd", "bb_upper", "volume_high_1", "time_node")]
    np.testing.assert_array_equal(windows.rows[2][1, place, same], block[last, same])


def test_amounts_and_profiles_run_from_0_to_1_in_a_window_and_macd_is_a_bounded_score(windows):
    gathered = windows.gather(np.arange(windows.ready, windows.ready + 300, 7))
    part = gathered[:, :, :6]
    volume = part[..., windows.columns.index("volume")]
    assert set(np.round(volume.min(axis=2), 6).ravel()) <= {0.0, 0.5}
    assert set(np.round(volume.max(axis=2), 6).ravel()) <= {1.0, 0.5}
    macd = gathered[..., windows.columns.index("macd")]
    assert ((macd >= 0) & (macd <= 1)).all()
    # A z-score of a window has mean 0, which is a half: (0 + 3) / 6. None of six values is 3 deviations off, so none is clipped.
    np.testing.assert_allclose(part[..., windows.columns.index("macd")].mean(axis=2), 0.5, atol=1e-5)


def test_every_number_of_a_window_is_finite_also_over_gaps_and_still_stretches():
    bars = bars_of(9, gaps=20)
    made = WideWindows.build({"A": bars}, feature_set(FeatureParams(set="wide")), SMALL)
    assert np.isfinite(made.gather(np.arange(made.ready, len(bars), 11))).all()


def test_windows_of_a_live_tail_equal_those_of_the_history(windows, assets):
    made = feature_set(FeatureParams(set="wide"))
    # 4,096 + 320 bars to the anchor, and five bars of an hour.
    assert rows_for_windows(made, SMALL) == 4_096 + 320 + 5 * 12
    long = {name: bars_of(seed, 9_000, gaps=4) for seed, name in enumerate("AB")}
    long["B"] = long["B"].assign(timestamp=long["A"]["timestamp"])
    full = WideWindows.build(long, made, SMALL)
    for end in (6_000, 7_777, 8_999):
        rows = rows_for_windows(made, SMALL)
        tail = {name: bars.iloc[end + 1 - rows : end + 1].reset_index(drop=True) for name, bars in long.items()}
        live = WideWindows.build(tail, made, SMALL)
        np.testing.assert_array_equal(live.gather(np.array([rows - 1])), full.gather(np.array([end])))


def test_windows_do_not_change_with_their_future(windows, assets):
    cut = windows.ready + 500
    other = {name: bars.copy() for name, bars in assets.items()}
    for bars in other.values():
        for name in ("open", "high", "low", "close", "volume"):
            bars.loc[cut:, name] *= 3.0
    altered = WideWindows.build(other, feature_set(FeatureParams(set="wide")), SMALL)
    rows = np.arange(cut - 40, cut)
    np.testing.assert_array_equal(altered.gather(rows), windows.gather(rows))
    assert (altered.gather(np.array([cut])) != windows.gather(np.array([cut]))).any()


def test_an_observation_is_each_assets_windows_and_the_shared_state(windows):
    rows = np.array([windows.ready, windows.ready + 9])
    state = np.arange(20, dtype=np.float32).reshape(2, 10)
    flat = windows.observations(rows, state)
    assert flat.shape == (2, observation_size(2, 72, (6, 4, 3)))
    each = flat.reshape(2, 2, -1)
    np.testing.assert_array_equal(each[:, 0, -10:], state)
    np.testing.assert_array_equal(each[:, 1, -10:], state)
    np.testing.assert_array_equal(each[1, 1, :-10], windows.gather(rows)[1, 1].ravel())
    with pytest.raises(DataError, match=r"state has shape \(2, 9\); \(2, 10\) is needed"):
        windows.observations(rows, state[:, :9])


def test_rows_are_held_once_a_bar_and_not_once_a_window(windows):
    # 72 columns of 4 bytes and a close of 8, for 1 + 1/3 + 1/12 rows a bar, and the maps: 4 bytes for each timeframe and bar.
    assert windows.bytes_per_bar == pytest.approx((1 + 1 / 3 + 1 / 12) * 296 + 3 * 4 / 2, rel=5e-3)


def test_windows_before_the_first_full_one_are_refused(windows):
    first = windows.ready
    with pytest.raises(DataError, match=f"windows of bars {first - 1} to {first - 1} are asked for; allowed: {first} to 3999"):
        windows.gather(np.array([first - 1]))


def test_assets_at_other_times_and_bars_that_are_too_few_are_refused(assets):
    made = feature_set(FeatureParams(set="wide"))
    with pytest.raises(DataError, match=r"B has 3999 bars at other times than the 4000 of A; align them first"):
        WideWindows.build({"A": assets["A"], "B": assets["B"].iloc[1:]}, made, SMALL)
    with pytest.raises(DataError, match="a window needs 3"):
        WideWindows.build({"A": assets["A"].iloc[:340]}, made, SMALL)
    with pytest.raises(ConfigError, match="a window of 7m is asked for on bars of 5m"):
        WideWindows.build({"A": assets["A"]}, made, {"5m": 3, "7m": 2})


def test_real_coins_fill_the_designs_windows():
    names = ("BTC", "ETH", "SOL")
    paths = [DATA / f"binance_{name}USDT_5m.parquet" for name in names]
    if not all(path.is_file() for path in paths):
        pytest.skip("needs the real 5-minute bars of the panel")
    frames = [pd.read_parquet(path) for path in paths]
    shared = sorted(set.intersection(*(set(frame["timestamp"]) for frame in frames)))[-5_000:]
    coins = {name: frame[frame["timestamp"].isin(shared)].reset_index(drop=True) for name, frame in zip(names, frames, strict=True)}
    made = WideWindows.build(coins, feature_set(FeatureParams(set="wide_ohlcv")))
    gathered = made.gather(np.array([made.ready, 4_999]))
    assert gathered.shape == (2, 3, 187, 52)
    assert np.isfinite(gathered).all()
