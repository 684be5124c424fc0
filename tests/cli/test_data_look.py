"""The verbs that look: what they tell of search interest, calendars and odd names, and what they refuse."""

import os
import stat

import pandas as pd
import pytest

from seawall.core.bars import timestamps_ms
from seawall.core.timeframe import Timeframe
from seawall.market.hours.calendars import calendar


@pytest.fixture
def interest(seawall, tmp_path):
    """A store with the weekly search interest in bitcoin and the monthly one in gold; the words that name it."""
    words = ("--data-dir", tmp_path / "data")
    weekly, monthly = tmp_path / "weekly.csv", tmp_path / "monthly.csv"
    weekly.write_text("Week,bitcoin: (Worldwide)\n2024-01-07,12\n2024-01-14,100\n2024-01-21,50\n")
    monthly.write_text("Month,gold: (Worldwide)\n2024-01,50\n2024-02,100\n")
    assert seawall("data", "fetch", "trends", weekly, monthly, *words).code == 0
    return words


def test_search_interest_is_listed_and_told_of_as_what_it_is(seawall, interest):
    listed = seawall("data", "list", *interest)
    assert [line.split() for line in listed.out.splitlines()] == [
        ["search", "interest", "values", "first", "last"],
        ["trends/bitcoin/1w", "3", "2024-01-07", "2024-01-21"],
        ["trends/gold/1mo", "2", "2024-01-01", "2024-02-01"],
    ]
    told = seawall("data", "info", "trends/gold/1mo", *interest)
    assert told.code == 0
    assert "trends/gold/1mo: search interest, 2 values, 2024-01-01 to 2024-02-01" in told.out
    assert seawall("data", "info", "trends/bitcoin/1w", "--json", *interest).json["facts"]["region"] == "Worldwide"


