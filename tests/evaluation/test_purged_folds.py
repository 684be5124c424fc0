import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from leak_worlds import world

from seawall.core.errors import ConfigError, DataError
from seawall.core.market import RowRange
from seawall.evaluation.leaks.candidates import SplitCandidate
from seawall.evaluation.leaks.detector import judge
from seawall.evaluation.splits.crossed import CombinatorialPurged, purged_k_fold
from seawall.evaluation.splits.fold import Fold
from seawall.evaluation.splits.walk_forward import WalkForward
from seawall.market.splits import purge_rows


def ranges(parts):
    return [(part.start, part.stop) for part in parts]


def test_combinatorial_folds_are_those_of_skfolio():
    # skfolio 1.12.2: CombinatorialPurgedCV(n_folds=4, n_test_folds=2, purged_size=2, embargo_size=1).split on 40 rows.
    folds = CombinatorialPurged(4, 2, purge=2, embargo=1).folds(RowRange(0, 40))
    assert [ranges(fold.train) for fold in folds] == [
        [(23, 40)],
        [(13, 18), (33, 40)],
        [(13, 28)],
        [(0, 8), (33, 40)],
        [(0, 8), (23, 28)],
        [(0, 18)],
    ]
    assert ranges(folds[4].test) == [(10, 20), (30, 40)]
    assert folds[4].groups == (1, 3)


def test_paths_are_those_of_skfolio():
    # skfolio 1.12.2: CombinatorialPurgedCV(n_folds=4, n_test_folds=2).recombined_paths, a group a row, a path a column.
    assert CombinatorialPurged(4, 2).paths() == [(0, 0, 1, 2), (1, 3, 3, 4), (2, 4, 5, 5)]


def test_six_groups_tested_two_at_a_time_make_15_folds_and_5_paths():
    # Lopez de Prado 2018, chapter 12: phi(6, 2) = 5.
    splitter = CombinatorialPurged(6, 2)
    assert (splitter.get_n_splits(), splitter.n_paths) == (15, 5)


@pytest.mark.parametrize(("n", "k"), [(2, 1), (5, 1), (5, 3), (8, 4)])
def test_each_test_of_each_fold_is_in_exactly_one_path(n, k):
    splitter = CombinatorialPurged(n, k)
    folds = splitter.folds(RowRange(0, 40 * n))
    paths = splitter.paths()
    used = sorted((number, group) for path in paths for group, number in enumerate(path))
    assert used == sorted((fold.number, group) for fold in folds for group in fold.groups)
    assert len(paths) == splitter.n_paths
    assert all(len(path) == n for path in paths)


@given(
    first=st.integers(0, 50),
    n_rows=st.integers(4, 400),
    n_groups=st.integers(2, 7),
    n_test_groups=st.integers(1, 3),
    purge=st.integers(0, 25),
    embargo=st.integers(0, 25),
    validation=st.sampled_from([0.0, 0.1, 0.4]),
)
def test_nothing_is_learned_near_a_test_row(first, n_rows, n_groups, n_test_groups, purge, embargo, validation):
    n_test_groups = min(n_test_groups, n_groups - 1)
    splitter = CombinatorialPurged(n_groups, n_test_groups, purge, embargo, validation)
    rows = RowRange(first, first + n_rows)
    try:
        folds = splitter.folds(rows)
    except DataError as error:
        assert "rows" in str(error)  # noqa: PT017
        return
    assert len(folds) == splitter.get_n_splits()
    counts = np.zeros(rows.stop, dtype=int)
    for fold in folds:
        counts[fold.test_rows()] += 1
        learned = [fold.train_rows(), np.empty(0, int) if fold.validation is None else np.arange(*ranges([fold.validation])[0])]
        assert_apart(np.concatenate(learned), fold.test_rows(), purge, embargo)
        assert_apart(learned[0], learned[1], purge, embargo)
        assert (fold.validation is None) == (validation == 0.0)
        assert min(len(part) for part in (*fold.train, *fold.test, *filter(None, [fold.validation]))) >= 2
        assert learned[0].min() >= first
        assert max(part.max() for part in learned if part.size) < rows.stop
    # Every row is tested once in each path.
    assert set(counts[first:]) == {splitter.n_paths}


def assert_apart(learned, judged, purge, embargo):
    distances = learned[:, None] - judged[None, :]
    assert not ((distances >= -purge) & (distances <= purge + embargo)).any()


@pytest.mark.parametrize("embargo", [0, 5])
def test_rows_further_away_are_all_used(embargo):
    [_, middle, _] = purged_k_fold(3, purge=4, embargo=embargo).folds(RowRange(0, 90))
    assert ranges(middle.train) == [(0, 26), (64 + embargo, 90)]


