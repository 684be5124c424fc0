"""Scalers, choices, splits and rewards: fitted on the right rows, apart by enough rows, paid with what comes after."""

import numpy as np
import pandas as pd
import pytest
from leak_worlds import world

from seawall.core.errors import ConfigError, DataError
from seawall.evaluation.leaks.candidates import RewardCandidate, ScalerCandidate, SelectionCandidate, SplitCandidate
from seawall.evaluation.leaks.detector import judge


def judged(candidate):
    return judge("it", candidate, world())


def standardised(block, fit):
    return (block - fit.mean(axis=0)) / fit.std(axis=0)


def four_fifths(block, _train):
    return standardised(block, block[: len(block) * 4 // 5])


def imputed_by_the_median_of_all(block, _train):
    return np.clip(block, np.median(block, axis=0) - 1.0, np.median(block, axis=0) + 1.0)


def ranks(block, _train):
    return pd.DataFrame(block).rank(pct=True).to_numpy()


def places_of_kinds(block, _train):
    return np.searchsorted(np.unique(block[:, -1]), block[:, -1])


def one_column_a_kind(block, _train):
    return pd.get_dummies(block[:, -1])


def one_column_a_trained_kind(block, train):
    return (block[:, -1][:, None] == np.unique(block[train.start : train.stop, -1])).astype(float)


@pytest.mark.parametrize("function", [four_fifths, imputed_by_the_median_of_all, ranks, places_of_kinds, one_column_a_kind])
def test_what_is_fitted_on_later_rows_is_caught(function):
    assert judged(ScalerCandidate(function)).verdict == "leak"


@pytest.mark.parametrize(
    "function",
    [
        lambda block, train: standardised(block, block[train.start : train.stop]),
        lambda block, _train: pd.DataFrame(block).ewm(span=20).mean(),
        lambda block, _train: 2.0 * block,
        one_column_a_trained_kind,
    ],
)
def test_what_is_fitted_on_training_rows_or_on_rows_before_passes(function):
    assert judged(ScalerCandidate(function)).verdict == "clean"


def test_the_rows_on_which_a_scaler_was_fitted_are_told():
    [first, *_] = judged(ScalerCandidate(four_fifths)).findings
    assert (first.column, first.row) == ("column[0]", 0)
    assert first.bars_ahead == 719
    assert "with training rows 0 to 539; rows 0 to 719 were seen to matter" in first.words


def test_a_scaler_that_knows_rows_before_training_is_advised_of():
    found = judged(ScalerCandidate(lambda block, train: standardised(block, block[: train.stop])))
    assert found.verdict == "clean"
    assert found.advice == ("training rows from 100 on change with rows before them: it is fitted on more than the training rows",)


def test_a_scaler_that_fails_is_not_judged():
    found = judged(ScalerCandidate(lambda block, train: block[train.start : train.stop]))
    assert (found.verdict, found.problem) == ("not judged", "returned 540 rows for 900 bars; one row a bar is needed")


def strongest(block, target, rows):
    return np.argsort(np.abs(target[rows] @ block[rows]))[-2:]


@pytest.mark.parametrize(
    ("function", "verdict"),
    [
        (lambda block, target, train: strongest(block, target, slice(None)), "leak"),
        (lambda block, target, train: np.argsort(block.std(axis=0))[-3:], "leak"),
        (lambda block, target, train: strongest(block, target, slice(train.start, train.stop)), "clean"),
        (lambda block, target, train: np.arange(block.shape[1]) < 4, "clean"),
        (lambda block, target, train: "all", "not judged"),
    ],
)
def test_a_choice_of_columns_may_know_of_training_rows_alone(function, verdict):
    assert judged(SelectionCandidate(function)).verdict == verdict


def with_a_purge_of(rows):
    return lambda n, window, horizon: [(np.arange(n // 2), np.arange(n // 2 + rows(window, horizon), n))]


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        (lambda window, horizon: window + horizon, "clean"),
        (lambda window, horizon: window + horizon - 1, "clean"),
        (lambda window, horizon: window + horizon - 2, "leak"),
        (lambda window, horizon: horizon, "leak"),
    ],
)
def test_a_split_is_clean_from_the_last_row_that_would_be_shared_on(rows, verdict):
    assert judged(SplitCandidate(with_a_purge_of(rows))).verdict == verdict


def test_the_overlap_of_a_split_is_counted_and_placed():
    [finding] = judged(SplitCandidate(with_a_purge_of(lambda window, horizon: 0))).findings
    # The last training sample uses rows up to 499 + 1, and the windows of the first twelve test samples reach down to there.
    assert (
        "12 of 500 samples of one part share bars with a sample of another (window 12, horizon 1), by up to 12 bars"
        in finding.words
    )
    assert (finding.bars_ahead, finding.row) == (12, 500)


def test_training_after_the_test_needs_a_purge_too():
    def folds(purge):
        return lambda n, window, horizon: [(np.arange(n // 2 + purge * (window + horizon), n), np.arange(n // 2))]

    assert [judged(SplitCandidate(folds(purge))).verdict for purge in (0, 1)] == ["leak", "clean"]


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        (lambda *case: [], "returned no folds"),
        (lambda *case: [([1, 2],)], "two or three parts"),
        (lambda n, *case: [([1, 2], [n])], "not within the 1000 rows"),
    ],
)
def test_folds_that_are_none_are_not_judged(folds, message):
    found = judged(SplitCandidate(folds))
    assert found.verdict == "not judged"
    assert message in str(found.problem)


def change(bars, shift):
    return (bars["close"].shift(shift) / bars["close"].shift(shift + 1) - 1.0).fillna(0.0).to_numpy()


def lagged(positions, bars):
    return np.append(np.zeros(bars), positions[: len(positions) - bars])


@pytest.mark.parametrize(
    ("function", "bars_late"),
    [
        (lambda bars, positions: positions * change(bars, 0), 1),
        (lambda bars, positions: positions * change(bars, 2), 3),
        (lambda bars, positions: positions * (change(bars, 0) + change(bars, -1)), 1),
        (lambda bars, positions: positions * (bars["close"] / bars["open"] - 1.0), 1),
    ],
)
def test_a_position_that_is_paid_with_a_seen_return_is_caught(function, bars_late):
    [finding] = judged(RewardCandidate(function)).findings
    assert (finding.column, finding.bars_ahead) == ("position", bars_late)
    assert f"{bars_late} bar{'' if bars_late == 1 else 's'} late" in finding.words


def filled_at_the_next_open(bars, positions):
    opening, close = bars["open"].to_numpy(), bars["close"].to_numpy()
    held, wanted = lagged(positions, 2), lagged(positions, 1)
    gap = opening / np.append(opening[0], close[:-1]) - 1.0
    return held * gap + wanted * (close / opening - 1.0) - 0.001 * np.abs(wanted - held)


def after_drawdown(bars, positions):
    equity = np.cumsum(lagged(positions, 1) * change(bars, 0))
    return np.diff(equity, prepend=0.0) - 0.1 * (np.maximum.accumulate(equity) - equity)


@pytest.mark.parametrize(
    "function",
    [
        filled_at_the_next_open,
        after_drawdown,
        lambda bars, positions: positions * change(bars, -1) - 0.01 * positions**2,
        lambda bars, positions: lagged(positions, 3) * change(bars, 0),
    ],
)
def test_pay_for_what_comes_after_passes_with_costs_and_memory(function):
    assert judged(RewardCandidate(function, reported=True)).verdict == "clean"


def five_bars(bars, positions):
    return positions * (bars["close"].shift(-5) / bars["close"] - 1.0).fillna(0.0)


def test_a_reward_may_look_as_far_as_it_declares_but_is_then_no_profit():
    assert judged(RewardCandidate(five_bars, horizon=5)).verdict == "clean"
    [undeclared] = judged(RewardCandidate(five_bars)).findings
    assert undeclared.bars_ahead == 5
    [reported] = judged(RewardCandidate(five_bars, horizon=5, reported=True)).findings
    assert (reported.column, reported.bars_ahead) == ("reported profit", 5)
    assert "nobody could have earned it" in reported.words


def test_a_reward_that_ignores_positions_is_not_judged():
    found = judged(RewardCandidate(lambda bars, positions: change(bars, 0)))
    assert found.verdict == "not judged"
    assert "positions are not used" in str(found.problem)


def test_what_is_no_candidate_is_refused():
    with pytest.raises(ConfigError, match="candidate 'it' is a function; allowed: FeatureCandidate, LabelCandidate, "):
        judged(five_bars)
    with pytest.raises(DataError, match="reward 'it' declares a horizon of -2; allowed: 0 or more"):
        judged(RewardCandidate(five_bars, horizon=-2))