@pytest.mark.parametrize("reference", ["trends/bitcoin/1w", "trends/gold/1mo"])
@pytest.mark.parametrize(
    "words",
    [
        ("data", "check", "SERIES"),
        ("data", "resample", "SERIES", "--to", "2w"),
        ("data", "align", "SERIES", "--output", "panel.csv"),
        ("data", "export", "SERIES", "--csv", "out.csv"),
        ("data", "update", "SERIES"),
        ("train", "tradernet", "data=SERIES"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_search_interest_is_refused_where_bars_are_wanted(seawall, interest, tmp_path, monkeypatch, words, reference):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    result = seawall(*(word.replace("SERIES", reference) for word in words), *interest)
    assert result.code == 2
    assert f"{reference} holds search interest in" in result.err
    assert "no bars" in result.err
    assert f"data.trends.path={reference}" in result.err
    assert sorted(tmp_path.rglob("*")) == before


def test_of_several_series_a_refused_one_is_named_once(seawall, interest):
    told = seawall("data", "check", "trends/bitcoin/1w", "trends/gold/1mo", "--no-html", *interest)
    assert told.code == 2
    assert told.err.startswith("seawall: trends/bitcoin/1w holds search interest")
    assert "; trends/gold/1mo holds search interest" in told.err


@pytest.fixture
def gold(seawall, tmp_path):
    """Two weeks of hourly bars in a file named for gold, without those of the weekend and one of a Tuesday."""
    path = tmp_path / "made_XAUUSD_1h.parquet"
    assert seawall("data", "synth", path, "--kind", "random_walk", "--bars", 336, "--timeframe", "1h").code == 0
    bars = pd.read_parquet(path)
    market = calendar("metals").open_mask(timestamps_ms(bars), Timeframe.parse("1h"))
    market[bars["timestamp"] == pd.Timestamp("2020-01-07T10:00Z")] = False
    bars[market].reset_index(drop=True).to_parquet(path)
    return path


def test_a_check_takes_the_calendar_of_the_symbol_says_so_and_yields_to_another(seawall, gold, tmp_path):
    words = ("--no-html", "--data-dir", tmp_path / "data")
    told = seawall("data", "check", gold, *words)
    assert "1 of them while metals was open (1 bars)" in told.out
    assert "calendar metals, by the market XAUUSD; --calendar names another" in told.out
    found = {option: seawall("data", "check", gold, "--json", "--calendar", option, *words).json for option in ("24/7", "none")}
    assert "calendar fx, as named" in seawall("data", "check", gold, "--calendar", "fx", *words).out
    unjudged = seawall("data", "check", gold, "--calendar", "none", *words).out
    assert "no gap is explained, as --calendar none says" in unjudged
    own = seawall("data", "check", gold, "--json", *words).json
    assert (own["calendar"], own["hours"], own["missing_unexpected"]) == ("metals", "the market XAUUSD", 1)
    assert (found["24/7"]["calendar"], found["24/7"]["missing_unexpected"]) == ("24/7", own["missing"])
    assert (found["none"]["calendar"], found["none"]["missing_unexpected"]) == (None, None)
    assert {(one["gaps"], one["missing"]) for one in (own, *found.values())} == {(own["gaps"], own["missing"])}


def test_the_table_of_several_series_tells_the_unexpected_and_whose_calendar_is_not_known(seawall, gold, tmp_path):
    pd.read_parquet(gold).drop(index=[3, 4]).to_parquet(tmp_path / "made_WALK_1h.parquet")
    told = seawall("data", "check", tmp_path, "--no-html", "--data-dir", tmp_path / "data")
    header, walk, known = (line.split() for line in told.out.splitlines()[:3])
    place = header.index("unexpected")
    assert (known[place], known[place + 1]) == ("1", "metals")
    assert (walk[place], walk[place + 1]) == ("–", "–")
    assert "made_WALK_1h.parquet: no gap is explained, as no market WALK is known" in told.out
    mine = tmp_path / "mine.yaml"
    mine.write_text("markets: {WALK: {extends: XAUUSD}}")
    both = seawall("data", "check", tmp_path, "--no-html", "--json", "--markets", mine, "--data-dir", tmp_path / "data").json
    assert [one["hours"] for one in both["series"]] == ["the market WALK", "the market XAUUSD"]
    clash = seawall("data", "check", gold, "--markets", mine, "--calendar", "fx", "--data-dir", tmp_path / "data")
    assert clash.code == 2
    assert "allowed: one of them" in clash.err


def test_a_page_goes_to_no_device_and_no_folder(seawall, gold, tmp_path):
    # A pipe stands for the devices: a fault must not cost the machine one.
    pipe = tmp_path / "pipe.html"
    os.mkfifo(pipe)
    for place in (pipe, tmp_path):
        refused = seawall("data", "check", gold, "--html", place, "--data-dir", tmp_path / "data")
        assert refused.code == 2
        assert "allowed: the name of a file to make" in refused.err
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_name_that_looks_like_markup_is_told_as_it_is(seawall, gold, tmp_path):
    odd = tmp_path / "a[red]b[bold]c.parquet"
    gold.rename(odd)
    told = seawall("data", "check", odd, "--data-dir", tmp_path / "data")
    assert told.code == 0
    assert "a[red]b[bold]c.parquet: " in told.out
    assert seawall("data", "import", odd, "--symbol", "x[red]y[/]", "--data-dir", tmp_path / "data").code == 0
    assert "a[red]b[bold]c.parquet" in seawall("data", "info", "files/x-red-y-/1h", "--data-dir", tmp_path / "data").out


def test_storing_search_interest_says_by_what_its_last_period_is_whole(seawall, tmp_path):
    file, words = tmp_path / "weekly.csv", ("--data-dir", tmp_path / "data")
    file.write_text("Week,bitcoin: (Worldwide)\n2024-01-07,12\n2024-01-14,100\n2024-01-21,50\n")
    told = seawall("data", "fetch", "trends", file, "--downloaded", "2024-01-25", *words).out
    assert "trends/bitcoin/1w is imported: 2 values" in told
    assert "left out: 1 that had not ended" in told
    assert "downloaded 2024-01-25T00:00:00Z, as named" in told
    assert "--downloaded" not in told
    guessed = seawall("data", "fetch", "trends", file, "--overwrite", *words).out
    assert "trends/bitcoin/1w is replaced: 3 values" in guessed
    assert "the file's time of change: periods that ended by then are whole; --downloaded DATE says otherwise" in guessed
    assert seawall("data", "fetch", "trends", file, "--downloaded", "soon", *words).code == 2


def test_the_table_of_markets_shows_sessions_however_written_and_numbers_with_all_their_digits(seawall, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "markets: {X: {tick_size: 0.0000012345678, lot_size: 1, min_notional: 1234567.5, target_volatility: 0.02,"
        " session_config: {sessions: {london: {start: 8:00, end: 17:00}, asia: asia}}}}\n"
    )
    told = seawall("data", "markets", "x", "--file", mine).out
    assert told.splitlines()[1].split() == [
        "X", "0.0000012345678", "1", "1,234,567.5", "USD", "24/7", "london,", "asia", "2.0%", "20", "0.5", "/", "0.3",
    ]  # fmt: skip
    assert " 0.00001 " in seawall("data", "markets", "BTC").out
    mine.write_text("markets: {X: {extends: [ETH]}}")
    refused = seawall("data", "check", "x.csv", "--markets", mine)
    assert refused.code == 2
    assert "extends is ['ETH']" in refused.err


def test_a_folder_that_looks_like_markup_is_told_as_it_is(seawall, tmp_path):
    told = seawall("data", "list", "--data-dir", tmp_path / "a[red]b[")
    assert (told.code, "a[red]b[. Fetch some" in told.out) == (0, True)
