import json

import numpy as np
import pandas as pd
import pytest

from seawall.core.bars import bars_digest
from seawall.core.errors import ConfigError, DataError
from seawall.market.checks.quality import QualityParams, apply_quality, check_bars
from seawall.market.storage.store import Store

DROP = QualityParams(bad_bars="drop", gaps="bridge")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "data")


def _import(store, bars, *, params=DROP, source="binance", symbol="BTCUSDT", origin="raw/dump.csv", overwrite=False):
    passed, report = apply_quality(bars, params)
    return store.import_bars(passed, report, source=source, symbol=symbol, origin=origin, overwrite=overwrite)


def test_what_is_imported_is_loaded_by_reference_and_by_path(store, bars):
    bars = bars.assign(trades=5.0)
    stored = _import(store, bars)
    assert stored.status == "imported"
    for reference in ("binance/BTCUSDT/1h", str(stored.folder)):
        assert store.has(reference)
        loaded, manifest = store.load(reference)
        pd.testing.assert_frame_equal(loaded, bars)
        assert manifest == stored.manifest


def test_the_manifest_says_what_the_series_is_and_holds_no_path(store, bars):
    manifest = _import(store, bars.drop(index=[5, 6, 30]), origin="/somewhere/private/dump.csv").manifest
    expected = {"source": "binance", "symbol": "BTCUSDT", "timeframe": "1h", "rows": 45, "gaps": 2, "origin": "dump.csv"}
    assert {name: manifest[name] for name in expected} == expected
    assert (manifest["first"], manifest["last"]) == ("2024-01-01T00:00:00Z", "2024-01-02T23:00:00Z")
    assert manifest["columns"] == ["timestamp", "open", "high", "low", "close", "volume"]
    assert manifest["quality"]["missing"] == 3
    assert "private" not in json.dumps(manifest)


def test_bars_set_aside_are_kept_beside_the_others(store, bars):
    bars.loc[4, "close"] = np.nan
    folder = _import(store, bars).folder
    quarantine = pd.read_parquet(folder / "quarantine.parquet")
    assert quarantine[["row", "kind", "high"]].to_numpy().tolist() == [[4, "non_finite", 105.0]]
    assert sorted(path.name for path in folder.iterdir()) == ["bars.parquet", "manifest.json", "quarantine.parquet"]


def test_importing_the_same_bars_again_changes_nothing(store, bars):
    first = _import(store, bars)
    before = {path.name: path.stat().st_mtime_ns for path in first.folder.iterdir()}
    again = _import(store, bars, origin="other.csv")
    assert again.status == "unchanged"
    assert {path.name: path.stat().st_mtime_ns for path in again.folder.iterdir()} == before


def test_other_bars_under_the_same_name_need_overwrite(store, bars):
    _import(store, bars)
    longer = bars.assign(close=bars["close"] + 0.5)
    with pytest.raises(ConfigError, match=r"already holds 48 bars of binance/BTCUSDT.*allowed: another symbol, or overwrite"):
        _import(store, longer)
    assert bars_digest(store.load("binance/BTCUSDT/1h")[0]) == bars_digest(bars)
    assert _import(store, longer, overwrite=True).status == "replaced"
    assert bars_digest(store.load("binance/BTCUSDT/1h")[0]) == bars_digest(longer)


def test_symbols_that_come_to_the_same_folder_are_told_apart(store, bars):
    _import(store, bars, symbol="BTC:USDT")
    with pytest.raises(ConfigError, match=r"already holds 48 bars of binance/BTC:USDT.*BTC-USDT comes to the same folder"):
        _import(store, bars, symbol="BTC-USDT", overwrite=True)


def test_a_pair_is_the_same_series_with_and_without_its_slash(store, bars):
    assert _import(store, bars, symbol="BTC/USDT").folder.parts[-2] == "BTCUSDT"
    assert _import(store, bars, symbol="BTCUSDT").status == "unchanged"


