import re

import pytest

from seawall.evaluation.leaks import zoo
from seawall.evaluation.leaks.candidates import FeatureCandidate
from seawall.evaluation.leaks.worlds import judging_bars

PARTS = """
import numpy as np
from seawall.core.protocols import FeatureSet
from seawall.evaluation.leaks.candidates import FeatureCandidate, SplitCandidate
from seawall.features.columns import Column

MARK = {mark!r}

def momentum(bars):
    return bars["close"].pct_change(10)

def hindsight(bars):
    return bars["close"].shift(-7) / bars["close"]

def both(bars):
    return np.column_stack([momentum(bars), hindsight(bars)])

COLUMNS = {{"momentum_{mark}": Column(momentum, warmup=10), "hindsight_{mark}": Column(hindsight)}}
FEATURE_SETS = {{"pair_{mark}": FeatureSet("pair", ("honest", "late"), 10, (), both)}}
CANDIDATES = {{
    "halves_{mark}": SplitCandidate(lambda n, window, horizon: [(range(n // 2), range(n // 2, n))]),
    "open_{mark}": FeatureCandidate(lambda bars: bars["open"]),
}}
"""


def written(tmp_path, text):
    path = tmp_path / "mine.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_judged_part_by_part_and_leaks_end_with_1(seawall, tmp_path):
    result = seawall("leakcheck", written(tmp_path, PARTS.format(mark="json")), "--bars", 700, "--json")
    assert result.code == 1
    assert result.json["verdict"] == "leak"
    found = {each["name"]: each for each in result.json["judged"]}
    assert {name: each["verdict"] for name, each in found.items()} == {
        "momentum_json": "clean",
        "hindsight_json": "leak",
        "pair_json": "leak",
        "halves_json": "leak",
        "open_json": "clean",
    }
    assert [(finding["column"], finding["bars_ahead"]) for finding in found["pair_json"]["findings"]] == [("late", 7)]
    assert found["hindsight_json"]["findings"][0]["row"] == 0
    assert found["halves_json"]["kind"] == "split"


def test_people_read_a_table_and_a_sentence_a_leak(seawall, tmp_path):
    text = "\n".join(line for line in PARTS.format(mark="table").splitlines() if "Split" not in line or "import" in line)
    result = seawall("leakcheck", written(tmp_path, text), "--bars", 700)
    assert result.code == 1
    assert re.search(r"^hindsight_table +feature +leak +hindsight_table +7 bars +2021-04-23T00:00$", result.out, re.MULTILINE)
    assert re.search(r"^leak: pair_table: late at row 10 .* looks 7 bars ahead$", result.out, re.MULTILINE)
    assert result.out.endswith("2 clean, 2 with leaks, 0 not judged\n")


def test_a_file_without_leaks_ends_with_0_on_ones_own_bars(seawall, tmp_path):
    judging_bars(5, 900).drop(columns="trends").to_parquet(tmp_path / "bars.parquet")
    lines = ("from seawall.features.columns import Column", "COLUMNS = {'spread_own': Column(lambda bars: bars.high - bars.low)}")
    path = written(tmp_path, "\n".join(lines))
    result = seawall("leakcheck", path, "--data", tmp_path / "bars.parquet", "--json")
    assert (result.code, result.json["verdict"]) == (0, "clean")


def test_what_cannot_be_judged_ends_with_2_and_says_why(seawall, tmp_path):
    path = written(
        tmp_path,
        "from seawall.evaluation.leaks.candidates import FeatureCandidate\n"
        "CANDIDATES = {'lost': FeatureCandidate(lambda bars: bars['no such'])}\n",
    )
    result = seawall("leakcheck", path, "--bars", 600)
    assert result.code == 2
    assert "not judged: lost: raised KeyError: 'no such'" in result.out


