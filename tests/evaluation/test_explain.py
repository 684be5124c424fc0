"""What attributions of several seeds say together, and in which words."""

import numpy as np
import pytest

from seawall.core.errors import ConfigError
from seawall.core.market import RowRange
from seawall.evaluation.explain import (
    Importance,
    against_untrained,
    agreement,
    by_action,
    correlation,
    of_gradients,
    of_occlusion,
    shares,
    summary,
)
from seawall.evaluation.explain_page import explanation_addendum
from seawall.evaluation.explain_walk import even_rows
from seawall.evaluation.explain_words import cautions, findings

NAMES = ("a", "b", "c", "position")
LAGS = ("1", "0")


def importance(sizes, seed=0):
    """Bars whose absolute attributions have some mean sizes."""
    source = np.random.default_rng(seed)
    signs = source.choice([-1.0, 1.0], (5, len(sizes)))
    features, account = (signs * np.array(sizes))[:, :3], (signs * np.array(sizes))[:, 3:]
    windows = np.stack([0.25 * features, 0.75 * features], axis=1)
    return of_gradients(windows, account)


def test_attributions_are_summed_over_bars_assets_and_the_window():
    windows = np.zeros((2, 3, 2, 2))  # bars, assets, lags, features
    windows[0, 1, 0, 1], windows[1, 1, 1, 1], windows[1, 2, 1, 0] = 4.0, -2.0, 1.0
    found = of_gradients(windows, np.array([[0.5], [-0.5]]))
    np.testing.assert_array_equal(found.signed, [[0.0, 4.0, 0.5], [1.0, -2.0, -0.5]])
    np.testing.assert_array_equal(found.size, [0.5, 3.0, 0.5])
    np.testing.assert_array_equal(found.lags, [2.0, 1.5])
    np.testing.assert_array_equal(found.assets, [0.0, 3.0, 0.5])
    np.testing.assert_array_equal(found.cells, [[0.0, 0.5], [2.0, 1.0]])
    single = of_gradients(windows[:, 1], np.zeros((2, 0)))
    np.testing.assert_array_equal(single.size, [0.0, 3.0])
    assert single.assets.shape == (0,)


def test_occluded_changes_are_averaged_without_their_sign():
    found = of_occlusion(
        np.array([[1.0, -3.0], [-1.0, 1.0]]), np.array([[0.0], [4.0]]), np.array([[2.0], [-4.0]]), np.zeros((2, 0))
    )
    np.testing.assert_array_equal(found.size, [1.0, 2.0, 2.0])
    np.testing.assert_array_equal(found.lags, [3.0])


def test_shares_add_up_to_one_or_are_none():
    np.testing.assert_allclose(shares(np.array([[1.0, 3.0], [0.0, 0.0]])), [[0.25, 0.75], [0.0, 0.0]])


def test_a_loud_seed_does_not_outweigh_a_quiet_one():
    told = summary({1: importance([4, 0, 0, 0]), 2: importance([0, 0.001, 0, 0.003])}, NAMES, 3, LAGS, ())
    rows = {row["name"]: row for row in told["inputs"]}
    assert [row["name"] for row in told["inputs"]] == ["a", "position", "b", "c"]
    assert rows["a"]["share"] == pytest.approx(0.5)
    assert (rows["position"]["lowest"], rows["position"]["highest"]) == pytest.approx((0.0, 0.75))
    assert rows["position"]["seeds"] == {"1": 0.0, "2": pytest.approx(0.75)}
    assert [rows[name]["kind"] for name in NAMES] == ["feature", "feature", "feature", "account"]
    assert [row["share"] for row in told["lags"]] == pytest.approx([0.25, 0.75])
    assert np.sum(told["heat_map"]["shares"]) == pytest.approx(1.0)


