"""Which calendar a series gets by its name, and that a calendar changes no count."""

from pathlib import Path

import pytest

from seawall.core.timeframe import Timeframe
from seawall.market.checks.quality import check_bars, with_calendar
from seawall.market.files import infer_identity, read_bars
from seawall.market.hours.choosing import chosen_calendar
from seawall.market.hours.specs import load_markets

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "ohlcv"
HOUR = Timeframe.parse("1h")


@pytest.mark.parametrize(
    ("symbol", "source", "calendar", "reason"),
    [
        ("XAUUSD", "mt5", "metals", "the market XAUUSD"),
        ("gold", "files", "metals", "the market XAUUSD"),
        ("XAUUSD.m", "mt5", "metals", "the market XAUUSD"),
        ("XPTUSD", "mt5", "metals", "the metal XPT"),
        ("US30", "mt5", "cfd_indices", "the market US30"),
        ("US30.cash", "mt5", "cfd_indices", "the market US30"),
        ("NAS100", "mt5", "cfd_indices", "the market NAS100"),
        ("SPX500", "mt5", "cfd_indices", "the market SPX500"),
        ("US500", "mt5", "cfd_indices", "the market SPX500"),
        ("EURUSD", "dukascopy", "fx", "the currencies EUR and USD"),
        ("GBP/JPY", "oanda", "fx", "the currencies GBP and JPY"),
        ("ETH/USDT", "binance", "24/7", "the market ETH"),
        ("BTCUSDT_202407", "binance", "24/7", "the market BTC"),
        ("ADAUSDT", "files", "24/7", "a pair in USDT"),
        ("ETH/BTC", "files", "24/7", "a pair in BTC"),
        ("EUR/USD", "kraken", "24/7", "the exchange kraken"),
        ("TEETH", "files", None, "no market TEETH is known"),
        ("USDT", "files", None, "no market USDT is known"),
        ("HYUNDAI", "files", None, "no market HYUNDAI is known"),
        ("PEPE-USDC", "files", "24/7", "a pair in USDC"),
        ("ADAEUR", "kraken", "24/7", "the exchange kraken"),
        ("AAPL", "alpaca", None, "no market AAPL is known"),
        ("WALK", "made", None, "no market WALK is known"),
    ],
)
def test_a_symbol_tells_its_calendar_or_that_it_has_none(symbol, source, calendar, reason):
    chosen = chosen_calendar(symbol, source, HOUR, load_markets())
    assert (None if chosen.calendar is None else chosen.calendar.name, chosen.reason) == (calendar, reason)


def test_bars_of_a_day_are_not_judged_by_hours_but_those_of_a_market_that_never_closes_are():
    gold = chosen_calendar("XAUUSD", "mt5", Timeframe.parse("1d"), load_markets())
    assert (gold.calendar, gold.reason) == (None, "the market XAUUSD closes at times, and bars of 1d hold whole sessions")
    assert chosen_calendar("BTCUSDT", "binance", Timeframe.parse("1d"), load_markets()).calendar is not None


def test_a_file_of_one_s_own_tells_the_calendar_too(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "markets:\n  WALK: {extends: US30, calendar: XNYS}\n"
        "  HOLES: {tick_size: 1, lot_size: 1, min_notional: 1, target_volatility: 0.1, gaps_expected: true}\n"
    )
    chosen = chosen_calendar("WALK", "made", HOUR, load_markets(mine))
    assert (chosen.calendar.name, chosen.reason) == ("XNYS", "the market WALK")
    holes = chosen_calendar("HOLES", "made", HOUR, load_markets(mine))
    assert (holes.calendar, holes.reason) == (None, "the market HOLES expects gaps and names no calendar")


@pytest.mark.parametrize("name", ["mt5_XAUUSD_1h", "mt5_XAGUSD_1h", "mt5_US500_1h", "dukascopy_EURUSD_1h", "binance_BTCUSDT_1h"])
def test_the_calendar_of_a_real_series_splits_its_gaps_and_changes_no_count(name):
    path = DATA / f"{name}.parquet"
    if not path.is_file():
        pytest.skip(f"no market data at {DATA}")
    plain = check_bars(read_bars(path))
    source, symbol, _ = infer_identity(path)
    told = with_calendar(plain, chosen_calendar(symbol, source, HOUR, load_markets()).calendar)
    assert (told.gaps, told.missing, told.longest_gap_bars) == (plain.gaps, plain.missing, plain.longest_gap_bars)
    assert (told.gap_places["expected"] + told.gap_places["unexpected"] == plain.gap_places["missing"]).all()
    # Exchange halts explain themselves by nothing; of what closes, hardly a bar is lost.
    share = told.missing_unexpected / told.missing
    assert share == 1.0 if name.startswith("binance") else share < 0.005
