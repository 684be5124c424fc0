"""The self-test's page: every cell with its verdict, a panel for each rung and strength, and nothing from outside."""

from __future__ import annotations

import json
import re

import pytest

from seawall.core.errors import DataError
from seawall.evaluation.ladder_page import curves_figure, ladder_html, write_ladder_page


def cell(agent="exact", rung="sine", strength="strong", **changes):
    return {
        "agent": agent,
        "rung": rung,
        "strength": strength,
        "control": False,
        "seeds": [0, 1],
        "mean_share": 0.8123,
        "lowest_share": 0.7,
        "highest_share": 0.9,
        "growth_bps": 6.1,
        "attainable_bps": 7.5,
        "trades_per_bar": 0.1,
        "seconds": 12.0,
        "curves": [[[100, 5.0, 3.75e-4], [200, 10.0, 6e-4]], [[100, 4.0, 1.5e-4], [200, 9.0, 5.25e-4]]],
        "warnings": [],
        "required": 0.75,
        "share_below": None,
        "fitted_share": 0.99,
        "verdict": "reached",
        "passed": True,
        **changes,
    }


def document(*rows):
    return {"ladder": list(rows), "bars": None, "run": "run", "page": "page", "passed": True}


def test_every_cell_is_told_with_its_numbers_and_its_verdict():
    walk = cell(
        rung="walk", mean_share=None, lowest_share=None, highest_share=None, required=None, fitted_share=None, verdict="no claim"
    )
    control = cell(rung="ar1", control=True, mean_share=0.01, required=None, share_below=0.1, verdict="nothing learned")
    page = ladder_html(document(cell(), walk, control))
    body = re.sub(r"<[^>]+>", "|", page[page.index("<tbody>") : page.index("</tbody>")])
    rows = [[word for word in line.split("|") if word.strip()] for line in body.splitlines() if line.strip()]
    assert rows[0] == ["sine", "strong", "exact", "2", "0.81", "0.70", "0.90", "0.75", "0.99", "6.10", "7.50", "12.0", "reached"]
    assert rows[1][0] == "walk"
    assert rows[1][-1] == "no claim"
    assert rows[1].count("–") == 5
    assert rows[2][0] == "ar1 (control)"
    assert rows[2][7] == "&lt; 0.10"


@pytest.mark.parametrize(("passed", "tone", "words"), [(True, "evidence", "was reached"), (False, "none", "1 failed")])
def test_the_headline_says_whether_something_failed(passed, tone, words):
    page = ladder_html(document(cell(passed=passed), cell(rung="ar1", passed=None)))
    assert f'<section class="verdict {tone}"' in page
    assert words in page


def test_there_is_a_panel_for_each_rung_and_strength_and_a_colour_for_each_agent():
    rows = [
        cell(agent, rung, strength) for agent in ("exact", "ppo") for rung in ("sine", "ar1") for strength in ("strong", "weak")
    ]
    figure = curves_figure(rows)
    titles = [note.text for note in figure.layout.annotations]
    assert titles == ["sine, strong", "sine, weak", "ar1, strong", "ar1, weak"]
    curves = [trace for trace in figure.data if trace.name]
    assert len(curves) == 8 * 2
    assert len({trace.line.color for trace in curves}) == 2
    assert [trace.name for trace in curves if trace.showlegend] == ["exact", "ppo"]


def test_a_curve_is_the_share_of_the_attainable_by_seconds_from_nothing_on():
    [first, second] = [trace for trace in curves_figure([cell()]).data if trace.name]
    assert list(first.x) == [0.0, 5.0, 10.0]
    assert list(first.y) == pytest.approx([0.0, 0.5, 0.8], rel=1e-12)
    assert list(second.y) == pytest.approx([0.0, 0.2, 0.7], rel=1e-12)


def test_the_walk_and_the_control_have_no_curves():
    assert '"curves"' not in json.dumps(ladder_html(document(cell(mean_share=None), cell(control=True))))
    assert 'id="plot-curves"' not in ladder_html(document(cell(mean_share=None), cell(control=True)))
    assert 'id="plot-curves"' in ladder_html(document(cell()))


def test_the_page_names_nothing_outside_itself():
    page = ladder_html(document(cell()))
    scripts = re.findall(r"<script>.*?</script>", page, flags=re.S)
    own = page.replace(max(scripts, key=len), "")
    assert re.findall(r"(?:src|href|action)\s*=\s*[\"'](?!data:)[^\"']*", own) == []
    assert "default-src 'none'" in page


def test_what_is_not_ours_is_escaped():
    assert "<b>evil" not in ladder_html(document(cell(agent="<b>evil", mean_share=None)))


def test_a_page_of_nothing_is_refused(tmp_path):
    with pytest.raises(DataError, match="allowed: at least one cell"):
        write_ladder_page(tmp_path / "page.html", document())
    assert not (tmp_path / "page.html").exists()