def test_seeds_that_rank_alike_agree_and_reversed_ones_disagree():
    up = np.arange(8.0)
    assert agreement([up, 10.0 * up, up**2]) == {"tau": pytest.approx(1.0), "top": 1.0, "pairs": 3, "level": "agree"}
    told = agreement([up, up[::-1]])
    # Of the first five of either, places 3 and 4 are common.
    assert (told["tau"], told["top"], told["level"]) == (pytest.approx(-1.0), pytest.approx(2 / 5), "disagree")
    swapped = np.array([0.0, 1.0, 3.0, 2.0])
    # Five pairs of six in order: (5 - 1) / 6.
    assert agreement([np.arange(4.0), swapped])["tau"] == pytest.approx(4.0 / 6.0)
    assert agreement([up])["level"] == agreement([up, np.zeros(8)])["level"] == "unknown"


def test_a_ranking_of_random_weights_is_told_from_one_that_was_learned():
    up = np.arange(6.0)
    assert against_untrained({1: up, 2: up}, {1: up + 1.0, 2: up}) == {
        "spearman": pytest.approx(1.0),
        "seeds": {"1": pytest.approx(1.0), "2": pytest.approx(1.0)},
        "level": "resembles",
    }
    assert against_untrained({1: up}, {1: -up})["level"] == "differs"
    assert against_untrained({1: up}, {1: np.zeros(6)}) == {"spearman": None, "seeds": {"1": None}, "level": "unknown"}
    assert correlation(np.array([1.0, 2.0]), np.array([2.0, 1.0])) is None


def test_the_push_of_an_action_is_the_mean_over_its_bars():
    signed = np.array([[1.0, 0.0], [3.0, 0.0], [-2.0, 4.0]])
    found = Importance(signed, np.abs(signed).mean(0), np.ones(1), np.zeros(0))
    told = by_action({1: found}, ("a", "b"), ["buy", "buy", "sell"])
    assert told == [
        {"action": "buy", "bars": 2, "signed": {"a": 2.0, "b": 0.0}},
        {"action": "sell", "bars": 1, "signed": {"a": -2.0, "b": 4.0}},
    ]


@pytest.mark.parametrize(("n", "expected"), [(3, [10, 14, 18]), (1, [10]), (100, list(range(10, 19)))])
def test_rows_are_spread_evenly_over_the_decisions(n, expected):
    # The last row of ten is marked but not decided at.
    assert even_rows([RowRange(10, 20)], n).tolist() == expected


def test_several_ranges_are_one_row_of_decisions():
    assert even_rows([RowRange(10, 13), RowRange(30, 34)], 5).tolist() == [10, 11, 30, 31, 32]
    assert even_rows([RowRange(10, 13), RowRange(30, 34)], 2).tolist() == [10, 32]


@pytest.mark.parametrize(("rows", "n"), [(RowRange(10, 20), 0), (RowRange(10, 11), 5)])
def test_no_row_to_explain_is_refused(rows, n):
    with pytest.raises(ConfigError, match="were to be explained; allowed: at least 1 of at least 1"):
        even_rows([rows], n)


def document(seeds, **changed):
    told = {**summary(seeds, NAMES, 3, LAGS, ()), "by_action": by_action(seeds, NAMES, ["buy"] * 5)}
    sizes = {seed: found.size for seed, found in seeds.items() if not found.nothing}
    return {
        "run": "runs/x",
        "methods": {"ig": told},
        "seeds": list(seeds),
        "bars": 5,
        "bars_asked": 5,
        "bars_are": "evenly spaced",
        "baseline": {"windows": "the mean", "account": "flat"},
        "target": {"name": "exposure", "words": "expected target exposure"},
        "training_finished": True,
        "remembers": False,
        "methods_agree": None,
        "untrained": against_untrained(sizes, {seed: np.array([1.0, 2.0, 3.0, 4.0]) for seed in seeds}),
        "completeness": {"complete": True, "mean_gap": 0.0, "mean_change": 1.0, "tolerance": 0.01, "most_steps": 32},
        "attention": None,
        **changed,
    }