def test_what_a_judged_function_prints_does_not_reach_the_json_document(seawall, tmp_path):
    lines = (
        "import os",
        "from seawall.features.columns import Column",
        "def loud(bars):",
        "    print('said in Python')",
        "    os.write(1, b'said by a library')",
        "    return bars['close']",
        "COLUMNS = {'loud': Column(loud)}",
    )
    result = seawall("leakcheck", written(tmp_path, "\n".join(lines)), "--bars", 600, "--json")
    assert (result.code, result.json["verdict"]) == (0, "clean")
    assert "said" not in result.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], r"nothing to check is named; allowed: a recipe, a file that ends in \.py, or --zoo"),
        (["missing.py"], r"plugin missing\.py cannot be read"),
        (["tradenet"], r"did you mean tradernet\?"),
        (["tradernet", "costs.fe_bps=1"], r"unknown key costs\.fe_bps"),
        (
            ["tradernet", "--data", "bars.parquet"],
            r"--data bars\.parquet is of Python files; for a recipe, write data=bars\.parquet",
        ),
        (["mine.py", "costs.taker_bps=1"], r"costs\.taker_bps=1 is of recipes, and mine\.py is a Python file"),
        (["tradernet", "--zoo"], r"--zoo was given with target tradernet"),
        (["tradernet", "--bars", "10"], r"'--bars': Input should be greater than or equal to 500"),
    ],
)
def test_bad_input_ends_with_2_and_names_it(seawall, words, message):
    result = seawall("leakcheck", *words)
    assert result.code == 2
    assert re.search(message, result.err), result.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("CANDIDATES = [1]", r"CANDIDATES is a list; allowed: a dictionary from names to candidates"),
        ("CANDIDATES = {'x': 1}", r"candidate 'x' is a int; allowed: FeatureCandidate, "),
        ("CANDIDATES = {}", r"holds nothing to judge; allowed: entries in COLUMNS, FEATURE_SETS, REWARD_TERMS or CANDIDATES"),
        (
            "x = 1",
            r"adds nothing; allowed: a dictionary named COLUMNS or FEATURE_SETS or REWARD_TERMS or NETWORKS or GUARDS "
            r"or CANDIDATES",
        ),
        ("1 / 0", r"cannot be run at line 1: ZeroDivisionError"),
    ],
)
def test_a_file_that_holds_no_candidates_is_refused(seawall, tmp_path, text, message):
    result = seawall("leakcheck", written(tmp_path, text), "--bars", 600)
    assert result.code == 2
    assert re.search(message, result.err), result.err


@pytest.fixture
def small_zoo(monkeypatch):
    leak, honest = FeatureCandidate(lambda bars: bars["close"].shift(-1)), FeatureCandidate(lambda bars: bars["close"].shift(1))
    monkeypatch.setattr(zoo, "PLANTED", {"late": leak, "later": leak})
    monkeypatch.setattr(zoo, "CLEAN", {"early": honest})
    return leak, honest


def test_the_zoo_prints_its_four_numbers_first(seawall, small_zoo):
    result = seawall("leakcheck", "--zoo", "--json", "--bars", 600, "--seed", 4)
    assert result.code == 0
    assert list(result.json.items())[:4] == [("planted", 2), ("caught", 2), ("clean", 1), ("false_alarms", 0)]
    assert result.json["seed"] == 4


def test_a_zoo_that_is_not_all_right_ends_with_1(seawall, small_zoo, monkeypatch):
    leak, honest = small_zoo
    monkeypatch.setattr(zoo, "PLANTED", {"missed": honest})
    monkeypatch.setattr(zoo, "CLEAN", {"accused": leak})
    result = seawall("leakcheck", "--zoo", "--bars", 600)
    assert result.code == 1
    assert "0 of 1 planted leaks caught; 1 false alarms on 1 honest look-alikes" in result.out
    assert "wrong: accused is honest, and was leak" in result.out


def test_a_recipe_is_judged_with_its_overrides_and_a_plugin(seawall, tmp_path):
    lines = (
        "from seawall.features.columns import Column",
        "COLUMNS = {'ahead_recipe': Column(lambda bars: (bars.close.shift(-7) / bars.close).fillna(1.0))}",
    )
    path = written(tmp_path, "\n".join(lines))
    words = ["tradernet", "data.n_bars=1200", "features.columns=[ahead_recipe]", "--plugin", path, "--json"]
    result = seawall("leakcheck", *words)
    assert result.code == 1
    found = {each["kind"]: each for each in result.json["judged"]}
    assert [(finding["column"], finding["bars_ahead"]) for finding in found["features"]["findings"]] == [("ahead_recipe", 7)]
    assert {kind: each["verdict"] for kind, each in found.items() if kind in {"scaler", "split", "reward"}} == {
        "scaler": "clean",
        "split": "clean",
        "reward": "clean",
    }
