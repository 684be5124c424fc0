"""The table of a calibration: when a criterion is met, and when it is missed."""

from __future__ import annotations

import pytest

from recipes.calibration_tables import market, met, table
from seawall.evaluation.calibration_page import calibration_html, choice_figure, growth_figure, write_calibration_page
from seawall.recipes.calibration.grade import chance_of_at_least, chance_of_at_most, grade, mean_interval
from seawall.recipes.calibration.plan import NOISE, PLANTED, CalibrationPlan


def test_four_false_alarms_in_forty_pass_and_five_do_not():
    assert met(table(40, 4, 40)) == [True, True, True]
    assert met(table(40, 5, 40)) == [False, True, True]
    assert table(40, 4, 40)["criteria"][0]["p_value"] == pytest.approx(0.13815, abs=1e-5)
    assert table(40, 5, 40)["criteria"][0]["p_value"] == pytest.approx(0.04803, abs=1e-5)


def test_a_full_table_asks_for_ninety_percent_of_the_planted_edges():
    assert met(table(40, 0, 36)) == [True, True, True]
    assert met(table(40, 0, 35)) == [True, False, True]


def test_a_quick_table_misses_power_only_where_the_markets_contradict_it():
    assert met(table(8, 0, 6))[1] is True
    assert met(table(8, 0, 5))[1] is False


def test_the_mean_overfitting_of_a_full_table_lies_within_a_tenth_of_a_half():
    assert [met(table(40, 0, 40, pbo))[2] for pbo in (0.39, 0.41, 0.59, 0.61)] == [False, True, True, False]


def test_a_quick_table_accepts_a_mean_whose_interval_reaches_into_the_tenth():
    noise = [market(NOISE, number, "none", pbo) for number, pbo in enumerate((0.9, 0.5, 0.8, 0.6))]
    planted = [market(PLANTED, number, "evidence") for number in range(4)]
    document = grade(CalibrationPlan(4), noise + planted)
    assert document["criteria"][2]["value"] == pytest.approx(0.7)
    assert document["criteria"][2]["passed"] is True
    far = [market(NOISE, number, "none", pbo) for number, pbo in enumerate((0.95, 0.9, 0.85, 0.9))]
    assert grade(CalibrationPlan(4), far + planted)["criteria"][2]["passed"] is False


def test_an_undefined_overfitting_is_left_out_and_none_at_all_is_missed():
    noise = [market(NOISE, 0, "none", None), market(NOISE, 1, "none", 0.4), market(NOISE, 2, "none", 0.5)]
    planted = [market(PLANTED, number, "evidence") for number in range(3)]
    document = grade(CalibrationPlan(3), noise + planted)
    assert (document["criteria"][2]["n"], document["criteria"][2]["value"]) == (2, pytest.approx(0.45))
    assert met(table(3, 0, 3, None))[2] is False


def test_suspicious_and_weak_are_no_evidence_and_stand_in_the_distribution():
    planted = [market(PLANTED, number, level) for number, level in enumerate(("evidence", "suspicious", "weak", "not judged"))]
    document = grade(CalibrationPlan(4), [market(NOISE, number, "none") for number in range(4)] + planted)
    assert document["criteria"][1]["count"] == 1
    assert document["planted"]["levels"] == {"evidence": 1, "weak": 1, "none": 0, "suspicious": 1, "not judged": 1}


def test_intervals_and_chances_are_those_of_the_tables():
    # Clopper and Pearson: 0 of 40 reaches up to 1 - 0.025 ** (1 / 40); Student's t with one degree of freedom is 12.706.
    assert table(40, 0, 40)["criteria"][0]["high"] == pytest.approx(1.0 - 0.025 ** (1 / 40), abs=1e-9)
    assert mean_interval([0.0, 2.0]) == (pytest.approx(1.0 - 12.7062, abs=1e-3), pytest.approx(1.0 + 12.7062, abs=1e-3))
    assert mean_interval([0.5]) == (None, None)
    assert chance_of_at_least(0, 10, 0.05) == 1.0
    assert chance_of_at_least(1, 10, 0.05) == pytest.approx(1.0 - 0.95**10)
    assert chance_of_at_most(0, 10, 0.9) == pytest.approx(0.1**10)


def test_the_finding_says_what_happened_in_plain_words():
    document = table(40, 1, 39)
    assert document["finding"] == (
        "Of 40 random walks 20 made money out of sample and 1 were called evidence; of 40 planted edges 39 were called evidence; "
        "mean PBO on noise 0.50. The verdict is as rarely wrong as it says."
    )
    assert table(40, 9, 20)["finding"].endswith("Missed: false alarms, power.")
    assert table(8, 0, 8)["finding"].endswith("So few markets can contradict the verdict, and prove little.")


def test_a_market_that_was_checked_for_leaks_is_counted():
    document = table(8, 0, 8)
    assert (document["noise"]["leak_checks"], document["planted"]["leak_checks"]) == (1, 1)
    assert document["planted"]["captured"]["mean"] == pytest.approx(0.75)


def test_the_page_shows_the_finding_and_every_criterion(tmp_path):
    document = table(8, 3, 8)
    page = calibration_html(document)
    assert document["finding"] in page
    assert page.count("MISSED") == 1
    assert "3 of 8, 37.5" in page
    write_calibration_page(tmp_path / "page.html", document)
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page


def test_the_figures_show_each_market_once_and_leave_out_what_is_undefined():
    markets = [market(NOISE, 0, "none", None), market(NOISE, 1, "none", 0.25), market(PLANTED, 0, "evidence", 0.0)]
    assert sorted(len(trace.x) for trace in growth_figure(markets).data) == [1, 2]
    assert [list(trace.x) for trace in choice_figure(markets).data] == [[0.25], [0.0]]
