import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_lessons import HOUR, TARGETS, WINDOW, planted_market, small_params

from seawall.core.errors import ConfigError, DataError
from seawall.core.market import Market, RowRange
from seawall.features.labels.levels import LevelLabelParams
from seawall.features.labels.regimes import RegimeLabelParams
from seawall.nets.pretraining import CandleHeadParams, HeadsParams, QuantileHeadParams
from seawall.training.pretraining.lessons import Lessons
from seawall.training.pretraining.params import PretrainingParams
from seawall.training.pretraining.rows import evenly, purged_split, whole_rows


def clock_market(steps, ready=0):
    """Series with the given steps between their bars, in hours, and one column."""
    times = [np.cumsum(np.asarray(each, np.int64)) * HOUR.milliseconds for each in steps]
    starts = np.concatenate([[0], np.cumsum([len(each) for each in times])])
    n = int(starts[-1])
    symbols = tuple("ABCDE"[: len(steps)])
    ready_rows = tuple(int(start) + ready for start in starts[:-1])
    whole = tuple(int(start) for start in starts)
    return Market(symbols, whole, HOUR, np.concatenate(times), np.ones((n, 5)), np.ones((n, 1), np.float32), ("one",), ready_rows)


def test_whole_rows_by_hand():
    market = clock_market([[1] * 20], ready=3)
    # Rows 3 … 19 are warm; a window of 4 that begins at 3 ends at 6; 2 bars ahead of 17 is 19.
    assert whole_rows(market, [RowRange(0, 20)], 4, 2).tolist() == list(range(6, 18))
    # Within 5 … 11 alone: 8 and 9. A range too short for a window gives none.
    assert whole_rows(market, [RowRange(5, 12), RowRange(14, 17)], 4, 2).tolist() == [8, 9]


def test_ranges_lie_in_one_series_and_apart():
    market = clock_market([[1] * 10, [1] * 10])
    with pytest.raises(
        ConfigError, match=r"rows 5\.\.15 lie in no single series of the market, whose series begin at rows \[0, 10, 20\]"
    ):
        whole_rows(market, [RowRange(5, 15)], 2, 0)
    with pytest.raises(ConfigError, match=r"rows 4\.\.8 overlap with 0\.\.5"):
        whole_rows(market, [RowRange(4, 8), RowRange(0, 5)], 2, 0)


steps_of = st.lists(st.integers(1, 4), min_size=60, max_size=160)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(steps_of, min_size=1, max_size=3), st.integers(1, 12), st.integers(0, 9), st.sampled_from([0.1, 0.2, 0.4]),
    st.sampled_from([0.0, 0.01, 0.1]),
)  # fmt: skip
def test_no_bar_that_training_knows_is_as_late_as_any_that_validation_sees(steps, window, horizon, validation, embargo):
    market = clock_market(steps)
    ranges = [RowRange(start, stop) for start, stop in zip(market.starts[:-1], market.starts[1:], strict=True)]
    rows = whole_rows(market, ranges, window, horizon)
    split = purged_split(market.timestamps, rows, window, horizon, validation, embargo)
    known_until = market.timestamps[split.train + horizon].max()
    assert known_until < market.timestamps[split.validation - window + 1].min()
    assert set(split.train) <= set(rows)
    assert (np.diff(market.timestamps[split.train]) >= 0).all()
    # Everything from the cut on is judged on, rows of one time together; about the share that was asked for.
    assert market.timestamps[split.validation].min() > market.timestamps[split.train].max()
    assert len(split.validation) >= validation * len(rows) - 1e-9
    cut = market.timestamps[split.validation].min()
    assert set(split.validation) == set(rows[market.timestamps[rows] >= cut])


def test_the_purge_and_the_embargo_by_hand():
    times = np.arange(100, dtype=np.int64)
    rows = np.arange(9, 95)
    split = purged_split(times, rows, 10, 5, 0.25, 0.05)
    # 86 rows, floor(64.5) = 64 before the cut: the first judged row is 73, whose window begins at 64. A target of row 58 knows bar
    # 63, that of row 59 bar 64. Of 9 … 58 the newest ceil(4.3) = 5 go.
    assert split.validation.tolist() == list(range(73, 95))
    assert split.train.tolist() == list(range(9, 54))


def test_too_few_rows_are_refused():
    with pytest.raises(
        DataError, match="12 rows with whole windows of 10 bars and 5 bars after them are too few to learn and to judge"
    ):
        purged_split(np.arange(40), np.arange(9, 21), 10, 5, 0.2, 0.0)
    with pytest.raises(DataError, match="0 rows with whole windows"):
        purged_split(np.arange(40), np.empty(0, np.int64), 10, 5, 0.2, 0.0)


