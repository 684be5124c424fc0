import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.errors import ConfigError, DataError
from seawall.core.market import RowRange
from seawall.evaluation.splits.walk_forward import WalkForward

HOUR = 3_600_000
DAY = 24 * HOUR


def spans(folds):
    return [(fold.train[0].start, fold.train[0].stop, fold.test[0].start, fold.test[0].stop) for fold in folds]


def test_rolling_folds_are_those_of_skfolio():
    # skfolio 1.12.2: WalkForward(test_size=8, train_size=12, purged_size=3).split on 40 rows.
    folds = WalkForward(12, 8, anchored=False, purge=3).folds(RowRange(0, 40))
    assert spans(folds) == [(0, 12, 15, 23), (8, 20, 23, 31), (16, 28, 31, 39)]


def test_an_anchored_training_part_grows_from_the_first_row():
    folds = WalkForward(12, 8, purge=3).folds(RowRange(5, 45))
    assert spans(folds) == [(5, 17, 20, 28), (5, 25, 28, 36), (5, 33, 36, 44)]


def test_the_rest_is_a_last_and_shorter_test_part():
    folds = WalkForward(12, 8, purge=3, rest=True).folds(RowRange(0, 41))
    assert spans(folds)[-1] == (0, 36, 39, 41)


def test_a_step_longer_than_the_test_leaves_rows_out():
    assert [each[2:] for each in spans(WalkForward(10, 5, step=20).folds(RowRange(0, 60)))] == [(10, 15), (30, 35), (50, 55)]


def test_validation_rows_end_the_training_part_and_are_purged_from_it():
    # 100 rows of training, a fifth of them to validate on, 7 unused rows before these and 7 after.
    [first, *_] = WalkForward(100, 50, purge=7, validation=0.2).folds(RowRange(0, 300))
    assert first.train == (RowRange(0, 73),)
    assert first.validation == RowRange(80, 100)
    assert first.test == (RowRange(107, 157),)
    split = first.as_split()
    assert (split.train, split.validation, split.test, split.purge) == (RowRange(0, 73), RowRange(80, 100), RowRange(107, 157), 7)


def test_thirty_days_are_thirty_days_of_the_clock_whatever_bars_are_missing():
    # Hours of 120 days, of which day 40 to 44 is missing: 90 days of training, of which 85 have bars.
    times = np.arange(120 * 24) * HOUR
    times = times[(times < 40 * DAY) | (times >= 45 * DAY)]
    [fold] = WalkForward("90d", "30d").folds(RowRange(0, len(times)), times)
    assert (times[fold.test[0].start], times[fold.test[0].stop - 1]) == (90 * DAY, 120 * DAY - HOUR)
    assert len(fold.train[0]) == 85 * 24


def test_a_rolling_part_in_time_begins_its_length_before_its_end():
    times = np.arange(100 * 24) * HOUR
    folds = WalkForward("20d", "10d", anchored=False, purge=24).folds(RowRange(0, len(times)), times)
    assert [times[fold.train[0].start] / DAY for fold in folds] == [0, 10, 20, 30, 40, 50, 60]
    assert [times[fold.test[0].start] / DAY for fold in folds] == [21, 31, 41, 51, 61, 71, 81]


