"""A corpus of malformed zips, HDF5 files, dumps, folders, panels, manifests and settings: each is refused by name."""

import hashlib
import importlib.util
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seawall.core.errors import ConfigError, DataError
from seawall.core.timeframe import Timeframe
from seawall.market.checks.quality import QualityParams, apply_quality
from seawall.market.files import read_bars
from seawall.market.formats.tables import read_tables
from seawall.market.hours.specs import load_markets
from seawall.market.panel import Panel, align
from seawall.market.resample import resample
from seawall.market.sources.files import find_series
from seawall.market.storage.store import Store
from seawall.market.synthetic.config import load_config

h5py = pytest.importorskip("h5py", reason="HDF5 files need the hdf5 extra")

HEADER = "timestamp,open,high,low,close,volume"
START_MS = 1_704_067_200_000


def frame(rows=48, start=START_MS, step=3_600_000):
    close = 100.0 + np.arange(rows)
    times = pd.DatetimeIndex((start + step * np.arange(rows)).astype("datetime64[ms]"), tz="UTC")
    prices = {"open": close - 1, "high": close + 1, "low": close - 2, "close": close, "volume": 10.0}
    return pd.DataFrame({"timestamp": times, **prices})


def csv(rows=48, start=START_MS):
    return frame(rows, start).to_csv(index=False).encode()


def dump(counts):
    """Lines as Binance publishes them: twelve columns without a header."""
    lines = [f"{count},1,2,0.5,1.5,10,{count + 3_599_999},15,3,5,7,0" for count in counts]
    return ("\n".join(lines) + "\n").encode()


def zipped(*members, method=zipfile.ZIP_DEFLATED):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return held.getvalue()


def with_bytes(content, place, changed):
    return content[:place] + changed + content[place + len(changed) :]


def encrypted(content):
    """The flag of encryption set in both headers of a zip of one file."""
    central = content.index(b"PK\x01\x02")
    flagged = with_bytes(content, 6, struct.pack("<H", 1))
    return with_bytes(flagged, central + 8, struct.pack("<H", 1))


def stored_byte_flipped():
    content = zipped(("x.csv", csv()), method=zipfile.ZIP_STORED)
    return with_bytes(content, content.index(b"101.0"), b"901.0")


def unknown_method():
    content = zipped(("x.csv", csv()))
    central = content.index(b"PK\x01\x02")
    return with_bytes(with_bytes(content, 8, struct.pack("<H", 99)), central + 10, struct.pack("<H", 99))


def claims_little():
    """A zip whose directory says that it unpacks to less than it does."""
    content = zipped(("x.csv", csv(2_000)))
    central = content.index(b"PK\x01\x02")
    return with_bytes(content, central + 24, struct.pack("<I", 100))


ZIPS = {
    "two files": (zipped(("a.csv", csv()), ("b.csv", csv())), "x.zip holds 2 files"),
    "no file": (zipped(), r"x\.zip holds 0 files"),
    "a folder alone": (zipped(("folder/", b"")), r"x\.zip holds 0 files"),
    "no table": (zipped(("readme.html", b"<html>")), r"x\.zip holds 'readme\.html'"),
    "a zip in a zip": (zipped(("x.zip", zipped(("x.csv", csv())))), r"x\.zip holds 'x\.zip'"),
    "an empty file": (zipped(("x.csv", b"")), r"x\.zip holds 'x\.csv', which is empty"),
    "a bomb": (zipped(("x.csv", b"0" * 50_000_000)), "would unpack"),
    "a bomb of sound lines": (zipped(("x.csv", HEADER.encode() + b"\n" + b"1704067200,1,2,1,1,1\n" * 2_000_000)), "would unpack"),
    "a password": (encrypted(zipped(("x.csv", csv()))), "is encrypted"),
    "a checksum that is wrong inside": (stored_byte_flipped(), "is a damaged zip: .*CRC"),
    "an unknown compression": (unknown_method(), "is a damaged zip"),
    "a size that is a lie": (claims_little(), r"x\.zip"),
    "only its first half": (zipped(("x.csv", csv()))[:300], "is a damaged zip"),
    "only its directory": (zipped(("x.csv", csv()))[-80:], r"x\.zip"),
    "a header alone": (zipped(("x.csv", HEADER.encode() + b"\n")), "has columns but no rows"),
    "no volume": (zipped(("x.csv", b"timestamp,open,high,low,close\n1704067200,1,2,1,1\n")), "no volume column"),
    "units of time that change": (
        zipped(("BTCUSDT-1h-2025-01.csv", dump([1_735_689_600_000, 1_735_693_200_000_000]))),
        "mixes units of time: row 0 .* row 1",
    ),
    "text among prices": (zipped(("x.csv", csv().replace(b"107.0", b"1o7.0", 1))), "which is no number"),
    "a path out of the folder": (zipped(("../../evil.html", b"x")), r"holds '\.\./\.\./evil\.html'"),
}


