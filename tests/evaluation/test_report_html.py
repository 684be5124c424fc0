"""The page: self-contained, escaped, exact."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from worlds import edge_world, facts

from seawall.core.errors import DataError
from seawall.evaluation.evaluate import evaluate
from seawall.evaluation.figures import equity_figure, price_figure
from seawall.evaluation.page import number
from seawall.evaluation.params import EvaluationParams
from seawall.evaluation.phrases import percent, rival_title
from seawall.evaluation.report import render_report, report_html

PARAMS = EvaluationParams.model_validate({"bootstrap": {"n_resamples": 200}})
EVIL = '</script><script>alert("x")</script>&<b>'


@pytest.fixture(scope="module")
def judged():
    candidates, setting = edge_world(True, rows=700)
    return evaluate(candidates, setting, PARAMS, facts())


@pytest.fixture(scope="module")
def page(judged) -> str:
    return report_html(*judged, "name: tradernet\n")


def own(page: str) -> str:
    """The page without the plotting library."""
    scripts = re.findall(r"<script>.*?</script>", page, flags=re.S)
    return page.replace(max(scripts, key=len), "")


def test_the_page_names_nothing_outside_itself(page):
    assert re.findall(r"(?:src|href|action)\s*=\s*[\"'](?!data:)[^\"']*", own(page)) == []
    assert "@import" not in own(page)
    assert "url(" not in own(page)
    assert "default-src 'none'" in page


def test_the_plotting_library_is_inside_once(page):
    assert page.count("plotly.js v") == 1


def test_the_verdict_comes_before_the_figures(judged, page):
    verdict = judged[0].verdict
    places = [
        page.index(words) for words in (verdict["headline"], "Key figures", "Against its rivals", "<figure", "The recipe, resolved")
    ]
    assert places == sorted(places)
    assert all(check["words"] in page for check in verdict["checks"])


def test_every_figure_has_its_place_and_its_data(page):
    places = set(re.findall(r'id="(plot-\w+)"', page))
    names = (
        "equity", "intervals", "price", "exposure", "costs", "stress", "guards", "side", "hour", "weekday", "session", "regime",
        "cost_parts",
    )  # fmt: skip
    assert places == {f"plot-{name}" for name in names}
    specs = re.findall(r'<script type="application/json" class="figure" data-target="([\w-]+)">(.*?)</script>', page, flags=re.S)
    assert {target for target, _spec in specs} == places
    assert all(json.loads(spec)["data"] for _target, spec in specs)
    assert not any(set("<>&") & set(spec) for _target, spec in specs)


def test_whatever_others_wrote_is_escaped():
    candidates, setting = edge_world(True, rows=300)
    evil = replace(
        facts(EVIL),
        recipe=EVIL,
        command=EVIL,
        warnings=(EVIL,),
        data={EVIL: EVIL, "list": [{EVIL: EVIL}]},
        guards={EVIL: {EVIL: EVIL}},
    )
    judgement, ledgers = evaluate(candidates, setting, PARAMS, evil)
    frame = ledgers.ensemble.frame
    frame["guard"], frame["reason"] = EVIL, EVIL
    page = own(report_html(judgement, ledgers, EVIL))
    assert "alert(" in page
    assert "<script>alert" not in page
    assert "<b>" not in re.sub(r"<li class=.*?</b>", "", page)


def test_a_run_without_guards_warnings_or_data_is_shown(judged):
    document = {**judged[0].document}
    document["run"] = {**document["run"], "guards": {}, "data": {}, "split": {}, "warnings": [], "command": "", "scheme": {}}
    document["guards"] = {"decisions": 5, "interventions": 0, "by_reason": []}
    page = report_html(replace(judged[0], document=document), judged[1], "")
    assert "The run had no guards." in page


def test_a_judgement_made_before_there_was_an_attribution_has_the_rest_of_its_page(judged):
    document = {key: value for key, value in judged[0].document.items() if key != "attribution"}
    page = own(report_html(replace(judged[0], document=document), judged[1], ""))
    assert "Where the money came from" not in page
    assert '<td class="right">' in page.split("<h3>Guards</h3>")[1].split("</table>")[0]
    assert "together, of equity" not in page


def test_the_page_tells_what_each_guard_saved_or_cost(judged, page):
    found = judged[0].document["attribution"]["guards"]
    [line] = found["by_reason"]
    table = page.split("<h3>Guards</h3>")[1].split("</table>")[0]
    for told in (line["saved"], line["cost"], line["effect"]):
        assert f'<td class="right">{percent(told, 2)}</td>' in table
    assert f"make {percent(found['unguarded_return'])} instead of {percent(found['guarded_return'])}" in own(page)


def test_no_two_rivals_are_drawn_alike_and_none_as_the_ensemble(judged):
    drawn = [trace for trace in equity_figure(judged[1]).data if trace.showlegend and trace.name != "each seed"]
    looks = [(trace.line.color, trace.line.dash or "solid") for trace in drawn]
    assert len(looks) == len(judged[1].baselines) + 1 == len(set(looks))
    ensemble = drawn[-1]
    assert ensemble.name == "ensemble"
    assert sum(trace.line.color == ensemble.line.color for trace in drawn) == 1
    assert all(trace.line.width <= 0.5 * ensemble.line.width for trace in drawn[:-1])


def test_the_strongest_rivals_are_shown_at_first_and_the_others_wait_in_the_legend(judged):
    figure, ledgers = equity_figure(judged[1]), judged[1]
    hidden = {trace.name for trace in figure.data if trace.visible == "legendonly"}
    ends = sorted(ledgers.baselines, key=lambda name: -ledgers.baselines[name].column("equity")[-1])
    assert not {rival_title(name) for name in (*ends[:3], "flat", "buy_and_hold")} & hidden
    assert len(hidden) >= len(ends) - 6


def test_a_policy_that_never_traded_is_shown(judged):
    candidates, setting = edge_world(False, rows=400)

    class Idle:
        def act(self, observation, *, deterministic=True):
            return np.full(len(observation.rows), 2), {}

    judgement, ledgers = evaluate(replace(candidates, ensemble=Idle(), seeds={0: Idle()}), setting, PARAMS, facts())
    page = own(report_html(judgement, ledgers, ""))
    assert "no trade" in page
    assert not re.search(r"\bnan\b|\bNone\b|\binf\b", re.sub(r"<(script|style).*?</\1>", "", page, flags=re.S))


def test_the_page_is_written_whole_or_not_at_all(judged, tmp_path, monkeypatch):
    path = tmp_path / "report" / "index.html"
    render_report(*judged, "", path)
    first = path.read_text(encoding="utf-8")
    monkeypatch.setattr("os.replace", _refuse)
    with pytest.raises(DataError, match="no room left"):
        render_report(*judged, "other", path)
    assert path.read_text(encoding="utf-8") == first
    assert [file.name for file in path.parent.iterdir()] == ["index.html"]


def _refuse(*_arguments):
    raise OSError(28, "No space left on device")


def test_fills_and_vetoes_are_marked_where_they_happened(judged):
    ledger = judged[1].ensemble
    figure = price_figure(ledger)
    traces = {trace.name: trace for trace in figure.data}
    bought = ledger.frame[np.diff(ledger.column("quantity"), prepend=0.0) > 0.0]
    assert list(traces["buy"].y) == pytest.approx(bought["fill_price"].tolist(), rel=1e-6)
    held = ledger.frame[ledger.frame["proposed"] != ledger.frame["allowed"]]
    assert len(traces["held by a guard"].x) == len(held)


def test_equity_ends_at_the_net_return(judged):
    figure = equity_figure(judged[1])
    trace = next(trace for trace in figure.data if trace.name == "buy-and-hold")
    last = float(trace.y[-1])
    ledger = judged[1].baselines["buy_and_hold"]
    growth = ledger.equity_curve()[-1] / ledger.initial_equity
    logarithmic = figure.layout.yaxis.type == "log"
    assert last == pytest.approx(growth if logarithmic else 100.0 * (growth - 1.0), rel=1e-6)


def test_numbers_are_written_for_people():
    assert [number(value) for value in (None, 0.0, 1.5, -0.01234, 12345.6)] == ["–", "0", "1.5", "−0.0123", "12,346"]
