"""Series in files, folders and globs: which files belong together, and their names."""

from __future__ import annotations

import zipfile

import numpy as np
import pandas as pd
import pytest

from fakes.sources import hourly
from seawall.core.bars import bars_digest
from seawall.core.errors import ConfigError, DataError
from seawall.market.checks.quality import QualityParams, apply_quality
from seawall.market.files import read_bars
from seawall.market.formats.dialects import BINANCE_DUMP_COLUMNS
from seawall.market.formats.tables import write_tables
from seawall.market.sources.files import find_series, search
from seawall.market.storage.store import Store


def names(series):
    return [(one.source, one.symbol, one.timeframe, one.key, len(one.paths)) for one in series]


def dump(path, bars, header=False):
    """Write bars as Binance publishes them: zipped, twelve columns, no header."""
    times = bars["timestamp"].dt.tz_localize(None).to_numpy("datetime64[ms]").astype(np.int64)
    table = pd.DataFrame({"open_time": times, **{name: bars[name] for name in ("open", "high", "low", "close", "volume")}})
    table = table.assign(
        close_time=times + 3_599_999, quote_volume=1.5, trades=3, taker_buy_base=0.5, taker_buy_quote=0.75, ignore=0
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(path.name.replace(".zip", ".csv"), table[list(BINANCE_DUMP_COLUMNS)].to_csv(index=False, header=header))


def test_monthly_dumps_become_one_series_with_every_column(tmp_path):
    bars = hourly(90)
    for month, rows in (("2024-03", slice(60, 90)), ("2024-01", slice(0, 30)), ("2024-02", slice(30, 60))):
        dump(tmp_path / f"BTCUSDT-1h-{month}.zip", bars.iloc[rows], header=month == "2024-02")
    (series,) = find_series([str(tmp_path / "BTCUSDT-1h-*.zip")])
    assert names([series]) == [("binance", "BTCUSDT", "1h", None, 3)]
    assert series.origin == "BTCUSDT-1h-2024-01.zip to BTCUSDT-1h-2024-03.zip (3 files)"
    found = series.read()
    assert bars_digest(found[list(bars.columns)]) == bars_digest(bars)
    assert found["trades"].tolist() == [3.0] * 90


def test_dumps_that_overlap_have_each_bar_once_and_their_month_s_disorder_stays_seen(tmp_path):
    bars = hourly(60)
    dump(tmp_path / "BTCUSDT-1h-2024-01.zip", bars.iloc[:40])
    dump(tmp_path / "BTCUSDT-1h-2024-02.zip", bars.iloc[30:])
    assert bars_digest(find_series([str(tmp_path)])[0].read()[list(bars.columns)]) == bars_digest(bars)
    dump(tmp_path / "BTCUSDT-1h-2024-02.zip", bars.iloc[[*range(40, 60)][::-1]])
    times = find_series([str(tmp_path)])[0].read()["timestamp"]
    assert not times.is_monotonic_increasing


def test_a_column_that_not_every_file_has_is_left_out_and_said(tmp_path):
    bars = hourly(60)
    dump(tmp_path / "BTCUSDT-1h-2024-01.zip", bars.iloc[:30])
    bars.iloc[30:].to_csv(tmp_path / "BTCUSDT-1h-2024-02.csv", index=False)
    found = find_series([str(tmp_path)])[0].read()
    assert list(found.columns) == list(bars.columns)
    assert "column trades is left out: not every one of the 2 files has it" in found.attrs["notes"]


def test_a_folder_is_searched_with_those_below_it_and_what_is_no_file_of_bars_is_told(tmp_path):
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    hourly(20).to_parquet(deep / "binance_BTCUSDT_1h.parquet")
    hourly(20).to_feather(tmp_path / "ETH_USDT-1h.feather")
    hourly(20).to_csv(tmp_path / "binance_BTCUSDT_1m_202407.csv", index=False)
    (tmp_path / ".hidden.csv").write_text("x")
    (tmp_path / "notes.txt.gz.sig").write_text("x")
    (tmp_path / "README.md").write_text("x")
    found = search([str(tmp_path)])
    assert names(found.series) == [
        ("binance", "BTCUSDT", "1h", None, 1),
        ("binance", "BTCUSDT_202407", "1m", None, 1),
        ("freqtrade", "ETH_USDT", "1h", None, 1),
    ]
    assert found.skipped == ["README.md", "notes.txt.gz.sig"]
    assert names(find_series([str(tmp_path / "**" / "*.parquet")])) == [("binance", "BTCUSDT", "1h", None, 1)]
    # A file that is named twice, or also found, is one file.
    assert len(find_series([str(tmp_path), str(deep / "binance_BTCUSDT_1h.parquet")])) == 3


@pytest.mark.parametrize(
    ("file", "keys", "wanted"),
    [
        ("made.h5", ["/15m", "/4h"], [("files", "made", "15m"), ("files", "made", "4h")]),
        ("binance_BTCUSDT.h5", ["/15m"], [("binance", "BTCUSDT", "15m")]),
        ("made.h5", ["/BTCUSDT/15m", "/ETHUSDT/15m"], [("files", "BTCUSDT", "15m"), ("files", "ETHUSDT", "15m")]),
        ("made.h5", ["/kraken/BTCUSD/1h"], [("kraken", "BTCUSD", "1h")]),
        ("made.h5", ["/BTCUSDT_1h"], [("files", "BTCUSDT", "1h")]),
        ("made.H5", ["/1h"], [("files", "made", "1h")]),
        ("BTC_USDT-1h.h5", ["/BTC_USDT/ohlcv/tf_1h"], [("freqtrade", "BTC_USDT", "1h")]),
        (
            "x.h5",
            ["/BTC/USDT/ohlcv/tf_1h", "/ETH/USDT_USDT/ohlcv/tf_5m"],
            [("freqtrade", "BTC_USDT", "1h"), ("freqtrade", "ETH_USDT_USDT", "5m")],
        ),
        ("made.h5", ["/bars"], [("files", "made", None)]),
        ("made.h5", ["/first", "/second"], [("files", "made_first", None), ("files", "made_second", None)]),
        ("binance_BTCUSDT_1h.h5", ["/bars"], [("binance", "BTCUSDT", "1h")]),
    ],
)
def test_each_table_of_an_hdf5_file_is_a_series_named_by_its_key(tmp_path, file, keys, wanted):
    write_tables(tmp_path / "made.h5", {key: hourly(20, first=place) for place, key in enumerate(keys)})
    (tmp_path / "made.h5").rename(tmp_path / file)
    found = find_series([str(tmp_path / file)])
    assert [(one.source, one.symbol, one.timeframe) for one in found] == wanted
    assert [bars_digest(one.read()) for one in found] == [bars_digest(hourly(20, first=keys.index(str(one.key)))) for one in found]


def test_files_of_one_name_are_kept_from_the_store_by_their_paths_and_can_be_looked_at(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        hourly(20).to_parquet(tmp_path / folder / "binance_BTCUSDT_1h.parquet")
    hourly(20).to_parquet(tmp_path / "binance_ETHUSDT_1h.parquet")
    found = search([str(tmp_path)])
    assert [one.symbol for one in found.series] == ["ETHUSDT"]
    paths = [str(tmp_path / folder / "binance_BTCUSDT_1h.parquet") for folder in ("a", "b")]
    assert [origin for origin, _ in found.refused] == paths
    assert f"{paths[0]} and {paths[1]} both come to the series binance/BTCUSDT/1h" in str(found.refused[0][1])
    seen = find_series([str(tmp_path)])
    assert [one.origin for one in seen] == [*paths, "binance_ETHUSDT_1h.parquet"]
    assert [len(one.read()) for one in seen] == [20, 20, 20]


def test_what_the_user_types_may_be_hidden_or_lead_upwards_and_what_a_walk_finds_may_not(tmp_path, monkeypatch):
    for folder in (".bars", ".bars/.cache", "here", "bars"):
        (tmp_path / folder).mkdir()
        hourly(20).to_parquet(tmp_path / folder / f"binance_{folder[-3:].upper()}_1h.parquet")
    monkeypatch.chdir(tmp_path / "here")
    wanted = {
        "../bars/*.parquet": ["ARS"],
        "../.bars/*.parquet": ["ARS"],
        "../.b*/*.parquet": ["ARS"],
        "../.bars": ["ARS"],
        "..": ["ARS", "ERE"],
        "../**/*.parquet": ["ARS", "ERE"],
        "../.bars/.cache/*": ["CHE"],
    }
    assert {target: [one.symbol for one in find_series([target])] for target in wanted} == wanted


def test_a_folder_that_holds_the_store_gives_what_is_not_stored_yet(tmp_path):
    store = Store(tmp_path / "data")
    bars, report = apply_quality(hourly(30), QualityParams())
    folder = store.import_bars(bars, report, source="binance", symbol="BTCUSDT", origin="x.csv").folder
    hourly(5).to_parquet(folder / "quarantine.parquet")
    hourly(20).to_parquet(tmp_path / "binance_ETHUSDT_1h.parquet")
    found = search([str(tmp_path)], held=tmp_path / "data")
    assert [one.symbol for one in found.series] == ["ETHUSDT"]
    assert found.skipped == ["binance/BTCUSDT/1h (stored already)"]
    # Another store's series keep their names.
    wanted = [("binance", "BTCUSDT", "1h"), ("binance", "ETHUSDT", "1h")]
    assert [(one.source, one.symbol, one.timeframe) for one in search([str(tmp_path)], held=tmp_path / "mine").series] == wanted
    assert [one.origin for one in find_series([str(tmp_path / "data")])] == ["binance/BTCUSDT/1h/bars.parquet"]
    with pytest.raises(DataError, match=r"no file of bars.*BTCUSDT/1h \(stored already\)"):
        search([str(tmp_path / "data")], held=tmp_path / "data")


def test_labels_and_text_of_another_kind_are_passed_over_in_a_folder(tmp_path):
    write_tables(tmp_path / "made.h5", {"/15m": hourly(20), "/15m_labels": hourly(20)[["timestamp"]]})
    hourly(20).to_parquet(tmp_path / "made_15m_labels.parquet")
    (tmp_path / "README.txt").write_text("timestamps are in UTC\n")
    hourly(20).to_csv(tmp_path / "bars.txt", index=False)
    found = search([str(tmp_path)])
    assert [one.origin for one in found.series] == ["bars.txt", "made.h5 /15m"]
    assert found.skipped == ["README.txt", "made.h5 /15m_labels (labels)", "made_15m_labels.parquet (labels)"]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("none.csv", "no file .*none.csv"),
        ("*.zip", r"no file .*\*\.zip"),
        ("empty", "holds no file of bars"),
        ("words.txt.md", r"suffix '\.md'"),
    ],
)
def test_a_target_that_leads_to_nothing_is_refused_by_name(tmp_path, target, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "words.txt.md").write_text("x")
    with pytest.raises(DataError, match=message):
        find_series([str(tmp_path / target)])