@pytest.mark.parametrize("case", ZIPS.values(), ids=ZIPS.keys())
def test_a_malformed_zip_is_refused_by_name(tmp_path, case):
    content, match = case
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(DataError, match=match) as refusal:
        read_bars(tmp_path / "x.zip")
    assert "x.zip" in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]


@pytest.mark.parametrize(("said", "match"), [("0" * 64, "is not the file that x.zip.CHECKSUM describes"), ("soon", "no SHA-256")])
def test_a_checksum_beside_a_zip_that_does_not_fit_is_refused(tmp_path, said, match):
    content = zipped(("x.csv", csv()))
    (tmp_path / "x.zip").write_bytes(content)
    (tmp_path / "x.zip.CHECKSUM").write_text(f"{hashlib.sha256(content).hexdigest()}  x.zip\n", encoding="utf-8")
    assert len(read_bars(tmp_path / "x.zip")) == 48
    (tmp_path / "x.zip.CHECKSUM").write_text(f"{said}  x.zip\n", encoding="utf-8")
    with pytest.raises(DataError, match=match):
        read_bars(tmp_path / "x.zip")


def hdf5(path, fill):
    with h5py.File(path, "w") as file:
        fill(file)


def pandas_hdf5(path, table, key="/1h", **how):
    pytest.importorskip("tables", reason="writing HDF5 needs the hdf5 extra")
    table.to_hdf(path, key=key, **how)


def records(file, rows, names=("timestamp", "open", "high", "low", "close", "volume")):
    file["bars"] = np.zeros(rows, dtype=[(name, "f8") for name in names])


def lengths_apart(file):
    file["close"], file["timestamp"] = np.ones(10), np.arange(9)
    for name in ("open", "high", "low", "volume"):
        file[name] = np.ones(10)


def truncated(path):
    pandas_hdf5(path, frame(5_000))
    path.write_bytes(path.read_bytes()[:-20_000])


def zeroed_middle(path):
    pandas_hdf5(path, frame(5_000))
    content = path.read_bytes()
    path.write_bytes(with_bytes(content, 1_200, bytes(3_000)))


def hostile_pickle(path):
    class Harm:
        def __reduce__(self):
            return os.mkdir, (str(path.with_name("harm")),)

    pandas_hdf5(path, frame(), format="table")
    with h5py.File(path, "a") as file:
        file["1h"].attrs["non_index_axes"] = np.bytes_(pickle.dumps(Harm(), protocol=0))


def external(path):
    hdf5(path.with_name("other.bin"), lambda file: file.create_dataset("close", data=np.ones(10)))
    with h5py.File(path, "w") as file:
        for name in ("open", "high", "low", "volume", "timestamp"):
            file[name] = np.ones(10)
        file["close"] = h5py.ExternalLink(str(path.with_name("other.bin")), "/close")


def claims_the_world(file):
    file.create_dataset("close", shape=(10**12,), dtype="f8", chunks=(1_000,))


