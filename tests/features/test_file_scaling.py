import json
import os

import numpy as np
import pandas as pd
import pytest

from seawall.core.errors import ConfigError, DataError
from seawall.features.scaling.file_scaler import FileScaler, FileScalingParams
from seawall.features.scaling.file_scaling import scale_files
from seawall.market.files import read_bars
from seawall.market.formats.tables import SCALING, read_tables, write_tables

OHLCV = ["open", "high", "low", "close", "volume"]
NO_METHOD: dict[str, object] = {"method": "mean"}
NO_ROWS: dict[str, object] = {"fitted_on": {"file": "bars.csv", "tables": {"": 5}}}
METHODS = ("minmax", "zscore", "robust")


def table(rows=40, seed=0, start=0):
    rng = np.random.default_rng(seed)
    close = 100.0 + np.arange(start, start + rows)
    prices = {"open": close - 1, "high": close + 1, "low": close - 2, "close": close, "volume": close / 10}
    times = pd.date_range("2024-01-01", periods=start + rows, freq="15min", tz="UTC")[start:].as_unit("ms")
    features = {"rsi": 10.0 * np.arange(start, start + rows), "macd": rng.normal(0, 3, rows)}
    others = {"label_up": rng.integers(0, 2, rows), "regime": ["calm"] * rows}
    return pd.DataFrame({"timestamp": times, **prices, **features, **others})


def only(path):
    return read_tables(path)[""]


def scaled(tmp_path, *targets, **params):
    return scale_files(targets or [tmp_path], FileScalingParams(**params), tmp_path / "out")


@pytest.mark.parametrize("ending", [".parquet", ".feather", ".csv"])
def test_a_file_alone_is_fitted_on_its_first_rows_and_nothing_else_changes(tmp_path, ending):
    source = tmp_path / f"bars{ending}"
    given = table()
    given.loc[3, "rsi"] = np.nan
    write_tables(source, {"": given})
    result = scaled(tmp_path, source, fit_share=0.5)
    made = only(tmp_path / "out" / f"bars_normalized{ending}")
    # The first 20 rows hold 0, 10, ... 190; later values reach 390 and are clipped at 2.
    expected = np.minimum(10.0 * np.arange(40) / 190.0, 2.0)
    expected[3] = np.nan
    np.testing.assert_allclose(made["rsi"], expected, rtol=1e-15)
    untouched = ["timestamp", *OHLCV, "label_up", "regime"]
    pd.testing.assert_frame_equal(made[untouched], only(source)[untouched])
    assert made.attrs[SCALING]["columns"] == ["rsi", "macd"]
    assert made.attrs[SCALING]["fitted_on"] == {"file": source.name, "rows": [0, 20], "last": "2024-01-01T04:45:00+00:00"}
    assert made.attrs[SCALING]["preserved"] == OHLCV
    assert [file.columns for file in result.files] == [{"": ["rsi", "macd"]}]


@pytest.mark.parametrize("method", METHODS)
def test_later_rows_change_nothing_in_the_saved_parameters(tmp_path, method):
    parameters = []
    for name in ("honest", "poisoned"):
        given = table()
        if name == "poisoned":
            given.loc[28:, ["rsi", "macd"]] = 1e9
        folder = tmp_path / name
        write_tables(folder / "bars.parquet", {"": given})
        scale_files([folder], FileScalingParams(method=method), folder / "out")
        parameters.append(json.loads((folder / "out" / "scaler.json").read_text()))
    assert parameters[0] == parameters[1]
    with_the_first_poisoned_row = FileScaler.fit(tmp_path / "poisoned" / "bars.parquet", FileScalingParams(method=method), 0.725)
    assert with_the_first_poisoned_row.tables[""].to_dict() != parameters[0]["tables"][""]


def test_the_training_file_scales_the_others_by_key(tmp_path):
    for number, part in enumerate(("train", "val", "test")):
        tables = {"/15m": table(20, start=20 * number), "/4h": table(10, start=10 * number)}
        write_tables(tmp_path / f"{part}_data.h5", tables)
    result = scaled(tmp_path, method="minmax", file_pattern="*.h5", clip=False)
    assert [file.fitted_on for file in result.files] == ["train_data.h5"] * 3
    made = {part: read_tables(tmp_path / "out" / f"{part}_data_normalized.h5") for part in ("train", "val", "test")}
    # 15m is fitted on 0..190, 4h on 0..90: one scaler a key.
    np.testing.assert_allclose(made["train"]["/15m"]["rsi"], np.arange(20) / 19, rtol=1e-15)
    np.testing.assert_allclose(made["val"]["/15m"]["rsi"], np.arange(20, 40) / 19, rtol=1e-15)
    np.testing.assert_allclose(made["test"]["/4h"]["rsi"], np.arange(20, 30) / 9, rtol=1e-15)
    assert made["test"]["/4h"].attrs[SCALING]["fitted_on"] == {
        "file": "train_data.h5",
        "rows": [0, 10],
        "last": "2024-01-01T02:15:00+00:00",
    }


