"""Features and labels: what the detector says of leaks that hide, and of honest functions that look odd."""

import numpy as np
import pandas as pd
import pytest
from leak_worlds import world

from seawall.core.bars import timestamps_ms
from seawall.core.errors import ConfigError, DataError
from seawall.evaluation.leaks.blocks import differing
from seawall.evaluation.leaks.candidates import FeatureCandidate, LabelCandidate
from seawall.evaluation.leaks.columns import judge_feature, judge_label
from seawall.evaluation.leaks.findings import exit_code
from seawall.evaluation.leaks.worlds import World, judging_bars


def judged(function, **declared):
    return judge_feature("column", FeatureCandidate(function, **declared), world())


def at_one_hour_of_the_month(bars):
    chosen = (bars["timestamp"].dt.day == 3) & (bars["timestamp"].dt.hour == 7)
    return bars["close"].shift(-1).where(chosen, bars["close"])


def only_without_volume(bars):
    return bars["close"].shift(-2).where(bars["volume"] == 0, bars["close"])


def only_before_a_gap(bars):
    return bars["timestamp"].diff().shift(-1) > pd.Timedelta(hours=1)


def only_in_the_last_rows(bars):
    values = bars["close"].copy()
    values.iloc[-3:] = values.iloc[-4]
    return values


def before_a_crash(bars):
    return bars["low"].shift(-2) < 0.7 * bars["close"]


def at_chunk_starts(bars):
    chunk = timestamps_ms(bars) // (4_096 * 3_600_000)
    return bars["close"].shift(-1).where(np.append(False, np.diff(chunk) != 0), bars["close"])


def four_hundred_ahead(bars):
    return bars["close"].shift(-400)


def seconds_to_the_end(bars):
    return (bars["timestamp"].iloc[-1] - bars["timestamp"]).dt.total_seconds()


def kinds_seen_anywhere(bars):
    return pd.get_dummies(bars["timestamp"].dt.month)


def hidden_in_the_last_digits(bars):
    return bars["close"] + 1e-7 * bars["close"].shift(-1).fillna(0.0)


def raises_where_poisoned(bars):
    if bars["close"].isna().any():
        raise ValueError("a close is missing")
    return bars["close"].shift(-2)


# The function, how far it looks where that is fixed, and whether values are what it looks at.
EVASIVE = {
    "at one hour of the month": (at_one_hour_of_the_month, 1),
    "only without volume": (only_without_volume, 2),
    "only before a gap": (only_before_a_gap, None),
    "only in the last rows": (only_in_the_last_rows, None),
    "before a crash": (before_a_crash, 2),
    "at chunk starts": (at_chunk_starts, 1),
    "400 bars ahead": (four_hundred_ahead, 400),
    "seconds to the end": (seconds_to_the_end, None),
    "kinds seen anywhere": (kinds_seen_anywhere, None),
    "hidden in the last digits": (hidden_in_the_last_digits, 1),
    "raises where poisoned": (raises_where_poisoned, 2),
}


@pytest.mark.parametrize(("function", "bars_ahead"), EVASIVE.values(), ids=EVASIVE)
def test_a_leak_that_hides_is_caught(function, bars_ahead):
    found = judged(function)
    assert found.verdict == "leak"
    if bars_ahead is None:
        assert "where the data ends" in found.findings[0].words
    else:
        assert (found.findings[0].bars_ahead, found.findings[0].to_the_end) == (bars_ahead, False)


def mask_times_prices(bars):
    rows = len(bars)
    return (np.tril(np.ones((rows, rows))) / np.arange(1, rows + 1)[:, None]) @ bars["close"].to_numpy()


HONEST = {
    "constant": lambda bars: np.ones(len(bars), dtype=int),
    "never known": lambda bars: np.full(len(bars), np.nan),
    "truths": lambda bars: bars["close"] > bars["open"],
    "words": lambda bars: ["up" if up else "down" for up in bars["close"] > bars["open"]],
    "infinite": lambda bars: bars["close"] / bars["volume"],
    "recursive": lambda bars: bars["close"].ewm(span=10).std(),
    "rows of one bar": lambda bars: bars.index,
    "product with a mask": mask_times_prices,
    "fixed kinds": lambda bars: pd.get_dummies(pd.Categorical(bars["timestamp"].dt.month, categories=range(1, 13))),
    "rows left out": lambda bars: bars.loc[bars["volume"] > 0, "close"].rolling(3).mean(),
}


