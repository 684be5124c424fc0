"""``seawall data synth``, ``scale``, ``align`` and ``resample``: what they refuse, and that nothing is overwritten unasked."""

import numpy as np
import pandas as pd
import pytest

from seawall.market.formats.tables import read_tables


def synth(seawall, *words):
    return seawall("data", "synth", *words)


@pytest.mark.parametrize("words", [(), ("--kind", "random_walk")])
def test_a_file_that_is_there_is_replaced_only_with_force(seawall, tmp_path, words):
    path = tmp_path / "market.parquet"
    path.write_text("mine")
    refused = synth(seawall, path, "--bars", 300, *words)
    assert refused.code == 2
    assert "market.parquet exists" in refused.err
    assert path.read_text() == "mine"
    assert synth(seawall, path, "--bars", 300, "--force", *words).code == 0
    assert len(pd.read_parquet(path)) == 300


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("m.h5", "--hdf5"), "--hdf5 is a form of datasets"),
        (("m.parquet", "--bars", "500", "--years", "1"), "--num-samples 500 and --years 1 are both given"),
        (("m.parquet", "--kind", "pair", "--years", "inf"), "years is inf"),
        (("m.parquet", "--kind", "random_walk", "--years", "nan"), "years is nan"),
        (("m.parquet", "--kind", "random_walk", "--correlation", "0"), "--correlation"),
        (("m.parquet", "--correlation", "0.5"), "--correlation 0.5 is of several assets"),
        (("m.parquet", "--timeframe", "999999999999999w"), "999999999999999w"),
        (("m.parquet", "--kind", "random_walk", "--seed", "99999999999999999999"), "--seed"),
    ],
)
def test_words_that_do_not_go_together_are_refused_and_nothing_is_made(seawall, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    refused = synth(seawall, *words)
    assert refused.code == 2
    assert message in refused.err
    assert list(tmp_path.iterdir()) == []


def test_an_upper_case_suffix_is_hdf5_too(seawall, tmp_path):
    assert synth(seawall, tmp_path / "market.H5", "--bars", 300).code == 0
    assert list(read_tables(tmp_path / "market.H5")) == ["/15m"]


def test_indicators_begin_as_soon_as_each_can_and_empty_ones_are_left_out(seawall, tmp_path):
    made = synth(seawall, "--num-samples", 4000, "--output-dir", tmp_path / "made", "--indicators", "--json").json
    bars = pd.read_parquet(tmp_path / "made" / "synthetic_dataset" / "synthetic_REGIMES_15m.parquet")
    first = {name: int(np.argmax(bars[name].notna())) for name in ("close_log_returns", "rsi", "aroon_up")}
    assert first == {"close_log_returns": 1, "rsi": 14, "aroon_up": 25}
    daily = pd.read_parquet(tmp_path / "made" / "train" / "synthetic_REGIMES_1d.parquet")
    assert "rsi" in daily.columns
    assert "adx" not in daily.columns
    assert any(note.startswith("1d: 41 bars are too few for") and "adx" in note for note in made["notes"])


def test_parts_of_a_made_dataset_are_scaled_by_their_training_parts(seawall, tmp_path):
    synth(seawall, "--num-samples", 4000, "--output-dir", tmp_path / "made", "--indicators", "--labels")
    done = seawall("data", "scale", tmp_path / "made", "--recursive", "--output-dir", tmp_path / "scaled", "--json")
    assert done.code == 0
    for length in ("15m", "4h", "1d"):
        train = pd.read_parquet(tmp_path / "made" / "train" / f"synthetic_REGIMES_{length}.parquet")["rsi"]
        test = pd.read_parquet(tmp_path / "made" / "test" / f"synthetic_REGIMES_{length}.parquet")["rsi"]
        scaled = pd.read_parquet(tmp_path / "scaled" / "test" / f"synthetic_REGIMES_{length}_normalized.parquet")["rsi"]
        expected = ((test - train.min()) / (train.max() - train.min())).clip(-1.0, 2.0)
        np.testing.assert_allclose(scaled, expected, rtol=1e-12, atol=1e-15)


def test_correlation_of_returns_is_told(seawall, tmp_path):
    words = ("--symbols", "AAA,BBB", "--correlation", "0.6", "--num-samples", "5000", "--output-dir", tmp_path / "two", "--json")
    told = synth(seawall, *words).json["correlation_of_returns"]
    closes = [
        pd.read_parquet(tmp_path / "two" / "synthetic_dataset" / f"synthetic_{name}_15m.parquet")["close"]
        for name in ("AAA", "BBB")
    ]
    assert told[0][1] == pytest.approx(np.corrcoef([np.diff(np.log(close)) for close in closes])[0, 1], rel=1e-9)


def test_a_panel_overwrites_neither_an_input_nor_anything_unasked(seawall, tmp_path):
    for name in ("AAA", "BBB"):
        synth(seawall, tmp_path / f"made_{name}_1h.parquet", "--kind", "random_walk", "--bars", 300)
    inputs = [tmp_path / f"made_{name}_1h.parquet" for name in ("AAA", "BBB")]
    before = inputs[0].read_bytes()
    assert seawall("data", "align", *inputs, "-o", inputs[0], "--force").code == 2
    assert seawall("data", "align", *inputs, "-o", inputs[0]).code == 2
    assert inputs[0].read_bytes() == before
    refused = seawall("data", "align", *inputs, "-o", tmp_path / "panel.h5")
    assert refused.code == 2
    assert "allowed: a name that ends in .parquet, .feather or .csv" in refused.err


def test_resampling_to_several_lengths_stores_all_or_none(seawall, tmp_path):
    store = ("--data-dir", tmp_path / "data")
    walk = (tmp_path / "made_WALK_5m.parquet", "--kind", "random_walk", "--bars", 2000, "--timeframe", "5m")
    synth(seawall, *walk)
    seawall("data", "import", tmp_path / "made_WALK_5m.parquet", *store)
    seawall("data", "resample", "made/WALK/5m", "--to", "1h", *store)
    synth(
        seawall,
        tmp_path / "made_WALK_5m.parquet",
        "--kind",
        "random_walk",
        "--bars",
        2000,
        "--timeframe",
        "5m",
        "--seed",
        1,
        "--force",
    )
    seawall("data", "import", tmp_path / "made_WALK_5m.parquet", "--overwrite", *store)
    refused = seawall("data", "resample", "made/WALK/5m", "--to", "15m,1h", *store)
    assert refused.code == 2
    assert not (tmp_path / "data" / "made" / "WALK" / "15m").exists()
    assert seawall("data", "resample", "made/WALK/5m", "--to", "15m,1h", "--overwrite", *store).code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--csv", "out", "--timeframes", "4h"), "--timeframes names keys of HDF5"),
        (("--csv", "out"), "no stored series 'binance/NOPE/15m'"),
    ],
)
def test_an_export_says_what_it_has_no_use_for(seawall, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    refused = seawall("data", "export", "binance/NOPE/15m", *words)
    assert refused.code == 2
    assert message in refused.err
