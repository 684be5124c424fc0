"""Runs, portfolios and walk-forwards side by side: found by name, tested where they may be, and told where they may not."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from recipes.compared_runs import changed, of_an_older_version, one_series, portfolio, put, put_walk
from seawall.cli.main import run as command
from seawall.core.errors import ConfigError, DataError
from seawall.core.files import write_json
from seawall.evaluation.bootstrap import BootstrapParams
from seawall.evaluation.compare import compared, differing_settings
from seawall.evaluation.compare_words import difference_cells, figure_lines, setting_words
from seawall.evaluation.statistics.rivals import paired_test
from seawall.recipes.compared import contenders_of, find, page_of

RECIPE = {
    "name": "small",
    "summary": "one",
    "agent": {"kind": "ppo", "learning_rate": 0.001},
    "guards": {"n_consecutive": {"n": 2}},
}
OTHER = {"name": "other", "summary": "two", "agent": {"kind": "ppo", "learning_rate": 0.002}, "guards": {}}
QUICK = BootstrapParams(n_resamples=100)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compared") / "runs"
    document, ledgers = one_series()
    put(folder / "small" / "20260101T000000-aaaa", document, ledgers.ensemble, RECIPE)
    put(folder / "small" / "20260102T000000-bbbb", document, ledgers.baselines["sma_cross"], OTHER)
    put(folder / "small" / "20260103T000000-cccc", changed(document, "run", costs={"taker_bps": 0.0}), ledgers.ensemble, RECIPE)
    put(folder / "old" / "20260104T000000-dddd", of_an_older_version(document), None, RECIPE)
    put_walk(folder / "walkforward" / "20260105T000000-eeee", document, ledgers.baselines["momentum"], RECIPE)
    several, walked = portfolio()
    run = put(folder / "several" / "20260106T000000-ffff", several, walked.ensemble, {**RECIPE, "kind": "portfolio"})
    walked.write(run.ledger)
    return folder


def document_of(runs: Path, *references: str):
    return compared(contenders_of(references, runs), QUICK)


def test_figures_of_every_kind_of_run_stand_side_by_side_and_old_ones_have_dashes(runs):
    names = ("20260101", "20260105", "20260106", "20260104")
    document = document_of(runs, *names)
    assert [row["kind"] for row in document["runs"]] == ["run", "walk-forward", "portfolio", "run"]
    first, _, several, old = document["runs"]
    saved = json.loads((runs / "small" / "20260101T000000-aaaa" / "metrics.json").read_text())
    interval = saved["intervals"]["ensemble"]["sharpe"]
    assert (first["sharpe"], first["sharpe_low"], first["sharpe_high"]) == (
        saved["ensemble"]["sharpe"],
        interval["low"],
        interval["high"],
    )
    assert first["deflated_sharpe"] == saved["skill"]["deflated_sharpe"]["value"]
    assert first["least_track_record_bars"] == saved["skill"]["least_track_record_bars"]["value"]
    assert first["seeds_sharpe"] == saved["skill"]["seeds"]["sharpe"]["iqm"]["value"]
    assert first["captured"] == saved["attainable"]["captured"]["value"]
    assert (first["trials"], several["captured_of"]) == (1, "exact")
    later = ("trials", "deflated_sharpe", "pbo", "captured", "seeds_sharpe", "guards_effect", "null_test")
    assert [old[name] for name in later] == [None] * len(later)
    cells = {line.label: line.cells for line in figure_lines(document["runs"])}
    assert [cells[label][3] for label in ("deflated Sharpe", "trials", "captured", "overfitting (PBO)", "null test, p")] == [
        "–"
    ] * 5
    assert cells["net return"][3] == cells["net return"][0] != "–"


def test_a_difference_is_the_paired_test_of_both_ledgers(runs):
    contenders = contenders_of(["20260101", "20260102"], runs)
    [row] = compared(contenders, QUICK)["differences"]
    expected = paired_test(*(each.ledger.log_returns() for each in contenders), QUICK)
    assert (row["mean"], row["low"], row["p_value"]) == (expected.mean.value, expected.interval.low, expected.p_value.value)
    assert row["adjusted_p_value"] == row["p_value"]
    mean = np.mean(contenders[0].ledger.log_returns() - contenders[1].ledger.log_returns())
    assert row["mean"] == pytest.approx(mean, abs=1e-15)
    short = {each.name: str(place) for place, each in enumerate(contenders)}
    for low, high, told in ((1e-4, 2e-4, "0 is ahead"), (-2e-4, -1e-4, "1 is ahead"), (-1e-4, 1e-4, "cannot be told apart")):
        assert difference_cells({**row, "low": low, "high": high}, short)[-1] == told
    [back] = compared(contenders[::-1], QUICK)["differences"]
    assert (back["mean"], back["high"]) == pytest.approx((-row["mean"], -row["low"]), abs=1e-15)


def test_every_two_of_five_are_tested_and_of_more_each_with_the_first(runs):
    contenders = contenders_of(["20260101", "20260102", "20260103", "20260104", "20260105", "20260106"], runs)
    assert len(compared(contenders[:5], QUICK)["differences"]) == 10
    firsts = [row["first"] for row in compared(contenders, QUICK)["differences"]]
    assert firsts == [contenders[0].name] * 5
    p_values = [row["p_value"] for row in compared(contenders[:5], QUICK)["differences"] if row["p_value"] is not None]
    adjusted = [row["adjusted_p_value"] for row in compared(contenders[:5], QUICK)["differences"] if row["p_value"] is not None]
    assert len(p_values) == 3
    assert min(adjusted) >= min(p_values)
    assert max(adjusted) == max(p_values)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ("20260103", "not comparable: other costs"),
        ("20260106", "not comparable: other market, other costs"),
        ("20260104", "no ledger is kept of 20260104T000000-dddd"),
    ],
)
def test_what_cannot_be_compared_says_why(runs, other, words):
    [row] = document_of(runs, "20260101", other)["differences"]
    assert (row["mean"], row["p_value"], row["reason"]) == (None, None, words)
    assert difference_cells(row, {row["first"]: "1", row["second"]: "2"}) == ["1 less 2", "–", words, "–", ""]


def test_the_same_times_with_other_prices_are_other_bars(runs):
    one, two = contenders_of(["20260101", "20260102"], runs)
    two.ledger.frame.loc[5, "close"] *= 1.001
    document = compared([one, two], QUICK)
    assert document["differences"][0]["reason"] == "not comparable: other bars"
    assert [row["comparable"] for row in document["runs"]] == [True, False]


def test_only_the_settings_that_differ_are_told(runs):
    rows = document_of(runs, "20260101", "20260102")["settings"]
    assert rows == [
        {"setting": "agent.learning_rate", "values": [0.001, 0.002]},
        {"setting": "guards.n_consecutive.n", "values": [2, "–"]},
        {"setting": "guards", "values": ["–", {}]},
    ]
    assert differing_settings({"one": RECIPE, "two": {**RECIPE, "name": "again", "summary": "x", "data": "y"}}) == []
    assert [setting_words(value) for value in ({}, [1, 2], True, None, [])] == ["none", "1, 2", "yes", "none", "none"]


def test_null_tests_and_guards_are_told_where_a_run_has_them(runs, tmp_path):
    document, _ = json.loads((runs / "small" / "20260101T000000-aaaa" / "metrics.json").read_text()), None
    document["attribution"] = {"guards": {"effect": 0.0123}}
    run = put(tmp_path / "runs" / "small" / "20260101T000000-aaaa", document, None, RECIPE)
    kinds = {name: {"positions": {"sharpe": {"p": p, "of": 20}}} for name, p in (("walk", 0.04), ("shuffle", 0.2))}
    write_json(run.path / "nulls" / "nulls.json", {"kinds": kinds})
    [row] = document_of(tmp_path / "runs", "latest")["runs"]
    assert row["null_test"] == {"p": 0.2, "markets": 20, "kind": "shuffle"}
    cells = {line.label: line.cells[0] for line in figure_lines([row])}
    assert (cells["null test, p"], cells["guards' effect"]) == ("0.200 of 20", "+1.2\u00a0%")


DAMAGE = [
    ("run", None, "run.recipe is None; allowed: text"),
    ("run", {"costs": 10}, "run.costs is 10; allowed: a mapping"),
    ("test", {"first": None}, "test.first is None; allowed: text"),
    ("verdict", None, "verdict.level is None; allowed: text"),
    ("ensemble", None, "ensemble is None; allowed: a mapping"),
    ("ensemble", {"sharpe": "high"}, "sharpe is 'high'; allowed: a number, or null where it is undefined"),
    ("ensemble", {"trades": [8]}, r"trades is \[8\]; allowed: a number"),
    ("seeds", None, "seeds is None; allowed: a mapping"),
    ("intervals", {"ensemble": {}}, "intervals.ensemble.mean_log_return is None; allowed: a mapping"),
    ("stress", {"break_even": 1.5}, "stress.break_even is 1.5; allowed: a mapping"),
    ("skill", {"trials": True}, "trials is True; allowed: a number"),
]


@pytest.mark.parametrize(("part", "values", "words"), DAMAGE)
def test_a_damaged_judgement_is_refused_by_what_is_damaged(runs, tmp_path, capfd, part, values, words):
    whole = json.loads((runs / "small" / "20260101T000000-aaaa" / "metrics.json").read_text())
    damaged = {**whole, part: None} if values is None else changed(whole, part, **values)
    run = put(tmp_path / "runs" / "small" / "20260107T000000-gggg", damaged, None, RECIPE)
    with pytest.raises(DataError, match=f"metrics.json is damaged: {words}"):
        contenders_of([str(run.path)], runs)
    assert command(["compare", "20260101", str(run.path), "--runs", str(runs)]) == 2
    assert f"seawall backtest {run.path}" in capfd.readouterr().err


def test_the_verb_says_why_a_run_is_no_evidence_and_that_one_was_named_twice(runs, tmp_path, capfd):
    whole = json.loads((runs / "small" / "20260101T000000-aaaa" / "metrics.json").read_text())
    seen = "Not evidence: tradernet was judged on it at 2026-01-01, before this configuration was tried"
    run = put(tmp_path / "runs" / "small" / "20260107T000000-gggg", changed(whole, "verdict", stamp=seen), None, RECIPE)
    assert command(["compare", "20260101", str(run.path), "20260101", "--runs", str(runs)]) == 0
    told = capfd.readouterr().out
    assert f"\n2: {seen}\n" in told
    assert "\n1: Not evidence: 3 seeds, 5 needed" in told
    assert "3 runs were named, and some are one run: 2 are shown" in told


@pytest.mark.parametrize("width", [80, 140])
def test_no_label_and_no_interval_is_cut_in_a_narrow_terminal(runs, tmp_path, monkeypatch, width):
    whole = json.loads((runs / "small" / "20260101T000000-aaaa" / "metrics.json").read_text())
    wide = {**RECIPE, "series": [{"source": "venue", "symbol": f"ASSET{place}"} for place in range(9)]}
    run = put(tmp_path / "runs" / "small" / "20260107T000000-gggg", whole, None, wide)
    screen = io.StringIO()
    monkeypatch.setattr("seawall.cli.compare.out", Console(file=screen, highlight=False, soft_wrap=True, width=width))
    assert command(["compare", "20260101", "20260102", str(run.path), "--runs", str(runs)]) == 0
    lines = screen.getvalue().splitlines()
    assert max(len(line) for line in lines if line.startswith(("Sharpe", "series", "agent."))) <= width
    sharpe = [line for line in lines if line.startswith("Sharpe")]
    assert (len(sharpe), "".join(sharpe).count(" to "), "…" in "".join(sharpe)) == ({80: 2, 140: 1}[width], 3, False)
    assert sum(line.startswith("agent.learning_rate ") for line in lines) == len(sharpe)
    [long] = [line for line in lines if line.startswith("series ") and "…" in line]
    assert "'source'" in long


def test_references_that_name_nothing_or_several_are_refused(runs, tmp_path):
    assert find("walkforward/20260105T000000-eeee", runs).path == runs / "walkforward" / "20260105T000000-eeee"
    assert find("latest", runs).path.name == "20260106T000000-ffff"
    whole = runs / "small" / "20260101T000000-aaaa"
    assert find(str(whole.resolve()), runs).path == whole.resolve()
    assert find("20260105", runs).path.name == "20260105T000000-eeee"
    with pytest.raises(ConfigError, match="begins the names of"):
        find("2026010", runs)
    with pytest.raises(ConfigError, match="is not one run"):
        find("2027", runs)
    unjudged = put_walk(tmp_path / "walkforward" / "20270101T000000-a", {}, contenders_of(["20260101"], runs)[0].ledger, RECIPE)
    unjudged.metrics.unlink()
    with pytest.raises(DataError, match="is not judged yet; the command that began it goes on with it"):
        contenders_of(["20270101"], tmp_path)


def test_the_verb_writes_a_page_without_network_and_says_where(runs, tmp_path, capfd):
    references = [str(path) for path in ("20260101", "20260102", "20260105", "20260106", "20260104")]
    assert command(["compare", *references, "--runs", str(runs), "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    page = Path(document["page"])
    assert page == page_of(contenders_of(references, runs), runs)
    text = page.read_text(encoding="utf-8")
    assert 'src="http' not in text
    assert "<td>0.002</td>" in text
    assert text.count('class="figure"') == 2
    assert command(["compare", *references[:3], "--runs", str(runs), "--page", str(tmp_path / "mine.html")]) == 0
    told = capfd.readouterr().out
    assert (tmp_path / "mine.html").is_file()
    for words in ("deflated Sharpe", "agent.learning_rate", "mine.html", "1: 20260101T000000-aaaa", "1 less 2"):
        assert words in told
    assert command(["compare", "20260101", "--runs", str(runs), "--page", str(tmp_path)]) == 2