HDF5 = {
    "magic and nothing else": (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100)), "cannot be read as HDF5"),
    "text called HDF5": (lambda path: path.write_bytes(csv()), r"named \.h5 but its content is text"),
    "Parquet called HDF5": (lambda path: frame().to_parquet(path), r"named \.h5 but its content is Parquet"),
    "its end cut off": (truncated, "cannot be read as HDF5"),
    "zeros in its middle": (zeroed_middle, r"x\.h5"),
    "no table": (lambda path: hdf5(path, lambda file: file.create_group("empty")), "holds no table"),
    "columns of two lengths": (lambda path: hdf5(path, lengths_apart), "columns of different lengths, 9 to 10"),
    "an array of two dimensions": (
        lambda path: hdf5(path, lambda file: file.create_dataset("bars", data=np.ones((10, 6)))),
        r"holds bars of shape \(10, 6\)",
    ),
    "records without a volume": (lambda path: hdf5(path, lambda file: records(file, 9, ["timestamp", "close"])), "no open, high"),
    "pandas bars without a volume": (lambda path: pandas_hdf5(path, frame().drop(columns="volume")), "has no volume column"),
    "a table without rows": (lambda path: hdf5(path, lambda file: records(file, 0)), "no rows"),
    "an index of two levels": (
        lambda path: pandas_hdf5(path, frame().set_index(["timestamp", "open"]), format="table"),
        "several levels",
    ),
    "text for prices": (lambda path: pandas_hdf5(path, frame().assign(close="soon"), format="table"), "row 0 has close = 'soon'"),
    "a pickle that would run": (hostile_pickle, "asks for the Python object"),
    "a column in another file": (external, "no close column"),
    "a claim of eight terabytes": (lambda path: hdf5(path, claims_the_world), "claims 8000000000000 bytes"),
    "a loop of groups": (
        lambda path: hdf5(path, lambda file: file.create_group("a").__setitem__("b", file["a"])),
        "holds no table",
    ),
    "several tables and no key": (
        lambda path: [pandas_hdf5(path, frame(), key) for key in ("/1h", "/4h")],
        "holds 2 tables: /1h, /4h; name one",
    ),
}
if importlib.util.find_spec("hdf5plugin") is None:
    HDF5["a packing that h5py lacks"] = (
        lambda path: pandas_hdf5(path, frame(500), format="table", complevel=9, complib="blosc"),
        r"1h/table is packed with blosc \(HDF5 filter 32001\).*pip install hdf5plugin.*ptrepack",
    )


@pytest.mark.filterwarnings("ignore")  # PyTables remarks on keys such as 1h.
@pytest.mark.parametrize("case", HDF5.values(), ids=HDF5.keys())
def test_a_malformed_hdf5_file_is_refused_by_name(tmp_path, case):
    make, match = case
    make(tmp_path / "x.h5")
    with pytest.raises(DataError, match=match) as refusal:
        read_bars(tmp_path / "x.h5")
    assert "x.h5" in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "harm").exists()


@pytest.mark.filterwarnings("ignore")  # PyTables remarks on keys such as 1h.
def test_categories_are_what_they_stand_for(tmp_path):
    text = pd.Categorical.from_codes([1, 0, -1] * 16, categories=["low", "high"])
    steps = pd.Categorical.from_codes([1, 0, -1] * 16, categories=[2.5, 7.5])
    pandas_hdf5(tmp_path / "x.h5", frame().assign(mood=text, step=steps), format="table")
    (table,) = read_tables(tmp_path / "x.h5").values()
    assert table["mood"].tolist() == ["high", "low", ""] * 16
    np.testing.assert_array_equal(table["step"], [7.5, 2.5, np.nan] * 16)
    assert len(read_bars(tmp_path / "x.h5")) == 48


def without_categories(path):
    pandas_hdf5(path, frame().assign(mood=pd.Categorical(["a", "b"] * 24)), format="table")
    with h5py.File(path, "a") as file:
        del file["1h/meta"]


@pytest.mark.filterwarnings("ignore")  # PyTables remarks on keys such as 1h.
def test_categories_whose_list_is_lost_are_refused(tmp_path):
    without_categories(tmp_path / "x.h5")
    with pytest.raises(DataError, match=r"the list of categories of .* is absent"):
        read_bars(tmp_path / "x.h5")


