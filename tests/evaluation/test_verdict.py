"""The verdict: evidence only where every rule is met."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seawall.evaluation.bootstrap import Difference, Interval
from seawall.evaluation.evidence import Evidence, LeakCheck, VerdictParams
from seawall.evaluation.metrics import Measured
from seawall.evaluation.phrases import per_bar, percent
from seawall.evaluation.verdict import reach_verdict

GOOD = Evidence(
    n_seeds=5,
    mean_log_return=3e-4,
    interval=Interval(1e-4, 5e-4),
    differences={"buy_and_hold": Difference(2e-4, Interval(1e-5, 4e-4)), "random": Difference(3e-4, Interval(1e-4, 5e-4))},
    seed_returns=[0.1, 0.2, -0.05, 0.15, 0.3],
    trades=120,
    break_even={"multiple": 2.5, "words": "breaks even at 2.50 times the costs", "above_one": True},
    delay={"total_return": 0.1, "on_time_total_return": 0.2},
    confidence=0.95,
)
BREAK_EVEN = {"multiple": 0.9, "words": "breaks even at 0.90 times the costs", "above_one": False}


def test_a_feature_that_looks_ahead_is_never_evidence_whatever_was_earned():
    found = verdict(lookahead=26)
    assert (found.level, found.checks[0].passed) == ("not judged", False)
    assert found.headline == (
        "Not evidence: a feature looks 26 bars into the future, which no live trader can; the figures mean nothing."
    )
    assert verdict().level == "evidence"


def verdict(**changes):
    return reach_verdict(replace(GOOD, **changes), VerdictParams())


def test_evidence_needs_every_rule():
    reached = verdict()
    assert reached.level == "evidence"
    assert all(check.passed for check in reached.checks)
    assert reached.headline.startswith("Evidence of skill on this test span: +3.00 bps per bar after costs (at least +1.00 bps")
    assert "no promise" in reached.headline


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({"interval": Interval(-1e-6, 5e-4)}, "earns after costs"),
        ({"interval": Interval(0.0, 5e-4)}, "earns after costs"),
        ({"interval": Interval(None, None, "too few bars")}, "earns after costs"),
        ({"differences": {**GOOD.differences, "sma_cross": Difference(1e-4, Interval(-1e-6, 1e-4))}}, "beats sma_cross"),
        ({"differences": {"buy_and_hold": Difference(1e-4, Interval(None, None, "why"))}}, "beats buy_and_hold"),
        ({"seed_returns": [0.9, 0.5, -0.01, -0.01, -0.01]}, "median seed earns"),
        ({"break_even": BREAK_EVEN}, "survives the costs"),
        ({"break_even": {"multiple": None, "words": "never profitable", "above_one": False}}, "survives the costs"),
        ({"break_even": {"multiple": None, "words": "it never traded", "above_one": None}}, "survives the costs"),
    ],
)
def test_one_broken_rule_is_no_evidence(changes, broken):
    reached = verdict(**changes)
    earned = broken != "earns after costs"
    assert reached.level == ("weak" if earned else "none")
    assert [check.name for check in reached.checks if not check.passed] == [broken]
    assert reached.headline.startswith("Weak evidence: it earned after costs, but " if earned else "No evidence of skill: ")


def test_luck_among_many_configurations_is_weak_evidence():
    reached = verdict(trials=40, deflated=Measured(0.949))
    assert reached.level == "weak"
    assert reached.headline == (
        "Weak evidence: it earned after costs, but after 40 configurations tried on this data, the chance that the Sharpe ratio is "
        "more than luck is 0.949; 0.95 is needed."
    )
    assert verdict(trials=40, deflated=Measured(0.95)).level == "evidence"
    undefined = verdict(deflated=Measured(None, "every bar has the same return"))
    assert (undefined.level, undefined.checks[4].words) == (
        "weak",
        "After 1 configuration tried on this data, the deflated Sharpe ratio is undefined: every bar has the same return.",
    )


def test_unknown_trials_and_used_test_data_are_stamped_whatever_was_earned():
    unknown = verdict(trials=None)
    assert (unknown.level, unknown.stamp) == (
        "not judged",
        "Not evidence: nobody knows how many configurations were tried on this data.",
    )
    used = verdict(seen_before="run 7 was judged on it at 12:00, and this run was set up at 13:00")
    assert (used.level, used.headline) == (
        "not judged",
        "Not evidence: the test data was used before: run 7 was judged on it at 12:00, and this run was set up at 13:00.",
    )
    assert verdict().stamp == ""


def test_too_good_without_a_leak_check_is_suspicious_and_with_a_clean_one_is_not():
    reached = verdict(too_good="a Sharpe ratio of 9.0 a year")
    assert (reached.level, reached.headline) == (
        "suspicious",
        "Suspicious: too good to be taken as it is (a Sharpe ratio of 9.0 a year); "
        "no leak check was passed: nobody looked for leaks.",
    )
    assert verdict(too_good="a Sharpe ratio of 9.0 a year", leaks=LeakCheck("clean", "")).level == "evidence"


def test_a_leak_is_suspicious_however_little_was_earned_and_however_few_seeds():
    leak = LeakCheck("leak", "my_column knows the close 3 bars ahead")
    reached = verdict(leaks=leak, n_seeds=1, interval=Interval(-1e-4, 1e-4))
    assert (reached.level, reached.headline) == (
        "suspicious",
        "Suspicious: the leak check failed: my_column knows the close 3 bars ahead.",
    )
    assert reached.stamp == "Not evidence: 1 seed, 5 needed."


def test_too_few_seeds_are_not_judged():
    reached = verdict(n_seeds=4, seed_returns=[0.1] * 4)
    assert (reached.level, reached.headline) == ("not judged", "Not evidence: 4 seeds, 5 needed.")
    assert reach_verdict(replace(GOOD, n_seeds=1), VerdictParams()).headline == "Not evidence: 1 seed, 5 needed."


def test_the_headline_tells_the_first_reason_with_its_figures():
    headline = verdict(mean_log_return=-2e-5, interval=Interval(-3e-4, 2e-4)).headline
    assert headline == (
        "No evidence of skill: the ensemble made −0.20 bps per bar after costs (95 % interval −3.00 bps to +2.00 bps); "
        "that cannot be told from zero or less."
    )


def test_a_policy_that_never_trades_is_told_so():
    assert "never traded" in verdict(interval=Interval(0.0, 0.0), trades=0).headline


def test_survival_of_ten_times_the_costs_is_survival():
    beyond = {"multiple": None, "words": "still profitable at 10 times the costs", "above_one": True}
    assert verdict(break_even=beyond).level == "evidence"


def test_a_stricter_bar_can_be_set():
    assert reach_verdict(GOOD, VerdictParams(min_break_even=3.0)).level == "weak"
    assert reach_verdict(GOOD, VerdictParams(min_seeds=6)).level == "not judged"


def test_the_delay_is_told_as_a_caution_and_does_not_decide():
    reached = verdict(delay={"total_return": -0.1, "on_time_total_return": 0.2})
    assert reached.level == "evidence"
    assert reached.cautions[0].endswith("The result depends on being filled at the very next open.")


def test_few_trades_are_a_caution():
    assert any("Only 7 round trips" in words for words in verdict(trades=7).cautions)
    assert len(verdict(trades=120).cautions) == 1


def test_nothing_is_ever_guaranteed():
    words = " ".join([verdict().headline, *verdict().reasons, *verdict().cautions]).lower()
    assert "guarantee" not in words
    assert "will " not in words


def test_figures_are_written_for_people():
    assert percent(0.0) == "0.0\u00a0%"
    assert percent(-0.00001) == "0.0\u00a0%"
    assert percent(-0.1234) == "−12.3\u00a0%"
    assert percent(12.5) == "+1,250.0\u00a0%"
    assert percent(None) == "–"
    assert per_bar(-1.5e-4) == "−1.50 bps"