def test_several_training_files_each_scale_their_own(tmp_path):
    for symbol, factor in (("BTC", 1.0), ("ETH", 5.0)):
        for part in ("train", "test"):
            write_tables(tmp_path / f"{symbol}_{part}.csv", {"": table().assign(rsi=lambda frame, by=factor: frame["rsi"] * by)})
    result = scaled(tmp_path)
    assert sorted(path.name for path in result.scalers) == ["BTC.scaler.json", "ETH.scaler.json"]
    assert {file.source.name: file.fitted_on for file in result.files}["ETH_test.csv"] == "ETH_train.csv"
    assert FileScaler.load(tmp_path / "out" / "ETH.scaler.json").tables[""].scale[0] == 5 * 390.0


def test_saved_parameters_scale_another_file_to_the_same_values(tmp_path):
    write_tables(tmp_path / "bars.parquet", {"": table()})
    write_tables(tmp_path / "same.parquet", {"": table()})
    scaled(tmp_path, tmp_path / "bars.parquet", method="robust")
    result = scaled(tmp_path, tmp_path / "same.parquet", fit=tmp_path / "out" / "scaler.json")
    first, second = (only(tmp_path / "out" / f"{name}_normalized.parquet") for name in ("bars", "same"))
    pd.testing.assert_frame_equal(first, second)
    assert [(file.method, file.fitted_on) for file in result.files] == [("robust", "bars.parquet")]
    with pytest.raises(ConfigError, match=r"method is 'zscore', and .*scaler\.json was fitted with 'robust'"):
        scaled(tmp_path, tmp_path / "same.parquet", fit=tmp_path / "out" / "scaler.json", method="zscore", suffix="_b")
    loaded = FileScaler.load(tmp_path / "out" / "scaler.json")
    loaded.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "out" / "scaler.json").read_bytes()


def test_a_training_file_named_by_hand_is_fitted_whole(tmp_path):
    write_tables(tmp_path / "old.csv", {"": table(10)})
    write_tables(tmp_path / "new.csv", {"": table(30)})
    scaled(tmp_path, tmp_path / "new.csv", fit=tmp_path / "old.csv", clip=False)
    assert only(tmp_path / "out" / "new_normalized.csv")["rsi"].max() == pytest.approx(29 / 9, rel=1e-15)
    assert not (tmp_path / "out" / "old_normalized.csv").exists()


def test_named_columns_alone_are_scaled_and_scaled_prices_are_told(tmp_path):
    write_tables(tmp_path / "bars.csv", {"": table()})
    result = scaled(tmp_path, columns=("rsi", "close"), preserve_columns=("open", "high", "low", "volume"))
    assert [file.columns[""] for file in result.files] == [["close", "rsi"]]
    assert "close are scaled" in result.remarks[0]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"columns": ("rsii",)}, "no column rsii"),
        ({"columns": ("label_up",)}, "labels"),
        ({"columns": ("timestamp",)}, "times and labels"),
        ({"columns": ("close",)}, "columns and preserve_columns both have close"),
        ({"columns": ("regime",)}, "only numbers"),
    ],
)
def test_columns_that_cannot_be_scaled_are_refused(tmp_path, params, message):
    write_tables(tmp_path / "bars.parquet", {"": table()})
    with pytest.raises(ConfigError, match=message):
        scaled(tmp_path, **params)


def test_a_scaled_file_is_not_scaled_again(tmp_path):
    for ending in (".csv", ".parquet", ".feather"):
        write_tables(tmp_path / f"bars{ending}", {"": table()})
        scale_files([tmp_path / f"bars{ending}"], FileScalingParams(), tmp_path / f"out{ending}")
        with pytest.raises(DataError, match=rf"bars_normalized{ending} is scaled already \(minmax, fitted on bars"):
            scale_files([tmp_path / f"out{ending}"], FileScalingParams(), tmp_path / "twice")
    write_tables(tmp_path / "bars.h5", {"/15m": table(), "/4h": table()})
    scale_files([tmp_path / "bars.h5"], FileScalingParams(), tmp_path / "out.h5")
    with pytest.raises(DataError, match=r"bars_normalized\.h5 /15m is scaled already"):
        scale_files([tmp_path / "out.h5" / "bars_normalized.h5"], FileScalingParams(), tmp_path / "twice")
    assert not (tmp_path / "twice").exists()