@pytest.mark.filterwarnings("ignore")  # PyTables remarks on keys such as 1h.
def test_a_file_of_blosc_is_read_when_it_was_written_anew_as_the_refusal_says(tmp_path):
    pandas_hdf5(tmp_path / "old.h5", frame(500), "/BTC/USDT/ohlcv/tf_1h", format="table", complevel=9, complib="blosc")
    repack = [sys.executable, "-c", "from tables.scripts.ptrepack import main; main()"]
    words = ["--complib", "zlib", "--complevel", "4", str(tmp_path / "old.h5"), str(tmp_path / "new.h5")]
    subprocess.run([*repack, *words], check=True, capture_output=True)
    (series,) = find_series([str(tmp_path / "new.h5")])
    assert (series.source, series.symbol, series.timeframe) == ("freqtrade", "BTC_USDT", "1h")
    assert len(series.read()) == 500


@pytest.mark.filterwarnings("ignore")  # PyTables remarks on keys such as 1h.
def test_a_key_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    pandas_hdf5(tmp_path / "x.h5", frame())
    with pytest.raises(DataError, match="no table /4h; its tables are /1h"):
        read_bars(tmp_path / "x.h5", key="/4h")


@pytest.mark.filterwarnings("ignore")  # PyTables remarks on keys such as 1h.
@pytest.mark.parametrize("suffix", [".h5", ".zip", ".csv.gz"])
def test_a_bad_bar_in_a_container_is_named_with_its_row(tmp_path, suffix):
    bars = frame()
    bars.loc[31, "low"] = -3.0
    path = tmp_path / f"x{suffix}"
    if suffix == ".h5":
        pandas_hdf5(path, bars)
    elif suffix == ".zip":
        path.write_bytes(zipped(("x.csv", bars.to_csv(index=False))))
    else:
        bars.to_csv(path, index=False)
    with pytest.raises(DataError, match=r"row 31 at 2024-01-02T07:00:00Z: not_positive \(low is -3\)"):
        apply_quality(read_bars(path), QualityParams())
    passed, report = apply_quality(read_bars(path), QualityParams(bad_bars="drop", gaps="bridge"))
    assert report.quarantined["row"].tolist() == [31]
    assert len(passed) == 47


def two_dumps(tmp_path, second):
    (tmp_path / "BTCUSDT-1h-2024-01.csv").write_bytes(dump([START_MS + 3_600_000 * row for row in range(10)]))
    (tmp_path / "BTCUSDT-1h-2024-02.csv").write_bytes(second)


def test_dumps_in_milliseconds_and_microseconds_join_into_one_series(tmp_path):
    two_dumps(tmp_path, dump([1_000 * (START_MS + 3_600_000 * row) for row in range(10, 20)]))
    (series,) = find_series([str(tmp_path)])
    bars, report = apply_quality(series.read(), QualityParams())
    assert (len(bars), report.gaps) == (20, 0)


def test_dumps_that_differ_in_a_bar_are_refused_with_the_bar(tmp_path):
    two_dumps(tmp_path, dump([START_MS + 3_600_000 * row for row in range(9, 20)]).replace(b",1.5,", b",1.25,", 1))
    (series,) = find_series([str(tmp_path)])
    with pytest.raises(DataError, match=r"differ in the bar of 2024-01-01T09:00:00Z: close is 1\.5 and 1\.25"):
        series.read()


TARGETS = {
    "an empty folder": (lambda folder: None, ".", "holds no file of bars"),
    "a folder of other things": (lambda folder: (folder / "a.docx").write_bytes(b"x"), ".", r"found a\.docx"),
    "a glob that meets nothing": (lambda folder: None, "*.parquet", "no file .*looked for"),
    "a name of another kind": (lambda folder: (folder / "a.docx").write_bytes(b"x"), "a.docx", r"suffix '\.docx'"),
    "hidden files alone": (lambda folder: (folder / ".a.csv").write_bytes(csv()), ".", "holds no file of bars"),
}