@pytest.mark.parametrize("function", HONEST.values(), ids=HONEST)
def test_an_honest_function_of_any_type_passes(function):
    found = judged(function)
    assert (found.verdict, found.findings, found.problem) == ("clean", (), None)


def test_nan_alone_advises_and_does_not_accuse():
    found = judged(mask_times_prices)
    assert len(found.advice) == 1
    assert "set to NaN" in found.advice[0]
    assert "no leak was seen" in found.advice[0]


def test_a_function_that_is_not_repeatable_is_not_judged_rather_than_accused():
    random = np.random.default_rng(0)
    found = judged(lambda bars: random.normal(size=len(bars)))
    assert (found.verdict, found.findings) == ("not judged", ())
    assert "other numbers when it was called again" in str(found.problem)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda bars: bars["price"], "KeyError: 'price'"),
        (lambda bars: bars["close"].to_numpy()[1:], "returned 699 rows for 700 bars"),
        (lambda bars: 1.0, r"returned shape \(\)"),
    ],
)
def test_what_cannot_be_called_or_read_is_not_judged_with_the_reason(function, message):
    found = judged(function)
    assert found.verdict == "not judged"
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(found.problem)


def test_a_function_that_fails_on_short_data_is_judged_by_the_rest_and_says_so():
    def needs_bars(bars):
        if len(bars) < 250:
            raise ValueError("too short")
        return bars["close"].rolling(200).mean()

    found = judged(needs_bars)
    assert found.verdict == "clean"
    assert found.advice[0].startswith("it failed on ")
    assert "ValueError: too short" in found.advice[0]


def test_one_that_fails_on_most_futures_is_not_judged():
    known = len(world())

    def needs_all(bars):
        if len(bars) < known or not np.array_equal(bars["close"], world().bars["close"]):
            raise ValueError("other bars")
        return bars["close"]

    assert judged(needs_all).verdict == "not judged"


def test_bars_that_a_function_writes_over_are_judged_too_and_the_next_function_gets_clean_ones():
    def shifts_in_place(bars):
        bars["close"] = bars["close"].shift(-1)
        return bars["volume"]

    def doubles_in_place(bars):
        bars["close"] *= 2.0
        return bars["volume"]

    before = world().bars.copy()
    leak, honest = judged(shifts_in_place), judged(doubles_in_place)
    assert [(finding.column, finding.bars_ahead) for finding in leak.findings] == [("bars[close]", 1)]
    assert honest.verdict == "clean"
    assert honest.advice == ("it writes over close of the bars that it is given; other columns would read that",)
    pd.testing.assert_frame_equal(world().bars, before)


def test_rows_of_the_warmup_are_not_judged():
    def filled_at_the_start(bars):
        return bars["close"].rolling(30).mean().fillna(bars["close"].mean())

    assert judged(filled_at_the_start).findings[0].row == 0
    assert judged(filled_at_the_start, warmup=29).verdict == "clean"


def test_the_word_of_a_leak_names_column_row_time_and_distance():
    [finding] = judged(lambda bars: pd.DataFrame({"fine": bars["open"], "late": bars["close"].shift(-3)})).findings
    assert (finding.column, finding.row, finding.bars_ahead, finding.nearest) == ("late", 0, 3, 3)
    assert finding.words.startswith(f"late at row 0 ({world().time(0)}) changes when the bars from row 1 on are ")
    assert finding.words.endswith("it looks 3 bars ahead")