def test_a_k_fold_tests_each_row_once_and_longer_groups_come_first():
    folds = purged_k_fold(4).folds(RowRange(3, 21))
    assert [ranges(fold.test)[0] for fold in folds] == [(3, 8), (8, 13), (13, 17), (17, 21)]


def test_validation_is_one_range_from_the_end_of_what_is_learned_from():
    # 90 rows, group 30..60 tested, 2 purged: 28 and 28 rows to learn from, a quarter of 56 to validate on.
    fold = purged_k_fold(3, purge=2, validation=0.25).folds(RowRange(0, 90))[1]
    assert fold.validation == RowRange(76, 90)
    assert ranges(fold.train) == [(0, 28), (62, 74)]


def test_validation_comes_from_an_earlier_range_where_the_last_is_too_short():
    # The last but one of 10 groups of 10 is tested: 10 rows after it, and 80 before; 30 % of 90 fit before alone.
    fold = purged_k_fold(10, validation=0.3).folds(RowRange(0, 100))[8]
    assert fold.validation == RowRange(53, 80)
    assert ranges(fold.train) == [(0, 53), (90, 100)]


def test_scikit_learns_interface_gives_the_rows():
    splitter = purged_k_fold(3, purge=4)
    parts = list(splitter.split(np.zeros((90, 2)), np.zeros(90)))
    assert len(parts) == splitter.get_n_splits() == 3
    np.testing.assert_array_equal(parts[0][0], np.arange(34, 90))
    np.testing.assert_array_equal(parts[0][1], np.arange(30))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"n_groups": 1}, "n_groups is 1; allowed: a whole number of 2 or more"),
        ({"n_groups": True}, "n_groups is True; allowed: a whole number"),
        ({"n_test_groups": 0}, "n_test_groups is 0; allowed: a whole number of 1 or more"),
        ({"n_test_groups": 6}, "n_test_groups is 6; allowed: 1 to 5"),
        ({"purge": -2}, "purge is -2; allowed: a whole number of 0 or more"),
        ({"embargo": 0.5}, "embargo is 0.5; allowed: a whole number"),
        ({"validation": -0.1}, "validation is -0.1; allowed: a share"),
        ({"n_groups": 40, "n_test_groups": 20}, "20 of 40 groups make 137,846,528,820 folds; allowed: 100,000 at most"),
    ],
)
def test_settings_out_of_range_are_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        CombinatorialPurged(**{"n_groups": 6, "n_test_groups": 2, **settings})
    with pytest.raises(ConfigError, match="n_folds is 1; allowed: a whole number of 2 or more"):
        purged_k_fold(1)


@pytest.mark.parametrize(
    ("splitter", "n_rows", "words"),
    [
        (purged_k_fold(6), 11, "11 rows are too few for 6 groups: 12 are required"),
        (purged_k_fold(2, purge=9), 20, "fold 0 has no rows to learn from beside its test rows and 9 purged ones"),
        (purged_k_fold(2, purge=8, validation=0.5), 36, "hold no 5 rows to validate on beside 8 purged"),
    ],
)
def test_too_few_rows_are_refused(splitter, n_rows, words):
    with pytest.raises(DataError, match=words):
        splitter.folds(RowRange(0, n_rows))
    with pytest.raises(DataError, match="1 rows cannot be split"):
        list(splitter.split([0]))


def test_a_fold_of_several_ranges_is_no_split():
    fold = purged_k_fold(3, validation=0.2).folds(RowRange(0, 90))[1]
    with pytest.raises(
        ConfigError, match="fold 1 has 2 training ranges, 1 test ranges and a validation range; allowed: one of each"
    ):
        fold.as_split()
    with pytest.raises(ConfigError, match="and no validation range"):
        Fold(0, (RowRange(0, 5),), None, (RowRange(6, 9),), (0,), 1).as_split()


@pytest.mark.parametrize(
    "splitter",
    [
        lambda purge: purged_k_fold(4, purge, embargo=5, validation=0.2),
        lambda purge: CombinatorialPurged(5, 2, purge, validation=0.1),
        lambda purge: WalkForward(200, 100, purge=purge, validation=0.2),
        lambda purge: WalkForward(200, 100, anchored=False, purge=purge, validation=0.2),
    ],
    ids=["k-fold", "combinatorial", "anchored", "rolling"],
)
@pytest.mark.parametrize(("purged", "verdict"), [(True, "clean"), (False, "leak")])
def test_the_leak_detector_finds_no_shared_bar_where_the_purge_is_that_of_window_and_horizon(splitter, purged, verdict):
    def parts(n_rows, window, horizon):
        folds = splitter(purge_rows(window, horizon) if purged else 0).folds(RowRange(window - 1, n_rows))
        return [(fold.train_rows(), np.arange(fold.validation.start, fold.validation.stop), fold.test_rows()) for fold in folds]

    assert judge("split", SplitCandidate(parts), world()).verdict == verdict