@pytest.mark.parametrize("case", TARGETS.values(), ids=TARGETS.keys())
def test_a_search_that_finds_no_clear_series_is_refused(tmp_path, case):
    make, target, match = case
    make(tmp_path)
    with pytest.raises(DataError, match=match):
        find_series([str(tmp_path / target)])


BROKEN = {
    "b.csv": (lambda path: path.write_bytes(b"a,b\n1,2\n"), r"b\.csv has no time, open"),
    "b.h5": (truncated, r"b\.h5 cannot be read as HDF5"),
    "b.H5": (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100)), r"b\.H5 cannot be read as HDF5"),
    "b.zip": (lambda path: path.write_bytes(zipped(("x.csv", csv()))[:300]), "is a damaged zip"),
    "b.parquet": (lambda path: path.write_bytes(b"PAR1PAR1"), "cannot be read"),
}


@pytest.mark.filterwarnings("ignore")  # PyTables remarks on keys such as 1h.
@pytest.mark.parametrize(("name", "case"), BROKEN.items(), ids=BROKEN.keys())
def test_one_broken_file_of_a_folder_is_named_and_the_others_are_read(tmp_path, name, case):
    make, match = case
    (tmp_path / "a.csv").write_bytes(csv())
    make(tmp_path / name)
    sound, broken = find_series([str(tmp_path)])
    assert len(sound.read()) == 48
    with pytest.raises(DataError, match=match):
        broken.read()