def test_no_target_is_refused():
    with pytest.raises(ConfigError, match="there is no file to read"):
        find_series([])


def test_files_that_were_scaled_differently_are_not_joined(tmp_path):
    bars = hourly(60).assign(x=1.0)
    for month, part, method in (("2024-01", bars.iloc[:30], "minmax"), ("2024-02", bars.iloc[30:], "robust")):
        scaled = part.reset_index(drop=True)
        scaled.attrs["seawall_scaling"] = {"method": method, "columns": ["x"]}
        write_tables(tmp_path / f"BTCUSDT-1h-{month}.parquet", {"": scaled})
    (series,) = find_series([str(tmp_path)])
    with pytest.raises(DataError, match="were scaled differently"):
        series.read()


@pytest.mark.parametrize("column", ["symbol", "Tic", "<TICKER>"])
@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".feather"])
def test_a_file_of_several_symbols_below_each_other_is_as_many_series(tmp_path, suffix, column):
    parts = {"AAA": hourly(20), "BBB": hourly(30, seed=1)}
    table = pd.concat([bars.assign(**{column: name}) for name, bars in parts.items()], ignore_index=True)
    write_tables(tmp_path / f"panel{suffix}", {"": table.sample(frac=1.0, random_state=0).sort_values("timestamp", kind="stable")})
    found = find_series([str(tmp_path / f"panel{suffix}")])
    assert [(one.symbol, one.origin) for one in found] == [(name, f"panel{suffix} {name}") for name in parts]
    assert [bars_digest(one.read()) for one in found] == [bars_digest(bars) for bars in parts.values()]


