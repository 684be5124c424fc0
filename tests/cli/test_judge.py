import json

import pandas as pd
import pytest

from evaluation.judged_files import BARS, FOLDER, told

TRADES = FOLDER / "vectorbt-reversion-trades.csv"


def test_a_ledger_is_judged_and_its_page_and_figures_are_kept(seawall, tmp_path):
    done = seawall("judge", TRADES, "--prices", BARS, "--initial-equity", 10_000, "--trials", 6, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    figures = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert figures["ledger"]["total_return"] == pytest.approx(told()["vectorbt-reversion"]["total_return"])
    assert "No evidence of skill" in done.out
    page = (tmp_path / "out" / "report.html").read_text()
    assert f"seawall judge {TRADES.name} --prices bars.csv --initial-equity 10000 --trials 6" in page
    assert "http://" not in page.split("<main>")[1].split("</main>")[0]


def test_json_prints_the_document_and_nothing_else(seawall, tmp_path):
    done = seawall("judge", TRADES, "--prices", BARS, "--initial-equity", 10_000, "--out", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    assert done.json == json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert done.json["verdict"]["level"] == "not judged"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--initial-equity", 10_000, "--column", "price"), "--column 'price' is not understood"),
        (("--initial-equity", 10_000, "--timeframe", "2h"), "the bars are 1h apart, not 2h"),
        ((), "needed: --initial-equity"),
        (("--initial-equity", 10_000, "--taker-bps", 5), "would charge them twice"),
    ],
)
def test_bad_input_ends_with_2_and_one_line(seawall, tmp_path, words, said):
    done = seawall("judge", TRADES, "--prices", BARS, "--out", tmp_path / "out", *words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("name", "said"), [("none.csv", "cannot be read"), ("ledger.xls", "has suffix '.xls'; allowed: .json")])
def test_a_file_that_cannot_be_read_is_named(seawall, tmp_path, name, said):
    if name.endswith("xls"):
        (tmp_path / name).write_text("a")
    done = seawall("judge", tmp_path / name, "--prices", BARS, "--initial-equity", 1, "--out", tmp_path / "out")
    assert done.code == 2
    assert said in done.err


def test_what_a_file_says_is_shown_as_it_is_and_not_as_markup(seawall, tmp_path):
    rows = pd.read_csv(TRADES).rename(columns={"Entry Timestamp": "Entry Time"})
    rows["Column"] = "[bold]<b>x"
    rows.to_csv(tmp_path / "[red]odd<i>.csv", index=False)
    done = seawall("judge", tmp_path / "[red]odd<i>.csv", "--prices", BARS, "--initial-equity", 10_000, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert "[red]odd<i>.csv" in done.out
    assert "odd<i>" not in (tmp_path / "out" / "report.html").read_text()
