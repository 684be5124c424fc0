import re
from pathlib import Path

import pandas as pd
import pytest

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "ohlcv" / "binance_BTCUSDT_1h.parquet"


@pytest.fixture
def bars_file(seawall, tmp_path):
    path = tmp_path / "walk.parquet"
    assert seawall("data", "synth", path, "--kind", "random_walk", "--bars", 2000).code == 0
    return path


def test_synth_tells_the_stylised_facts_and_repeats(seawall, tmp_path):
    first, again = (seawall("data", "synth", tmp_path / f"{name}.parquet", "--seed", 3, "--json").json for name in ("a", "b"))
    assert first | {"file": ""} == again | {"file": ""}
    assert first["rows"] == 20_000
    assert first["excess_kurtosis"] > 1
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


@pytest.mark.parametrize("suffix", ["parquet", "csv", "feather"])
def test_written_bars_read_back_the_same(seawall, tmp_path, suffix):
    path = tmp_path / f"walk.{suffix}"
    seawall("data", "synth", path, "--kind", "random_walk", "--bars", 500)
    check = seawall("data", "check", path, "--json").json
    assert (check["rows"], check["gaps"], check["bad"], check["timeframe"]) == (500, 0, 0, "1h")


def test_import_list_and_import_again(seawall, bars_file, tmp_path):
    store = ("--data-dir", tmp_path / "data")
    imported = seawall("data", "import", bars_file, "--source", "made", "--symbol", "WALK", *store, "--json").json
    assert imported["reference"] == "made/WALK/1h"
    assert imported["status"] == "imported"
    assert (
        seawall("data", "import", bars_file, "--source", "made", "--symbol", "WALK", *store, "--json").json["status"] == "unchanged"
    )
    listed = seawall("data", "list", *store, "--json").json["series"]
    assert [(series["reference"], series["rows"]) for series in listed] == [("made/WALK/1h", 2000)]


def test_other_bars_of_the_same_name_need_a_word(seawall, bars_file, tmp_path):
    other = tmp_path / "other.parquet"
    seawall("data", "synth", other, "--kind", "random_walk", "--bars", 2000, "--seed", 9)
    names = ("--source", "made", "--symbol", "WALK", "--data-dir", tmp_path / "data")
    seawall("data", "import", bars_file, *names)
    refused = seawall("data", "import", other, *names)
    assert refused.code == 2
    assert "overwrite" in refused.err
    assert seawall("data", "import", other, *names, "--overwrite", "--json").json["status"] == "replaced"


def _written(path, change):
    frame = pd.read_parquet(path)
    change(frame).to_parquet(path)
    return path


def _nan_price(frame):
    frame.loc[700, "close"] = float("nan")
    return frame


def _shuffled(frame):
    return frame.sample(frac=1, random_state=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_nan_price, r"row 700.*close"),
        (_shuffled, r"disorder|order"),
        (lambda frame: frame.drop(columns="volume"), r"volume"),
        (lambda frame: frame.iloc[:0], r"no rows"),
    ],
)
def test_bad_bars_are_refused_by_name_and_nothing_is_stored(seawall, bars_file, tmp_path, change, message):
    result = seawall("data", "import", _written(bars_file, change), "--data-dir", tmp_path / "data")
    assert result.code == 2
    assert re.search(message, result.err), result.err
    assert "Traceback" not in result.err
    assert not (tmp_path / "data").exists() or not list((tmp_path / "data").rglob("*.parquet"))


def test_a_missing_file_shows_where_it_was_looked_for(seawall, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in (("data", "check", "nothing.parquet"), ("train", "tradernet", "data=nothing.parquet")):
        result = seawall(*words)
        assert result.code == 2
        assert str(tmp_path / "nothing.parquet") in result.err
        assert not (tmp_path / "runs").exists()


def test_too_few_bars_are_refused_with_the_number_needed(seawall, tmp_path):
    seawall("data", "synth", tmp_path / "few.parquet", "--kind", "random_walk", "--bars", 300)
    result = seawall("train", "tradernet", f"data={tmp_path / 'few.parquet'}", "--runs", tmp_path / "runs")
    assert result.code == 2
    assert re.search(r"300", result.err), result.err
    assert not (tmp_path / "runs").exists()


def test_inputs_that_the_bars_lack_are_named_with_the_option_that_leaves_them_out(seawall, tmp_path):
    path = tmp_path / "plain.parquet"
    seawall("data", "synth", path, "--kind", "random_walk", "--bars", 2000)
    pd.read_parquet(path).drop(columns="trades").to_parquet(path)
    result = seawall("train", "tradernet", f"data={path}", "features.omit=[trends]", "--runs", tmp_path / "runs")
    assert result.code == 2
    assert "trades" in result.err
    assert "features.omit" in result.err


@pytest.mark.skipif(not REAL.is_file(), reason="real bars are not part of the repository; they were not found beside it")
def test_real_bars_import_with_their_27_gaps(seawall, tmp_path):
    imported = seawall("data", "import", REAL, "--data-dir", tmp_path / "data", "--json").json
    assert imported["reference"] == "binance/BTCUSDT/1h"
    quality = imported["quality"]
    assert (imported["rows"], quality["gaps"], quality["missing"], quality["zero_volume"]) == (65_590, 27, 122, 3)