def test_a_slower_series_is_cut_by_when_its_values_are_known():
    def joined(at):
        def function(bars, trends):
            return pd.merge_asof(bars[["timestamp"]], pd.DataFrame({"timestamp": at(trends), "v": trends["value"]}))["v"]

        return function

    open_week, ended_week = (
        joined(lambda trends: trends["timestamp"]),
        joined(lambda trends: trends["timestamp"] + trends["length"]),
    )
    leak = judged(open_week).findings[0]
    assert 24 <= leak.bars_ahead <= 168
    assert judged(ended_week).verdict == "clean"


def test_a_correlation_with_the_next_return_advises_and_never_accuses():
    random_walk = world().bars.copy()
    hint = np.tile([1.0, -1.0, 1.0, 1.0, -1.0], 140)
    random_walk["close"] = 100.0 * np.exp(np.cumsum(0.01 * np.append(0.0, hint[:-1])))
    for name in ("open", "high", "low"):
        random_walk[name] = random_walk["close"]
    edge = judge_feature("hint", FeatureCandidate(lambda bars: hint[: len(bars)]), World.of(random_walk))
    assert (edge.verdict, edge.findings) == ("clean", ())
    assert edge.advice == ("hint goes with the return of the next bar (correlation +1.00): an edge can do that, and a leak too",)


def test_a_label_may_look_as_far_as_it_declares_and_no_farther():
    def best_of_five(bars):
        return bars["close"][::-1].rolling(6).max()[::-1]

    assert judge_label("label", LabelCandidate(best_of_five, 5), world()).verdict == "clean"
    [finding] = judge_label("label", LabelCandidate(best_of_five, 4), world()).findings
    assert finding.bars_ahead == 5
    assert finding.words.endswith("it looks 5 bars ahead, 4 declared")
    with pytest.raises(DataError, match="'label' declares a horizon of -1; allowed: 0 or more"):
        judge_label("label", LabelCandidate(best_of_five, -1), world())


def test_differences_of_rounding_are_told_from_those_of_values():
    known = np.random.default_rng(0).normal(100.0, 1.0, (500, 1))
    assert not differing(known, known * (1 + 1e-15)).any()
    assert differing(known, known + 1e-8).all()
    assert differing(known, np.where(np.arange(500)[:, None] == 7, np.nan, known)).sum() == 1


@pytest.mark.parametrize("seed", [0, 3])
def test_the_bars_to_judge_on_hold_gaps_quiet_and_still_bars_a_new_month_and_a_chunk_start(seed):
    bars = judging_bars(seed, 2_000)
    times = timestamps_ms(bars)
    assert len(bars) == 2_000
    assert (np.diff(times) > 3_600_000).sum() >= 3
    assert (np.diff(times) % 3_600_000 == 0).all()
    assert 0.02 < (bars["volume"] == 0).mean() < 0.3
    assert (bars["close"].diff() == 0).sum() >= 20
    assert bars["timestamp"].dt.month.iloc[100] != bars["timestamp"].dt.month.iloc[360]
    assert (np.diff(times[:1_000] // (4_096 * 3_600_000)) == 1).sum() == 1
    assert (bars["high"] >= bars[["open", "close"]].max(axis=1)).all()


def test_altered_futures_keep_the_past_and_change_the_future():
    for how in ("removed", "another", "wild", "up", "down", "still", "busy", "later", "huge", "missing"):
        altered = world().altered(400, how)
        pd.testing.assert_frame_equal(altered.bars.iloc[:400], world().bars.iloc[:400])
        assert not altered.bars.iloc[400:].equals(world().bars.iloc[400:])


def test_too_few_bars_are_refused():
    with pytest.raises(ConfigError, match="bars is 499; allowed: at least 500"):
        judging_bars(0, 499)
    with pytest.raises(DataError, match="there are 120 bars to judge on; at least 500 are needed"):
        World.of(judging_bars(0, 600).iloc[:120])
    assert "are too few for a warm-up of 600" in str(judged(lambda bars: bars["close"], warmup=600).problem)


def test_a_leak_counts_before_what_could_not_be_judged():
    leak, broken, clean = judged(four_hundred_ahead), judged(lambda bars: bars["price"]), judged(lambda bars: bars["open"])
    assert [exit_code(each) for each in ([clean], [clean, broken], [broken, leak, clean])] == [0, 2, 1]