@pytest.mark.parametrize("row", [5, 39])
def test_an_infinite_value_is_refused_by_file_row_and_column_even_after_the_fitted_rows(tmp_path, row):
    bad = table()
    bad.loc[row, "macd"] = np.inf
    write_tables(tmp_path / "bars.parquet", {"": bad})
    with pytest.raises(DataError, match=rf"bars\.parquet row {row} has macd = inf"):
        scaled(tmp_path)


def test_a_column_without_a_number_in_the_fitted_rows_is_refused(tmp_path):
    late = table()
    late.loc[:30, "macd"] = np.nan
    write_tables(tmp_path / "bars.parquet", {"": late})
    with pytest.raises(DataError, match="no number in column macd in its first 28 rows"):
        scaled(tmp_path)


def test_rows_that_are_not_in_order_of_time_are_refused(tmp_path):
    write_tables(tmp_path / "bars.csv", {"": table().iloc[::-1]})
    with pytest.raises(DataError, match="first rows are not the oldest"):
        scaled(tmp_path)


def test_other_columns_or_keys_than_the_training_file_are_refused_and_nothing_is_written(tmp_path):
    write_tables(tmp_path / "train.csv", {"": table()})
    write_tables(tmp_path / "val.csv", {"": table().drop(columns="macd")})
    with pytest.raises(DataError, match=r"val\.csv has columns rsi to scale; train\.csv.*rsi, macd"):
        scaled(tmp_path, file_pattern="*.csv")
    write_tables(tmp_path / "train.h5", {"/15m": table()})
    write_tables(tmp_path / "val.h5", {"/15m": table(), "/4h": table()})
    with pytest.raises(DataError, match=r"val\.h5 has tables /15m, /4h; train\.h5"):
        scaled(tmp_path, file_pattern="*.h5")
    assert not (tmp_path / "out").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_val_without_train_is_refused(tmp_path):
    write_tables(tmp_path / "val.csv", {"": table()})
    with pytest.raises(DataError, match="0 of them are training files"):
        scaled(tmp_path)


def test_existing_files_stay_unless_forced_and_inputs_always(tmp_path):
    write_tables(tmp_path / "bars.csv", {"": table()})
    scaled(tmp_path, tmp_path / "bars.csv")
    made = tmp_path / "out" / "bars_normalized.csv"
    before = made.read_bytes()
    with pytest.raises(ConfigError, match=r"bars_normalized\.csv is there already"):
        scaled(tmp_path, tmp_path / "bars.csv", method="zscore")
    assert made.read_bytes() == before
    scaled(tmp_path, tmp_path / "bars.csv", method="zscore", force=True)
    assert made.read_bytes() != before
    with pytest.raises(ConfigError, match="never overwritten"):
        scale_files([tmp_path / "bars.csv"], FileScalingParams(suffix="", force=True), tmp_path)


def test_a_move_that_fails_half_way_leaves_the_folder_as_it_was(tmp_path, monkeypatch):
    for name in ("a", "b"):
        write_tables(tmp_path / f"{name}.parquet", {"": table()})
    scaled(tmp_path)
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    real = os.replace

    def failing(source, target):
        if str(target).endswith(os.path.join("out", "b_normalized.parquet")) and ".older" not in str(source):
            raise PermissionError(13, "Permission denied")
        real(source, target)

    monkeypatch.setattr("seawall.features.scaling.file_scaling.os.replace", failing)
    with pytest.raises(DataError, match="cannot write"):
        scaled(tmp_path, method="zscore", force=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_nothing_to_scale_is_told(tmp_path):
    with pytest.raises(DataError, match=r"no file '\*\.h5' in folder"):
        scaled(tmp_path, file_pattern="*.h5")
    with pytest.raises(DataError, match="no file"):
        scaled(tmp_path, tmp_path / "absent.csv")
    write_tables(tmp_path / "bars.csv", {"": table()[["timestamp", *OHLCV, "label_up"]]})
    with pytest.raises(DataError, match="no column to scale"):
        scaled(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"tables": {"": {}}},
        {"fitted_on": {"file": "a"}},
        {"tables": 5},
        {"method": "mean"},
        {"fitted_on": {"file": "a", "tables": {"": 5}}},
    ],
)
def test_a_damaged_scaler_file_is_refused(tmp_path, change):
    write_tables(tmp_path / "bars.csv", {"": table()})
    scaled(tmp_path)
    path = tmp_path / "out" / "scaler.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError, match="scaler"):
        FileScaler.load(path)