PANELS = {
    "bars of two lengths": (lambda: {"a": frame(), "b": frame(step=900_000)}, "a|b .*apart|off the grid"),
    "bars out of order": (lambda: {"a": frame(), "b": frame().iloc[::-1]}, "b row 1 at .* does not come after row 0"),
    "a bar twice": (
        lambda: {"a": frame(), "b": pd.concat([frame().head(3), frame().tail(46)])},
        "b row 3 at .*does not come after",
    ),
    "bars off the grid": (lambda: {"a": frame(), "b": frame(start=START_MS + 60_000)}, "b row 0 at .* off the grid of 1h"),
    "a symbol without bars": (lambda: {"a": frame(), "b": frame().head(0)}, "b of the panel has no bars"),
    "nothing in common": (lambda: {"a": frame(), "b": frame(start=START_MS + 10**10 * 36 // 10)}, "a|b"),
}


@pytest.mark.parametrize("rule", ["intersection", "forward_fill"])
@pytest.mark.parametrize("case", PANELS.values(), ids=PANELS.keys())
def test_series_that_make_no_panel_are_refused(case, rule):
    make, match = case
    with pytest.raises(DataError, match=match):
        align(make(), Timeframe(3_600), rule)


def test_a_stored_panel_that_lacks_a_column_or_whose_symbols_differ_is_refused():
    sound = align({"a": frame(), "b": frame()}, Timeframe(3_600)).to_frame()
    assert Panel.from_frame(sound, Timeframe(3_600)).symbols == ("a", "b")
    with pytest.raises(DataError, match="no column stale"):
        Panel.from_frame(sound.drop(columns="stale"), Timeframe(3_600))
    with pytest.raises(DataError, match="b has 47 bars at other times than the 48 of a"):
        Panel.from_frame(sound.head(95), Timeframe(3_600))


@pytest.mark.parametrize(
    "make",
    [lambda: frame().iloc[::-1], lambda: pd.concat([frame(), frame()]), lambda: frame().head(0), lambda: frame(2)],
    ids=["out of order", "every bar twice", "no bar", "less than one long bar"],
)
def test_bars_that_cannot_be_resampled_are_refused(make):
    with pytest.raises(DataError):
        resample(make(), Timeframe(3_600), Timeframe(14_400), partial="drop")


def stored(tmp_path):
    bars, report = apply_quality(frame(), QualityParams())
    store = Store(tmp_path)
    return store, store.import_bars(bars, report, source="files", symbol="A", origin="a.csv").folder


MANIFESTS = {
    "no JSON": (lambda text: text[:-20], "not readable JSON"),
    "a list": (lambda text: "[]", "has no schema, source"),
    "a number": (lambda text: "1", "has no schema"),
    "nested without end": (lambda text: "[" * 100_000, "not readable JSON"),
    "another schema": (lambda text: json.dumps({**json.loads(text), "schema": 99}), "has schema 99"),
    "no hash": (lambda text: text.replace("content_hash", "hash"), "has no content_hash"),
    "another hash": (lambda text: json.dumps({**json.loads(text), "content_hash": "0" * 64}), "was altered since"),
    "bytes that are no text": (lambda text: b"\xff\xfe\x00", "not readable JSON"),
}


@pytest.mark.parametrize("case", MANIFESTS.values(), ids=MANIFESTS.keys())
def test_a_damaged_manifest_is_refused_by_name(tmp_path, case):
    change, match = case
    store, folder = stored(tmp_path)
    path = folder / "manifest.json"
    changed = change(path.read_text(encoding="utf-8"))
    path.write_bytes(changed if isinstance(changed, bytes) else changed.encode())
    with pytest.raises(DataError, match=match):
        store.load("files/A/1h")


def test_stored_bars_that_were_altered_cut_or_removed_are_refused(tmp_path):
    store, folder = stored(tmp_path)
    path = folder / "bars.parquet"
    sound = path.read_bytes()
    frame().assign(close=1.0).to_parquet(path)
    with pytest.raises(DataError, match="was altered since it was stored"):
        store.load("files/A/1h")
    path.write_bytes(sound[:-40])
    with pytest.raises(DataError, match="cannot be read"):
        store.load("files/A/1h")
    frame().drop(columns="volume").to_parquet(path)
    with pytest.raises(DataError, match="cannot be read"):
        store.load("files/A/1h")
    path.unlink()
    with pytest.raises(DataError, match="cannot be read"):
        store.load("files/A/1h")


SETTINGS = {
    "an unknown key": ("x.yaml", "n_barz: 100", "unknown key n_barz .*did you mean n_bars"),
    "text for a number": ("x.yaml", "n_bars: many", "n_bars is 'many'"),
    "a negative length": ("x.json", '{"n_bars": -5}', "n_bars"),
    "a list": ("x.json", "[1, 2]", "holds a list"),
    "broken JSON": ("x.json", '{"n_bars": 5', "not readable JSON"),
    "broken YAML": ("x.yaml", "a: [1, 2", "not readable YAML"),
    "a key twice": ("x.json", '{"n_bars": 500, "n_bars": 600}', "a key twice"),
    "a Python object": ("x.yaml", "!!python/object/apply:os.system [ls]", "not readable YAML"),
    "a timeframe that is none": ("x.yaml", "timeframe: 7q", "timeframe"),
    "another suffix": ("x.toml", "a = 1", r"suffix '\.toml'"),
    "bytes that are no text": ("x.yaml", b"\xff\xfe\x00\x01", "cannot be read|not readable"),
    "brackets without end": ("x.json", "[" * 100_000, "not readable JSON"),
}


@pytest.mark.parametrize("case", SETTINGS.values(), ids=SETTINGS.keys())
def test_malformed_settings_of_a_made_market_are_refused(tmp_path, case):
    name, content, match = case
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError, match=match) as refusal:
        load_config(tmp_path / name)
    assert "\n" not in str(refusal.value)


MARKETS = {
    "a list": ("[1]", "allowed: one key, markets"),
    "broken YAML": ("markets: {a", "not readable YAML"),
    "a market that is text": ("markets:\n  ABC: tick", "market ABC is 'tick'"),
    "a negative tick": ("markets:\n  ABC: {tick_size: -1}", "ABC"),
    "an unknown key": ("markets:\n  ABC: {tick: 1}", "ABC"),
    "a parent that is none": ("markets:\n  ABC: {extends: NOPE}", "extends is 'NOPE'"),
}


@pytest.mark.parametrize("case", MARKETS.values(), ids=MARKETS.keys())
def test_a_malformed_file_of_markets_is_refused(tmp_path, case):
    content, match = case
    path = Path(tmp_path / "markets.yaml")
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=match) as refusal:
        load_markets(path)
    assert "\n" not in str(refusal.value)