def test_a_stretch_without_bars_has_no_fold():
    times = np.concatenate([np.arange(30), np.arange(50, 80)]) * DAY
    folds = WalkForward("10d", "5d").folds(RowRange(0, 60), times)
    starts = [int(times[fold.test[0].start] // DAY) for fold in folds]
    assert starts == [10, 15, 20, 25, 50, 55, 60, 65, 70, 75]


def test_a_last_period_is_whole_when_its_last_bar_has_closed():
    times = np.arange(40) * DAY
    assert len(WalkForward("20d", "10d").folds(RowRange(0, 40), times)) == 2
    assert len(WalkForward("20d", "10d").folds(RowRange(0, 39), times[:39])) == 1


@pytest.mark.parametrize("rows", [np.zeros((60, 2)), pd.DataFrame({"close": np.zeros(60)}), list(range(60))])
def test_scikit_learns_interface_gives_the_rows(rows):
    splitter = WalkForward(20, 10, purge=2)
    parts = list(splitter.split(rows))
    assert len(parts) == splitter.get_n_splits(rows) == 3
    np.testing.assert_array_equal(parts[1][0], np.arange(30))
    np.testing.assert_array_equal(parts[1][1], np.arange(32, 42))


def test_an_index_of_times_measures_days():
    index = pd.date_range("2024-01-01", periods=31 + 29 + 31, freq="D", tz="UTC")
    [(train, test), *_] = WalkForward("31d", "29d").split(pd.DataFrame({"close": np.zeros(91)}, index=index))
    assert (len(train), str(index[test[0]].date()), str(index[test[-1]].date())) == (31, "2024-02-01", "2024-02-29")


@given(
    n_rows=st.integers(40, 400),
    first=st.integers(0, 30),
    train=st.integers(8, 120),
    test=st.integers(2, 60),
    more=st.integers(0, 20),
    purge=st.integers(0, 25),
    validation=st.sampled_from([0.0, 0.2, 0.5]),
    anchored=st.booleans(),
    rest=st.booleans(),
    in_time=st.booleans(),
    missing=st.sets(st.integers(1, 398), max_size=80),
)
def test_no_fold_sees_its_test(n_rows, first, train, test, more, purge, validation, anchored, rest, in_time, missing):
    times = np.array([hour for hour in range(n_rows) if hour not in missing]) * HOUR
    unit = "h" if in_time else ""
    splitter = WalkForward(f"{train}{unit}", f"{test}{unit}", f"{test + more}{unit}", anchored, purge, validation, rest)
    try:
        folds = splitter.folds(RowRange(min(first, len(times) - 2), len(times)), times)
    except DataError as error:
        assert "rows" in str(error)  # noqa: PT017
        return
    tested = [row for fold in folds for row in fold.test_rows()]
    assert tested == sorted(set(tested))
    for fold in folds:
        assert fold.test[0].start - fold.train[-1].stop >= purge
        if fold.validation is not None:
            assert fold.test[0].start - fold.validation.stop == purge
            assert fold.validation.start - fold.train[-1].stop == purge
        assert (fold.validation is None) == (validation == 0.0)
        assert min(len(part) for part in (*fold.train, *fold.test, *filter(None, [fold.validation]))) >= 2
        assert anchored is False or fold.train[0].start == min(first, len(times) - 2)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"test": 0}, "test is 0; allowed: a whole number of 1 or more"),
        ({"test": "30x"}, "test is '30x'; allowed: a number of bars"),
        ({"train": 1}, "train is 1; allowed: 2 bars or more"),
        ({"train": 2.5}, "train is 2.5; allowed: a whole number"),
        ({"step": 5}, "step is 5, shorter than test, 10"),
        ({"test": "10d", "step": "9d"}, "step is '9d', shorter than test, '10d'"),
        ({"purge": -1}, "purge is -1; allowed: a whole number of 0 or more"),
        ({"validation": 1.0}, "validation is 1.0; allowed: a share of the training rows"),
    ],
)
def test_settings_out_of_range_are_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        WalkForward(**{"train": 20, "test": 10, **settings})


@pytest.mark.parametrize(
    ("splitter", "times", "error", "words"),
    [
        (WalkForward("2d", 10), None, ConfigError, "need the times of the bars"),
        (WalkForward(20, 10, step="2h"), np.arange(60) * HOUR, ConfigError, "a bar would be tested twice"),
        (WalkForward("2d", 10), np.zeros(60), DataError, "the time of row 1 is not after that of row 0"),
        (WalkForward("2d", 10), np.arange(50) * DAY, DataError, "50 times cannot tell when rows up to 60 opened"),
        (WalkForward(50, 20), None, DataError, "60 rows hold no fold of train 50, purge 0 and test 20"),
        (WalkForward(10, 20, purge=9, validation=0.5), None, DataError, "hold no 5 rows to validate on beside 9 purged"),
    ],
)
def test_what_cannot_be_split_is_refused(splitter, times, error, words):
    with pytest.raises(error, match=words):
        splitter.folds(RowRange(0, 60), times)


def test_rows_without_times_or_unknown_rows_are_refused_by_scikit_learns_interface():
    with pytest.raises(ConfigError, match="need rows with an index of times; ndarray has none"):
        list(WalkForward("2d", "1d").split(np.zeros((50, 1))))
    with pytest.raises(ConfigError, match="X is None"):
        WalkForward(20, 10).get_n_splits()
    with pytest.raises(DataError, match="0 rows cannot be split"):
        list(WalkForward(20, 10).split([]))
