"""The verbs of ``seawall data`` as a user types them."""

import json

import numpy as np
import pandas as pd
import pytest

from seawall.core.timeframe import Timeframe
from seawall.market.resample import resample


@pytest.fixture
def store(tmp_path):
    return ("--data-dir", tmp_path / "data")


@pytest.fixture
def walk(seawall, tmp_path):
    """Two thousand bars of 5m in a file."""
    path = tmp_path / "made_WALK_5m.parquet"
    assert seawall("data", "synth", path, "--kind", "random_walk", "--bars", 2000, "--timeframe", "5m").code == 0
    return path


def test_one_checked_file_has_its_counts_at_the_top_and_in_the_list(seawall, walk, store):
    told = seawall("data", "check", walk, "--json", *store).json
    wanted = {"rows": 2000, "gaps": 0, "missing": 0, "duplicates": 0, "bad": 0, "zero_volume": 0}
    assert {name: told[name] for name in wanted} == wanted
    assert {name: told["series"][0][name] for name in wanted} == wanted
    assert (told["first"], told["last"]) == ("2020-01-01T00:00:00Z", "2020-01-07T22:35:00Z")


def test_a_check_writes_a_page_unless_told_not_to(seawall, walk, store, tmp_path):
    told = seawall("data", "check", walk, "--json", *store).json
    page = (tmp_path / "data" / "checks" / "made_WALK_5m.parquet.html").read_text()
    assert told["page"].endswith("made_WALK_5m.parquet.html")
    assert "<html" in page
    assert seawall("data", "check", walk, "--json", "--no-html", *store).json["page"] is None
    elsewhere = tmp_path / "deep" / "page.html"
    seawall("data", "check", walk, "--html", elsewhere, *store)
    assert elsewhere.is_file()


def test_several_series_are_compared_as_a_panel(seawall, walk, store, tmp_path):
    bars = pd.read_parquet(walk)
    bars.drop(index=[700, 701, 702]).to_parquet(tmp_path / "made_HOLED_5m.parquet")
    told = seawall("data", "check", tmp_path, "--json", "--no-html", *store).json
    assert [(series["gaps"], series["missing"]) for series in told["series"]] == [(1, 3), (0, 0)]
    assert (told["panel"]["common"], told["panel"]["union"]) == (1997, 2000)


def test_a_file_that_cannot_be_read_does_not_hide_the_others(seawall, walk, store, tmp_path):
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and nothing else")
    result = seawall("data", "check", tmp_path, "--json", "--no-html", *store)
    assert result.code == 2
    by_name = {series["name"]: series for series in result.json["series"]}
    assert by_name["made_WALK_5m.parquet"]["rows"] == 2000
    assert "broken.parquet" in by_name["broken.parquet"]["error"]


def test_a_bad_bar_ends_a_check_with_exit_code_2(seawall, walk, store):
    bars = pd.read_parquet(walk)
    bars.loc[700, "high"] = bars.loc[700, "low"] / 2
    bars.to_parquet(walk)
    result = seawall("data", "check", walk, "--json", *store)
    assert result.code == 2
    assert (result.json["bad"], result.json["bad_bars"][0]["row"]) == (1, 700)


def test_a_stored_series_is_checked_told_of_and_exported(seawall, walk, store, tmp_path):
    seawall("data", "import", walk, *store)
    assert seawall("data", "check", "made/WALK/5m", "--json", "--no-html", *store).json["rows"] == 2000
    info = seawall("data", "info", "made/WALK/5m", "--json", *store).json
    assert (info["rows"], info["origin"], info["problem"]) == (2000, "made_WALK_5m.parquet", None)
    assert seawall("data", "export", "made/WALK/5m", "--csv", tmp_path / "walk.csv", *store).code == 0
    assert seawall("data", "check", tmp_path / "walk.csv", "--json", "--no-html", *store).json["rows"] == 2000
    refused = seawall("data", "export", "made/WALK/5m", "--csv", tmp_path / "walk.csv", *store)
    assert refused.code == 2
    assert "--force" in refused.err