def several(suffix, path):
    """Write the bars of two symbols below each other, hour by hour."""
    parts = {"AAA": hourly(20), "BBB": hourly(30, seed=1)}
    table = pd.concat([bars.assign(symbol=name) for name, bars in parts.items()]).sort_values("timestamp", kind="stable")
    if suffix == ".zip":
        with zipfile.ZipFile(path / "panel.zip", "w") as archive:
            archive.writestr("panel.csv", table.to_csv(index=False))
    else:
        write_tables(path / f"panel{suffix}", {"/1h": table})
    return parts


def test_a_zip_of_several_symbols_is_as_many_series(tmp_path):
    parts = several(".zip", tmp_path)
    found = find_series([str(tmp_path)])
    assert [one.symbol for one in found] == list(parts)
    assert [bars_digest(one.read()) for one in found] == [bars_digest(bars) for bars in parts.values()]


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".zip", ".h5"])
def test_several_symbols_are_not_read_as_the_bars_of_one(tmp_path, suffix):
    several(suffix, tmp_path)
    with pytest.raises(DataError, match=r"holds 2 symbols below each other \(AAA, BBB\); needed: one symbol a table"):
        read_bars(tmp_path / f"panel{suffix}")


def test_a_column_of_one_symbol_is_ignored_and_said(tmp_path):
    hourly(20).assign(symbol="AAA").to_csv(tmp_path / "binance_BTCUSDT_1h.csv", index=False)
    (series,) = find_series([str(tmp_path)])
    assert series.symbol == "BTCUSDT"
    assert series.read().attrs["notes"] == ["columns not known here are ignored: symbol"]