def test_a_symbol_with_a_slash_is_one_folder_and_found_by_its_own_name(store, bars):
    stored = _import(store, bars, symbol="BTC/USDT:USDT")
    assert stored.folder.relative_to(store.root).parts == ("binance", "BTCUSDT-USDT", "1h")
    assert store.load("binance/BTC/USDT:USDT/1h")[1]["symbol"] == "BTC/USDT:USDT"


@pytest.mark.parametrize("name", ["", "..", ".", " / "])
def test_names_that_leave_the_store_are_refused(store, bars, name):
    with pytest.raises(ConfigError, match="cannot name a folder"):
        _import(store, bars, symbol=name)


def test_altered_bars_are_refused(store, bars):
    folder = _import(store, bars).folder
    bars.loc[7, "close"] += 1e-9
    bars.to_parquet(folder / "bars.parquet", index=False)
    with pytest.raises(DataError, match=r"bars\.parquet was altered since it was stored"):
        store.load("binance/BTCUSDT/1h")


@pytest.mark.parametrize("content", [b"", b"PAR1 nothing"])
def test_broken_bars_are_refused(store, bars, content):
    folder = _import(store, bars).folder
    (folder / "bars.parquet").write_bytes(content)
    with pytest.raises(DataError, match=r"bars\.parquet cannot be read"):
        store.load("binance/BTCUSDT/1h")


def test_bars_without_a_column_are_refused(store, bars):
    folder = _import(store, bars).folder
    bars.drop(columns="volume").to_parquet(folder / "bars.parquet", index=False)
    with pytest.raises(DataError, match="cannot be read"):
        store.load("binance/BTCUSDT/1h")


@pytest.mark.parametrize(
    ("content", "match"), [("{", "not readable JSON"), ("[]", "has no schema"), ('{"schema": 1}', "has no source")]
)
def test_a_broken_manifest_is_refused(store, bars, content, match):
    folder = _import(store, bars).folder
    (folder / "manifest.json").write_text(content)
    with pytest.raises(DataError, match=match):
        store.load("binance/BTCUSDT/1h")


def test_a_manifest_of_a_later_version_is_refused(store, bars):
    folder = _import(store, bars).folder
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "schema": 99}))
    with pytest.raises(DataError, match="has schema 99; this version reads 1"):
        store.load("binance/BTCUSDT/1h")


@pytest.mark.parametrize("reference", ["binance/ETHUSDT/1h", "nowhere", "a/b", "binance/BTCUSDT/never"])
def test_an_unknown_reference_names_what_is_stored(store, bars, reference):
    _import(store, bars)
    assert not store.has(reference)
    with pytest.raises(DataError, match=r"no stored series .*stored: binance/BTCUSDT/1h"):
        store.load(reference)


def test_series_are_listed_in_order_with_their_references(store, bars):
    assert store.list() == []
    _import(store, bars, symbol="ETHUSDT")
    _import(store, bars, symbol="BTCUSDT")
    (store.root / "binance" / "BTCUSDT" / ".1h-half").mkdir()
    (store.root / "binance" / "BTCUSDT" / ".1h-half" / "manifest.json").write_text("{}")
    assert [entry["reference"] for entry in store.list()] == ["binance/BTCUSDT/1h", "binance/ETHUSDT/1h"]


def test_bars_that_were_only_checked_are_not_stored(store, bars):
    with pytest.raises(DataError, match="not passed by a quality policy"):
        store.import_bars(bars, check_bars(bars), source="binance", symbol="BTCUSDT", origin="x.csv")


def test_a_full_disk_leaves_the_older_series_whole(store, bars, monkeypatch):
    _import(store, bars)

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    with pytest.raises(DataError, match="no room left"):
        _import(store, bars.assign(close=bars["close"] + 0.5), overwrite=True)
    assert bars_digest(store.load("binance/BTCUSDT/1h")[0]) == bars_digest(bars)
    assert [path.name for path in (store.root / "binance" / "BTCUSDT").iterdir()] == ["1h"]