def test_evenly_keeps_the_ends():
    assert evenly(np.arange(10), 4).tolist() == [0, 3, 6, 9]
    assert evenly(np.arange(3), 4).tolist() == [0, 1, 2]
    assert evenly(np.arange(3), None).tolist() == [0, 1, 2]


@pytest.fixture(scope="module")
def market():
    return planted_market(1_200, symbols=("A", "B"))


SEEN = (RowRange(100, 1_000), RowRange(1_300, 2_300))


def lesson_numbers(market):
    lessons = Lessons(market, SEEN, WINDOW, small_params())
    rows = np.concatenate([lessons.train, lessons.validation])
    batch = lessons.batch(rows, np.zeros((len(rows), WINDOW), bool))
    return rows, [part.numpy() for part in batch]


def test_lessons_are_made_of_the_given_bars_alone(market):
    rows, before = lesson_numbers(market)
    prices, features = market.prices.copy(), market.features.copy()
    outside = np.ones(len(market), bool)
    for each in SEEN:
        outside[each.start : each.stop] = False
    prices[outside, :4] *= 3.0
    features[outside] += 9.0
    changed = Market(
        market.symbols, market.starts, market.timeframe, market.timestamps, prices, features, market.feature_names, market.ready
    )
    again, after = lesson_numbers(changed)
    np.testing.assert_array_equal(again, rows)
    for own, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(other, own)
    # The same change inside is seen.
    prices[500:, :4] *= 1.1
    assert not np.array_equal(lesson_numbers(changed)[1][5], before[5])


def test_every_lesson_is_whole(market):
    _, batch = lesson_numbers(market)
    assert all(np.isfinite(part).all() for part in batch)
    lessons = Lessons(market, SEEN, WINDOW, small_params())
    assert lessons.facts["last_seen_ms"] == market.timestamps[2_299] > market.timestamps[999]
    assert [each["symbol"] for each in lessons.facts["ranges"]] == ["A", "B"]


def test_heads_that_are_off_cost_no_rows(market):
    targets = TARGETS.model_copy(update={"horizons": (1, 200)})
    all_on = Lessons(market, SEEN, WINDOW, small_params(targets=targets))
    without = small_params(targets=targets, heads=HeadsParams(quantiles=QuantileHeadParams(weight=0.0)))
    assert Lessons(market, SEEN, WINDOW, without).train[-1] > all_on.train[-1] + 150
    assert (without.horizon, small_params(targets=targets).horizon) == (0, 200)
    reacting = TARGETS.model_copy(update={"levels": LevelLabelParams(target="reaction", ahead=40, pivots=TARGETS.levels.pivots)})
    assert small_params(targets=reacting).horizon == 40


def test_a_still_bar_costs_the_windows_that_hold_it_only_where_candles_are_taught(market):
    prices = market.prices.copy()
    prices[500:540, :4] = prices[500, 3]
    still = Market(
        market.symbols,
        market.starts,
        market.timeframe,
        market.timestamps,
        prices,
        market.features,
        market.feature_names,
        market.ready,
    )
    rows = set(Lessons(still, SEEN[:1], WINDOW, small_params()).train)
    # Of 16 still returns the volatility is 0 at bars 516 … 539 (to the rounding of 540's own return, which moves): candles of bars
    # 517 … 540 have no scale, and returns from 516 … 539 neither.
    assert rows.isdisjoint(range(516, 540 + WINDOW))
    assert {515, 540 + WINDOW} <= rows
    off = small_params(heads=HeadsParams(candles=CandleHeadParams(weight=0.0)))
    assert {515, 540} <= set(Lessons(still, SEEN[:1], WINDOW, off).train)


def test_a_regime_that_hardly_occurs_is_refused(market):
    rare = TARGETS.model_copy(update={"regimes": RegimeLabelParams(trend_bars=64, volatility_bars=16, efficient_above=0.99)})
    with pytest.raises(DataError, match=r"regimes are trend_up .* each needs at least 2\.0%"):
        Lessons(market, SEEN, WINDOW, small_params(targets=rare))


def test_the_rate_never_rises():
    with pytest.raises(ValueError, match=r"final_learning_rate is 0\.1 and learning_rate 0\.0003; the rate never rises"):
        PretrainingParams(final_learning_rate=0.1)
