"""Where a result lies among null results, in numbers, in words and on the page."""

from __future__ import annotations

import numpy as np
import pytest

from seawall.evaluation.null_positions import MEASURES, found, levels_of, placed, position, sentences, share_interval
from seawall.evaluation.nulls_page import nulls_figure, nulls_section
from seawall.evaluation.page import render


def row(value, level="none"):
    return {"level": level, "training_seconds": 1.0, **dict.fromkeys(MEASURES, value)}


def document(real, nulls):
    rows = [row(value) for value in nulls]
    positions = placed(dict.fromkeys(MEASURES, real), rows)
    kind = {
        "made": "Made so.",
        "positions": positions,
        "levels": levels_of(rows),
        "words": sentences("walk", positions),
        "rows": rows,
    }
    return {
        "found": found(positions),
        "real": dict.fromkeys(MEASURES, real),
        "kinds": {"walk": kind},
        "deviations": ["<fewer> seeds"],
    }


@pytest.mark.parametrize(("real", "as_good"), [(100.0, 0), (18.0, 1), (17.5, 1), (-1.0, 19), (9.0, 10)])
def test_p_counts_the_run_itself_and_those_at_least_as_good(real, as_good):
    placed_ = position(real, [float(number) for number in range(19)])
    assert (placed_.as_good, placed_.of) == (as_good, 19)
    assert placed_.p == (1 + as_good) / 20
    assert placed_.inside == (as_good > 0)


def test_p_of_noise_among_noise_holds_its_level():
    draw = np.random.default_rng(2)
    values = draw.standard_normal((4_000, 20))
    share = np.mean([position(each[0], list(each[1:])).p <= 0.05 for each in values])
    assert share == pytest.approx(0.05, abs=0.01)  # three standard errors of 4,000 draws


def test_the_interval_of_a_share_is_clopper_and_pearsons():
    assert share_interval(0, 20) == pytest.approx((0.0, 1.0 - 0.025 ** (1 / 20)), abs=1e-12)
    assert share_interval(20, 20) == pytest.approx((0.025 ** (1 / 20), 1.0), abs=1e-12)
    # Textbook: 4 of 20 lie within 0.0573 and 0.4366.
    assert share_interval(4, 20) == pytest.approx((0.0573, 0.4366), abs=5e-5)


def test_who_trades_nothing_counts_as_zero_and_an_undefined_figure_has_no_p():
    idle = position(0.5, [None, 1.0, None])
    assert (idle.idle, idle.as_good, idle.median) == (2, 1, 0.0)
    undefined = position(None, [1.0, 2.0])
    assert (undefined.p, undefined.as_good, undefined.inside) == (None, None, True)


def test_a_result_lies_outside_only_where_every_measure_does():
    nulls = [row(float(number)) for number in range(19)]
    real = dict.fromkeys(MEASURES, 100.0)
    assert found(placed(real, nulls)) == "outside"
    assert found(placed({**real, "against_buy_and_hold": 3.0}, nulls)) == "inside"
    assert found(placed({**real, "sharpe": None}, nulls)) == "inside"
    assert found(placed(real, nulls[:18])) == "too few"


def test_words_say_what_p_means():
    inside = document(1.0, [float(number) / 10.0 for number in range(20)])["kinds"]["walk"]["words"]
    assert inside[1] == "The run's Sharpe of 1.00 is reached by 10 of 20 random walks: p = 0.52. That is what noise gives."
    outside = document(9.0, [0.0] * 40)["kinds"]["walk"]["words"]
    assert outside[1] == "The run's Sharpe of 9.00 is reached by 0 of 40 random walks: p = 0.024. Noise seldom gives as much."
    few = document(9.0, [0.0])["kinds"]["walk"]["words"]
    assert few[1] == "The run's Sharpe of 9.00 is reached by 0 of 1 random walk: p = 0.50."
    assert few[-1].startswith("With 1 random walk p cannot be below 0.50: too few")
    assert few[-1].endswith("19 are needed.")


def test_the_figure_shows_every_null_result_and_the_run():
    told = document(2.0, [0.0, 1.0, 3.0])
    told["kinds"]["walk"]["rows"][0]["sharpe"] = None
    figure = nulls_figure(told)
    strips = [trace for trace in figure.data if trace.type == "box"]
    assert [list(strip.x) for strip in strips] == [[0.0, 1e4, 3e4], [0.0, 1.0, 3.0], [0.0, 1e4, 3e4]]
    assert [trace.x[0] for trace in figure.data if trace.name == "the run"] == [2e4, 2.0, 2e4]


def test_the_section_is_escaped_and_says_where_the_run_lies():
    section = nulls_section(document(2.0, [float(number) for number in range(20)]))
    assert section.values["heading"] == "This is what noise gives"
    assert section.values["rows"][1]["cells"] == [
        "2.00",
        "9.50",
        "0.95 to 18.05",
        "18 of 20",
        "0.905",
        "68.3\u00a0% to 98.8\u00a0%",
    ]
    page = render(section.template, section.figures, part=section.values, figure=lambda name, _title, _caption: f"[{name}]")
    assert "[nulls]" in page
    assert "&lt;fewer&gt; seeds" in page
    assert "Verdicts of the random walks: no evidence of skill 20." in page
    stands_out = nulls_section(document(20.0, [float(number) for number in range(20)]))
    assert stands_out.values["words"] == [
        "The run's Sharpe of 20.00 is reached by 0 of 20 random walks: p = 0.048. Noise seldom gives as much."
    ]
    assert len(section.values["words"]) == len(MEASURES)
    assert (stands_out.values["heading"], stands_out.values["tone"]) == ("It stands out from noise", "evidence")
