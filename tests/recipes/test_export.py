"""What a recipe trains on, written for other programs: the same rows, cut at the same moments, scaled by the training rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from seawall.core.bars import timestamps_ms
from seawall.core.errors import ConfigError, DataError
from seawall.core.files import read_json
from seawall.features.scaling.scaler import Scaler
from seawall.market.synthetic.regimes import RegimeParams, regime_bars
from seawall.recipes.dataset import prepare
from seawall.recipes.export import export_csv, export_hdf5
from seawall.recipes.schema import load_recipe

QUARTER_MS, DAY_MS = 900_000, 86_400_000
PARTS = ("train", "val", "test")


@pytest.fixture(scope="module")
def bars_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("bars") / "made_EXPORT_15m.parquet"
    bars = regime_bars(RegimeParams(n_bars=60_000, start="2015-01-01"), 1).bars
    bars.assign(mood=np.sin(np.arange(len(bars)) / 50.0)).to_parquet(path, index=False)
    return path


def recipe(bars_file, *overrides):
    return load_recipe("tradernet", [f"data={bars_file}", "features.omit=[trends]", *overrides])


@pytest.fixture(scope="module")
def exported(bars_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "out"
    facts = export_hdf5(recipe(bars_file), folder, folder, [], scaled=True)
    tables = {(part, key): pd.read_hdf(folder / f"{part}_data.h5", key) for part in PARTS for key in ("/15m", "/4h", "/1d")}
    return folder, facts, tables


def test_the_rows_of_the_parts_are_those_that_the_recipe_learns_chooses_and_judges_on(bars_file, exported, tmp_path):
    _, facts, tables = exported
    dataset = prepare(recipe(bars_file), tmp_path)
    times, split = dataset.market.timestamps, dataset.split
    wanted = {
        "train": times[dataset.facts["warmup"] : split.train.stop],
        "val": times[split.validation.start : split.validation.stop],
        "test": times[split.test.start : split.test.stop],
    }
    for part in PARTS:
        np.testing.assert_array_equal(timestamps_ms(tables[part, "/15m"]), wanted[part])
        assert facts["rows_per_timeframe"]["15m"][part] == len(wanted[part])


def test_scaled_features_are_those_that_the_recipe_trains_on(bars_file, exported, tmp_path):
    folder, _, tables = exported
    dataset = prepare(recipe(bars_file), tmp_path)
    table = tables["test", "/15m"]
    scaled = table[[f"{name}_scaled" for name in dataset.market.feature_names]].to_numpy(np.float32)
    np.testing.assert_array_equal(scaled, dataset.market.features[dataset.split.test.start : dataset.split.test.stop])
    saved = Scaler.from_dict(read_json(folder / "feature_scalers.json")["15m"])
    assert saved.to_dict() == dataset.scaler.to_dict()


@pytest.mark.parametrize(("key", "length"), [("/4h", 4 * 3_600_000), ("/1d", DAY_MS)])
def test_a_longer_bar_lies_in_its_part_from_its_opening_to_its_close(exported, key, length):
    _, _, tables = exported
    for part in PARTS:
        base, longer = timestamps_ms(tables[part, "/15m"]), timestamps_ms(tables[part, key])
        assert longer[-1] + length <= base[-1] + QUARTER_MS
        if part != "train":
            assert longer[0] >= base[0]
        # None that fits is missing.
        assert longer[-1] + 2 * length > base[-1] + QUARTER_MS


def test_nothing_of_a_later_part_changes_an_earlier_one(bars_file, exported, tmp_path):
    _, _, tables = exported
    altered = pd.read_parquet(bars_file)
    first = tables["val", "/15m"]["timestamp"].iloc[0]
    altered.loc[altered["timestamp"] >= first, ["volume", "trades"]] *= 3.0
    altered.to_parquet(tmp_path / "made_EXPORT_15m.parquet", index=False)
    export_hdf5(recipe(tmp_path / "made_EXPORT_15m.parquet"), tmp_path, tmp_path / "out", [], scaled=True)
    for key in ("/15m", "/4h", "/1d"):
        pd.testing.assert_frame_equal(pd.read_hdf(tmp_path / "out" / "train_data.h5", key), tables["train", key])
        assert not pd.read_hdf(tmp_path / "out" / "val_data.h5", key).equals(tables["val", key])


def test_features_are_finite_and_labels_are_not_among_them(exported):
    _, facts, tables = exported
    for (_, key), table in tables.items():
        assert np.isfinite(table.drop(columns="timestamp").to_numpy()).all()
        assert list(table.columns) == facts["columns"][key.strip("/")]
        assert not [name for name in table.columns if name.startswith("label_")]


def test_the_metadata_say_what_was_left_out_and_where_it_came_from(exported):
    folder, facts, _ = exported
    saved = read_json(folder / "dataset_metadata.json")
    assert (saved["omitted"], saved["symbol"], saved["timeframes"]) == (["trends"], "EXPORT", ["15m", "4h", "1d"])
    assert saved["feature_hashes"]["15m"] == saved["feature_hashes"]["1d"]
    assert saved["purged_bars"] == 12
    assert [name.rsplit("/", 1)[-1] for name in facts["files"]] == [
        "train_data.h5", "val_data.h5", "test_data.h5", "dataset_metadata.json", "feature_scalers.json",
    ]  # fmt: skip


def test_csv_files_hold_what_the_hdf5_files_hold(bars_file, exported, tmp_path):
    _, _, tables = exported
    export_csv(recipe(bars_file), tmp_path, tmp_path / "out", scaled=True)
    for part in PARTS:
        table = pd.read_csv(tmp_path / "out" / f"{part}_data.csv", parse_dates=["timestamp"])
        pd.testing.assert_frame_equal(
            table.drop(columns="timestamp"), tables[part, "/15m"].drop(columns="timestamp"), check_exact=True
        )


def test_training_on_an_export_reads_its_bars_and_does_not_scale_twice(bars_file, tmp_path):
    export_hdf5(recipe(bars_file), tmp_path, tmp_path / "out", [], scaled=True)
    again = load_recipe(
        "tradernet",
        [
            f"data={tmp_path}/out/train_data.h5",
            "data.key=/15m",
            "features.set=own",
            "features.columns=[rsi,rsi_scaled]",
            "features.omit=[]",
        ],
    )
    dataset = prepare(again, tmp_path)
    assert dataset.facts["scaled_in_file"] == ["rsi_scaled"]
    table = pd.read_hdf(tmp_path / "out" / "train_data.h5", "/15m")
    np.testing.assert_array_equal(dataset.market.features[:, 1], table["rsi_scaled"].to_numpy(np.float32))
    assert dataset.scaler.scale[1] == 1.0
    assert dataset.scaler.scale[0] != 1.0


def test_columns_of_one_s_own_stay_with_the_bars_that_they_were_made_for(bars_file, tmp_path):
    facts = export_hdf5(recipe(bars_file, "features.columns=[mood]"), tmp_path, tmp_path / "both", [])
    assert "mood_feature" in facts["columns"]["15m"]
    assert not [name for name in facts["columns"]["4h"] if name.startswith("mood")]
    alone = load_recipe("tradernet", [f"data={bars_file}", "features.set=own", "features.columns=[mood]", "features.omit=[]"])
    told = export_hdf5(alone, tmp_path, tmp_path / "alone", ["4h"])
    assert told["columns"]["4h"] == ["timestamp", "open", "high", "low", "close", "volume", "trades"]
    assert "/4h holds bars alone" in told["notes"][0]


def test_a_usual_timeframe_that_the_bars_cannot_make_is_left_out_and_said_and_a_named_one_refused(tmp_path):
    path = tmp_path / "made_SHORT_1h.parquet"
    regime_bars(RegimeParams(n_bars=4_000, timeframe="1h"), 1).bars.to_parquet(path, index=False)
    facts = export_hdf5(recipe(path), tmp_path, tmp_path / "out", [])
    assert facts["timeframes"] == ["1h", "4h"]
    assert "/1d is left out" in facts["notes"][0]
    with pytest.raises(DataError):
        export_hdf5(recipe(path), tmp_path, tmp_path / "named", ["1d"])
    with pytest.raises(ConfigError, match="bars of 1h make none of 15m; allowed: whole multiples of 1h"):
        export_hdf5(recipe(path), tmp_path, tmp_path / "named", ["15m"])
    assert not (tmp_path / "named").exists()


def test_an_export_is_replaced_only_where_asked_for(bars_file, tmp_path):
    export_csv(recipe(bars_file), tmp_path, tmp_path / "out")
    with pytest.raises(DataError, match="holds a data export already; allowed: another folder, or --force"):
        export_csv(recipe(bars_file), tmp_path, tmp_path / "out")
    export_csv(recipe(bars_file), tmp_path, tmp_path / "out", force=True)