def test_raw_amounts_of_a_bar_stay_as_they_are_unless_named(tmp_path):
    given = table().assign(trades=np.arange(40.0), taker_buy_base=1.0, quote_volume=2.0)
    write_tables(tmp_path / "bars.parquet", {"": given})
    assert [file.columns[""] for file in scaled(tmp_path).files] == [["rsi", "macd"]]
    made = only(tmp_path / "out" / "bars_normalized.parquet")
    pd.testing.assert_series_equal(made["trades"], given["trades"])


def test_scaled_prices_are_no_bars_and_other_scaled_amounts_are_left_out(tmp_path):
    write_tables(tmp_path / "bars.parquet", {"": table().assign(trades=np.arange(40.0))})
    result = scaled(tmp_path, preserve_columns=tuple(OHLCV))
    assert "trades are scaled" in result.remarks[0]
    bars = read_bars(tmp_path / "out" / "bars_normalized.parquet")
    assert "trades" not in bars.columns
    assert any("trades are scaled in the file and left out" in note for note in bars.attrs["notes"])
    scaled(tmp_path, preserve_columns=("open", "high", "low", "volume"), columns=("close",), suffix="_close", force=True)
    with pytest.raises(DataError, match=r"close are scaled .minmax., so these are no bars"):
        read_bars(tmp_path / "out" / "bars_close.parquet")


def parts_in_folders(root, names=("train", "val", "test")):
    for number, part in enumerate(names):
        write_tables(root / part / "market_15m.parquet", {"": table(10, seed=number, start=10 * number)})


def test_parts_in_folders_are_scaled_by_the_training_folder(tmp_path):
    parts_in_folders(tmp_path / "made")
    write_tables(tmp_path / "made" / "labels" / "train" / "market_15m.parquet", {"": table(10)[["timestamp", "label_up"]]})
    result = scale_files([tmp_path / "made"], FileScalingParams(recursive=True), tmp_path / "out")
    assert result.remarks[0] == "1 files, as labels/train/market_15m.parquet, have no column to scale and are left out"
    # Training rows hold 0, 10, ... 90.
    for number, part in enumerate(("train", "val")):
        made = only(tmp_path / "out" / part / "market_15m_normalized.parquet")
        np.testing.assert_allclose(
            made["rsi"], (10 * number + np.arange(10)) / 9.0 if number == 0 else np.minimum((10 + np.arange(10)) / 9, 2)
        )
    assert (
        sum(count for file in result.files for one in file.clipped.values() for name, count in one.items() if name == "rsi") == 11
    )
    assert any("far outside the training range" in remark for remark in result.remarks)


def test_a_val_or_test_folder_is_never_fitted_on_itself(tmp_path):
    parts_in_folders(tmp_path / "made")
    with pytest.raises(DataError, match="0 of them are training files"):
        scaled(tmp_path, tmp_path / "made" / "val")
    with pytest.raises(DataError, match=r"lies deeper, in .*: allowed: recursive"):
        scaled(tmp_path, tmp_path / "made")
    # A folder that merely has such a name, with no other part beside it, is a folder like any.
    parts_in_folders(tmp_path / "lone", names=("test",))
    assert len(scaled(tmp_path, tmp_path / "lone" / "test").files) == 1


def test_clipping_can_be_left_off_and_is_counted(tmp_path):
    write_tables(tmp_path / "bars.csv", {"": table()})
    assert scaled(tmp_path, fit_share=0.5).files[0].clipped[""]["rsi"] == 1
    result = scaled(tmp_path, fit_share=0.5, clip=False, suffix="_whole", force=True)
    assert result.files[0].clipped == {"": {}}
    assert only(tmp_path / "out" / "bars_whole.csv")["rsi"].max() == pytest.approx(390 / 190, rel=1e-12)


@pytest.mark.parametrize("pattern", ["/etc/*", "../*", ""])
def test_a_pattern_that_leaves_the_folder_is_refused(tmp_path, pattern):
    write_tables(tmp_path / "bars.csv", {"": table()})
    with pytest.raises((ConfigError, ValueError)):
        scaled(tmp_path, file_pattern=pattern)


def test_an_unknown_preserved_column_is_named(tmp_path):
    write_tables(tmp_path / "bars.csv", {"": table()})
    with pytest.raises(ConfigError, match="preserve_columns has clsoe, which no file has"):
        scaled(tmp_path, preserve_columns=("clsoe",))
    assert not (tmp_path / "out").exists()