def test_a_policy_that_never_moves_has_nothing_to_explain():
    found = document({1: importance([0, 0, 0, 0]), 2: importance([0, 0, 0, 0])})
    [sentence] = findings(found)
    assert sentence.startswith("Nothing to explain")
    assert found["methods"]["ig"]["inputs"] == []
    assert found["untrained"]["level"] == "unknown"
    section = explanation_addendum({**found, "findings": [sentence], "cautions": []})
    assert (section.figures, section.values["rows"]) == ({}, [])


def test_levels_are_those_of_the_figures_as_they_are_shown():
    # Places 0 and 8, 1 and 3, 2 and 4 of twelve change: 1 - 6 * 144 / 1716 is 0.4965, shown as 0.50.
    ranks = np.array([8, 3, 4, 1, 2, 5, 6, 7, 0, 9, 10, 11]) + 1.0
    found = against_untrained({1: np.arange(12) + 1.0}, {1: ranks})
    assert (round(found["spearman"], 4), found["level"]) == (0.4965, "resembles")
    told = " ".join(findings(document({1: importance([8, 4, 2, 1])}, untrained=found)))
    assert "much the same (Spearman's rank correlation 0.50)" in told


def test_how_far_the_target_moves_at_all_is_told():
    completeness = {"complete": True, "mean_gap": 0.0, "mean_change": 0.00148, "tolerance": 0.01, "most_steps": 32}
    told = findings(document({1: importance([8, 4, 2, 1])}, completeness=completeness))[-1]
    assert told.startswith("The target moves by 0.0015 from the baseline on average; the attributions add up to that change within")
    short = {**completeness, "complete": False, "largest_gap_share": 0.019}
    told = findings(document({1: importance([8, 4, 2, 1])}, completeness=short))[-1]
    assert told.startswith("The target moves by 0.0015 from the baseline on average; the attributions do not add up")


def test_the_words_say_what_the_numbers_say():
    words = findings(document({1: importance([8, 4, 2, 1]), 2: importance([8, 4, 2, 1])}))
    told = " ".join(words).replace("\u00a0", " ")
    assert "it looks most at a (53.3 %), b (26.7 %) and c (13.3 %); 2 of 4 inputs make up 80 %" in told
    assert "Its own account has 6.7 %" in told
    assert "half of what features do lies on the newest bar; the bar that counts most is the newest (75.0 %)" in told
    assert "The seeds agree on the ranking (Kendall's tau 1.00, 100.0 % of the first five in common)" in told
    assert "Networks with random weights rank the inputs otherwise (Spearman's rank correlation −1.00)" in told


def test_seeds_that_disagree_and_rankings_of_random_weights_are_told_so():
    apart = document({1: importance([8, 4, 2, 1]), 2: importance([1, 2, 4, 8])})
    assert any(words.startswith("The seeds disagree on the ranking") for words in findings(apart))
    same = document({1: importance([1, 2, 4, 8])})
    assert any("how inputs are scaled and wired rather than what was learned" in words for words in findings(same))
    assert any(words.startswith("One seed") for words in findings(same))


def test_what_a_reader_must_know_is_told():
    first = cautions(document({1: importance([1, 2, 4, 8])}))
    assert len(first) == 1
    assert first[0].startswith("An attribution says what the network looks at, not what is profitable")
    seeds = {1: importance([1, 2, 4, 8]), 2: importance([0, 0, 0, 0])}
    told = cautions(document(seeds, training_finished=False, bars_asked=9, remembers=True, one_encoder=True))
    for words in (
        "one frozen encoder",
        "Training was interrupted",
        "5 of the 9 bars",
        "its memory is held",
        "No input moves seed 2",
    ):
        assert any(words in each for each in told)


def test_the_section_draws_each_figure_that_there_is():
    found = document({1: importance([8, 4, 2, 1]), 2: importance([1, 2, 4, 8])})
    section = explanation_addendum({**found, "findings": [], "cautions": []}, outdated=True)
    assert list(section.figures) == ["explain-inputs", "explain-lags", "explain-map", "explain-actions"]
    assert section.values["outdated"]
    bars = section.figures["explain-inputs"].data[0]
    assert sum(bars.x) == pytest.approx(100.0)
    assert max(bars.error_x.array) > 0.0