def test_an_altered_series_is_found_out(seawall, walk, store, tmp_path):
    seawall("data", "import", walk, *store)
    stored = tmp_path / "data" / "made" / "WALK" / "5m" / "bars.parquet"
    bars = pd.read_parquet(stored)
    bars.loc[3, "close"] *= 1.000001
    bars.to_parquet(stored)
    result = seawall("data", "info", "made/WALK/5m", *store)
    assert result.code == 2
    assert "altered" in result.err


def test_a_folder_is_imported_and_a_refused_series_keeps_no_other_out(seawall, walk, store, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    bars = pd.read_parquet(walk)
    bars.to_parquet(folder / "made_GOOD_5m.parquet")
    bars.assign(close=np.where(np.arange(2000) == 5, -1.0, bars["close"])).to_parquet(folder / "made_BAD_5m.parquet")
    (folder / "README.md").write_text("words")
    result = seawall("data", "import", folder, "--json", *store)
    assert result.code == 2
    assert "row 5" in result.err
    assert [series["reference"] for series in result.json["series"]] == ["made/GOOD/5m"]
    assert result.json["skipped"] == ["README.md"]
    assert [series["reference"] for series in seawall("data", "list", "--json", *store).json["series"]] == ["made/GOOD/5m"]


def test_a_name_that_lies_about_the_timeframe_is_refused(seawall, walk, store, tmp_path):
    liar = tmp_path / "made_LIAR_1h.parquet"
    walk.rename(liar)
    result = seawall("data", "import", liar, *store)
    assert result.code == 2
    assert "1h" in result.err
    assert "5m" in result.err


def test_resampling_stores_every_length_with_where_it_came_from(seawall, walk, store):
    seawall("data", "import", walk, *store)
    told = seawall("data", "resample", "made/WALK/5m", "--to", "15m,1h", "--json", *store).json["series"]
    # 2,000 bars of 5m are 666 whole quarters of an hour and 166 whole hours.
    assert [(series["reference"], series["rows"]) for series in told] == [("made/WALK/15m", 666), ("made/WALK/1h", 166)]
    assert told[0]["provenance"]["derived_from"] == "made/WALK/5m"
    expected, _ = resample(pd.read_parquet(walk), Timeframe.parse("5m"), Timeframe.parse("1h"))
    stored = pd.read_parquet(store[1] / "made" / "WALK" / "1h" / "bars.parquet")
    pd.testing.assert_frame_equal(stored, expected)
    refused = seawall("data", "resample", "made/WALK/5m", "--to", "7m", *store)
    assert refused.code == 2
    assert "7m" in refused.err


def test_series_are_aligned_by_the_stated_rule(seawall, walk, store, tmp_path):
    pd.read_parquet(walk).drop(index=range(100, 110)).to_parquet(tmp_path / "made_HOLED_5m.parquet")
    targets = (walk, tmp_path / "made_HOLED_5m.parquet")
    for rule, rows, stale in (("intersection", 1990, 0), ("forward_fill", 2000, 10)):
        panel = tmp_path / f"{rule}.parquet"
        assert seawall("data", "align", *targets, "--rule", rule, "--output", panel, *store).code == 0
        table = pd.read_parquet(panel)
        assert (len(table), int(table["stale"].sum())) == (2 * rows, stale)
    refused = seawall("data", "align", *targets, "--rule", "guess", "--output", tmp_path / "x.parquet", *store)
    assert refused.code == 2
    assert not (tmp_path / "x.parquet").exists()


@pytest.mark.parametrize("kind", ["random_walk", "planted_edge", "indicator_edge", "regime_edge"])
def test_a_market_of_known_answer_tells_its_answer(seawall, tmp_path, kind):
    told = seawall("data", "synth", tmp_path / "known.parquet", "--kind", kind, "--bars", 3000, "--json").json
    assert len(pd.read_parquet(tmp_path / "known.parquet")) == told["rows"] == 3000
    best = told["attainable_log_growth_per_bar"]
    # What the sum over the grid rounds to.
    assert abs(best) < 1e-15 if kind == "random_walk" else best > 1e-6


def test_a_pair_needs_a_place_for_two_series(seawall, tmp_path):
    refused = seawall("data", "synth", tmp_path / "pair.parquet", "--kind", "pair", "--bars", 500)
    assert refused.code == 2
    assert not (tmp_path / "pair.parquet").exists()
    told = seawall("data", "synth", "--output-dir", tmp_path / "pair", "--kind", "pair", "--bars", 500, "--json").json
    assert [len(pd.read_parquet(file)) for file in told["files"]] == [500, 500]


def test_the_command_line_wins_over_the_config_file(seawall, tmp_path):
    config = tmp_path / "generation.json"
    config.write_text(json.dumps({"num_samples": 9000, "seed": 5, "output_dir": str(tmp_path / "unused"), "base_price": 250.0}))
    folder = tmp_path / "made"
    words = ("data", "synth", "--config", config, "--num_samples", 4000, "--output_dir", folder, "--hdf5", "--labels", "--json")
    told = seawall(*words).json
    assert told["rows_per_timeframe"]["15m"]["synthetic_dataset"] == 4000
    assert told["seed"] == 5
    assert not (tmp_path / "unused").exists()
    train = pd.read_hdf(folder / "train_data.h5", "/15m")
    assert train["open"].iloc[0] == pytest.approx(250.0)
    assert not [name for name in train.columns if name.startswith("label_")]
    assert "label_price_direction" in pd.read_hdf(folder / "train_data.h5", "/15m_labels").columns


def test_ten_years_are_as_many_bars_as_ten_years_hold(seawall, tmp_path):
    told = seawall("data", "synth", tmp_path / "ten.parquet", "--years", 10, "--timeframe", "15m", "--json").json
    assert told["rows"] == 350_400
    assert all(told["accepted"].values())


def test_scaling_fits_on_the_training_file_alone(seawall, tmp_path):
    folder = tmp_path / "features"
    folder.mkdir()
    values = {"train": [0.0, 10.0], "val": [20.0, 5.0], "test": [5.0, 0.0]}
    for part, column in values.items():
        frame = {"timestamp": pd.date_range("2024-01-01", periods=2, freq="h"), "close": [7.0, 8.0], "x": column}
        pd.DataFrame(frame).to_csv(folder / f"{part}_data.csv", index=False)
    out = tmp_path / "scaled"
    words = ("data", "scale", folder, "--output-dir", out, "--method", "minmax", "--file-pattern", "*.csv")
    assert seawall(*words).code == 0
    validation = pd.read_csv(out / "val_data_normalized.csv")
    assert validation["x"].tolist() == [2.0, 0.5]
    assert validation["close"].tolist() == [7.0, 8.0]
    refused = seawall(*words)
    assert refused.code == 2
    assert "force" in refused.err
    assert seawall(*words, "--force").code == 0


def test_trends_are_stored_and_feed_the_feature_of_that_name(seawall, store, tmp_path):
    hours = pd.date_range("2024-01-01", periods=2400, freq="h", tz="UTC")
    made = tmp_path / "made_HOURS_1h.parquet"
    seawall("data", "synth", made, "--kind", "random_walk", "--bars", 2400)
    pd.read_parquet(made).assign(timestamp=hours).to_parquet(made)
    weeks = pd.date_range("2023-09-03", periods=30, freq="W")
    lines = [f"{week:%Y-%m-%d},{20 + number % 7}" for number, week in enumerate(weeks)]
    site = tmp_path / "multiTimeline.csv"
    site.write_text("Category: All categories\n\nWeek,bitcoin: (Worldwide)\n" + "\n".join(lines) + "\n")
    stored = seawall("data", "fetch", "trends", site, "--json", *store).json["series"][0]
    assert (stored["reference"], stored["rows"]) == ("trends/bitcoin/1w", 30)
    trends = ("data.trends.path=trends/bitcoin/1w", "features.omit=[trades]")
    exported = tmp_path / "exported"
    assert seawall("data", "export", "tradernet", f"data={made}", *trends, "--csv", exported, *store).code == 0
    columns = pd.read_csv(next(exported.glob("*train*.csv"))).columns
    assert "trends" in columns


def test_markets_are_told_and_an_unknown_one_is_refused(seawall, tmp_path):
    gold = seawall("data", "markets", "XAUUSD", "--json").json["markets"][0]
    assert (gold["tick_size"], gold["lot_size"], gold["min_notional"]) == (0.01, 0.01, 100.0)
    refused = seawall("data", "markets", "XAUUSX")
    assert refused.code == 2
    assert "XAUUSD" in refused.err
    own = tmp_path / "mine.yaml"
    own.write_text("markets:\n  DOGE: {tick_size: 0.00001, lot_size: 1, min_notional: 5, target_volatility: 0.04}\n")
    assert seawall("data", "markets", "DOGE", "--file", own, "--json").json["markets"][0]["lot_size"] == 1


def test_costs_are_told_by_symbol_and_under_stress_and_what_is_wrong_is_refused(seawall, tmp_path):
    document = seawall("data", "costs", "ethusdt", "--json").json
    [eth] = document["costs"]
    assert (eth["symbol"], eth["taker_bps"], eth["slippage"]["size_impact"]) == ("ETH", 2.5, 0.1)
    assert document["stress"]["flash_crash"]["slippage_multiple"] == 10.0
    own = tmp_path / "mine.yaml"
    own.write_text(
        "costs: {DOGE: {taker_bps: 0.0000125, financing_apr: 0.0123}}\nstress: {mine: {commission_multiple: 4, fill_ratio: 0.25}}\n"
    )
    told = [" ".join(line.split()) for line in seawall("data", "costs", "--file", own).out.splitlines()]
    assert "ETH 2.5 1 2 0.5 + 1·|r| + 0.1·size 5 % / 5 % – 0.1 / 0.2 / 0.3" in told
    assert "BINANCE-PERPETUAL 5 2 1 0.5 – 1 each 8 h 0.1 / 0.2 / 0.3" in told
    assert "DOGE 0.0000125 0.0000125 2 0 1.23 % / 1.23 % – 0.1 / 0.2 / 0.3" in told
    assert "mine × 4 × 1 × 1 25 %" in told
    own.write_text("costs: {DOGE: {taker_bps: -1}}\n")
    for words, message in (
        (("XAUUSX",), "costs of 'XAUUSX' are unknown; did you mean XAUUSD?"),
        (("--file", own), "mine.yaml: costs of DOGE: taker_bps is -1: input should be greater than or equal to 0"),
        (("--file", tmp_path / "none.yaml"), "none.yaml cannot be read"),
    ):
        refused = seawall("data", "costs", *words)
        assert (refused.code, refused.out) == (2, "")
        assert message in refused.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("fetch",), "SOURCE SYMBOL"),
        (("fetch", "ccxt"), "SOURCE SYMBOL"),
        (("fetch", "binanze", "BTC/USDT"), "binanze"),
        (("fetch", "ccxt", "BTC/USDT", "--start", "soon"), "soon"),
        (("fetch", "ccxt", "BTC/USDT", "--timeframe", "15q"), "15q"),
        (("fetch", "alpaca", "BTC/USD", "--exchange", "kraken"), "kraken"),
        (("fetch", "ccxt", "--recipe", "tradernet"), "tradernet"),
        (("update",), "fetched"),
        (("info", "made/NOTHING/1h"), "NOTHING"),
        (("resample", "made/NOTHING/1h", "--to", "4h"), "NOTHING"),
        (("synth", "x.parquet", "--kind", "magic"), "magic"),
        (("synth", "x.parquet", "--years", "1", "--bars", "500"), "--years"),
        (("export", "tradernet"), "--hdf5"),
        (("check", "x.parquet", "--calendar", "XNYZ"), "XNYS"),
    ],
)
def test_bad_words_are_refused_by_name_and_nothing_is_left(seawall, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    result = seawall("data", *words)
    assert result.code == 2, result.err
    assert message in result.err
    assert "Traceback" not in result.err
    assert list(tmp_path.rglob("*.parquet")) == []
