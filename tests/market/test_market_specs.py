"""markets.yaml: the shipped markets, a user's own, and what is refused."""

from __future__ import annotations

import re

import numpy as np
import pytest

from seawall.core.errors import ConfigError
from seawall.core.timeframe import moment_ms
from seawall.market.hours.specs import load_markets, market_spec

# Tick, lot, least order and target volatility of the published two-stage system.
PUBLISHED = {
    "ETH": (0.01, 0.001, 10.0, 0.02),
    "XAUUSD": (0.01, 0.01, 100.0, 0.015),
    "XAGUSD": (0.001, 0.01, 100.0, 0.025),
    "US30": (1.0, 0.01, 100.0, 0.012),
    "NAS100": (1.0, 0.01, 100.0, 0.015),
    "RUSSELL": (0.1, 0.01, 100.0, 0.018),
}


@pytest.mark.parametrize("symbol", PUBLISHED)
def test_a_shipped_market_has_the_published_numbers(symbol):
    spec = market_spec(symbol)
    assert (spec.tick_size, spec.lot_size, spec.min_notional, spec.target_volatility) == PUBLISHED[symbol]
    assert (spec.max_leverage, spec.margin_call, spec.stop_out) == (20.0, 0.5, 0.3)


@pytest.mark.parametrize(
    ("named", "symbol"),
    [("ETH/USDT", "ETH"), ("ethusdt", "ETH"), ("BTC-USD", "BTC"), ("gold", "XAUUSD"), ("US30.cash", "US30"), ("us2000", "RUSSELL")],
)
def test_a_market_goes_by_its_aliases_whatever_the_spelling(named, symbol):
    assert market_spec(named).symbol == symbol


def test_markets_that_close_expect_gaps_and_those_around_the_clock_do_not():
    assert {symbol: market_spec(symbol).closes for symbol in ("BTC", "ETH", "XAUUSD", "US30")} == {
        "BTC": False, "ETH": False, "XAUUSD": True, "US30": True,
    }  # fmt: skip


def test_sessions_of_a_market_are_masks_of_its_hours():
    times = np.array(
        [moment_ms(moment) for moment in ("2024-01-17T03:00", "2024-01-17T08:30", "2024-01-17T14:00", "2024-01-20T14:00")]
    )
    gold = market_spec("XAUUSD").session_masks(times)
    assert {name: gold[name].tolist() for name in gold} == {
        "asia": [True, True, False, False], "london": [False, True, True, False], "newyork": [False, False, True, False],
    }  # fmt: skip
    # The exchange's own calendar knows the early close of 3 July 2024 at 13:00 in New York.
    dow = market_spec("US30").session_masks(np.array([moment_ms("2024-07-03T16:59"), moment_ms("2024-07-03T17:01")]))
    assert dow["regular"].tolist() == [True, False]
    assert market_spec("ETH").session_masks(times).shape == (4, 0)


def own(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_of_one_s_own_adds_markets_and_changes_shipped_ones(tmp_path):
    mine = own(
        tmp_path,
        """
markets:
  ETH: {extends: ETH, lot_size: 0.01}
  GER40:
    aliases: [DAX]
    quote: EUR
    tick_size: 0.1
    lot_size: 0.1
    min_notional: 50
    target_volatility: 0.012
    calendar: XETR
    sessions:
      morning: {start: "09:00", end: "12:00", timezone: Europe/Berlin}
      regular: XETR
      asia: asia
""",
    )
    dax = market_spec("dax", mine)
    assert (dax.symbol, dax.quote, dax.closes) == ("GER40", "EUR", True)
    masks = dax.session_masks(
        np.array([moment_ms("2024-07-16T07:30"), moment_ms("2024-07-16T15:00"), moment_ms("2024-12-25T10:00")])
    )
    assert masks.to_numpy().tolist() == [[True, True, True], [False, True, False], [True, False, False]]
    changed, shipped = market_spec("ETHUSDT", mine), market_spec("ETHUSDT")
    assert (changed.lot_size, changed.tick_size) == (0.01, shipped.tick_size)
    assert len(load_markets(mine)) == len(load_markets()) + 1


def test_sessions_may_be_written_as_the_published_system_does(tmp_path):
    mine = own(
        tmp_path,
        """
markets:
  GOLD2:
    tick_size: 0.01
    lot_size: 0.01
    min_notional: 100
    target_volatility: 0.015
    calendar: metals
    gaps_expected: true
    session_config:
      enabled: true
      sessions:
        london: {start: "08:00", end: "17:00"}
""",
    )
    masks = market_spec("GOLD2", mine).session_masks(np.array([moment_ms("2024-07-16T07:30"), moment_ms("2024-07-16T08:30")]))
    assert masks["london"].tolist() == [False, True]  # in UTC, as no zone is named


GOOD = "tick_size: 0.1, lot_size: 1, min_notional: 5, target_volatility: 0.02"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("markets: {X: {" + GOOD + ", tick_sise: 1}}", "market X: unknown key tick_sise (value 1); did you mean tick_size?"),
        ("markets: {X: {lot_size: 1, min_notional: 5, target_volatility: 0.02}}", "market X: tick_size is missing"),
        ("markets: {X: {" + GOOD.replace("0.1", "0") + "}}", "market X: tick_size is 0: input should be greater than 0"),
        ("markets: {X: {" + GOOD.replace("0.1", "-1") + "}}", "tick_size is -1"),
        ("markets: {X: {" + GOOD.replace("0.1", ".inf") + "}}", "tick_size is inf"),
        ("markets: {X: {" + GOOD.replace("0.1", "wide") + "}}", "tick_size is 'wide'"),
        ("markets: {X: {" + GOOD + ", max_leverage: 0.5}}", "max_leverage is 0.5"),
        ("markets: {X: {" + GOOD + ", margin_call: 0.2}}", "stop_out is 0.3; it must be below margin_call, which is 0.2"),
        ("markets: {X: {" + GOOD + ", calendar: XNYZ}}", "calendar is 'XNYZ': calendar 'XNYZ' is unknown; did you mean XNZE?"),
        ("markets: {X: {" + GOOD + ", sessions: {a: sydneyy}}}", "sydneyy"),
        ("markets: {X: {" + GOOD + ", sessions: {a: {start: '9', end: '10:00'}}}}", "sessions.a.start is '9'"),
        ("markets: {X: {" + GOOD + ", sessions: {a: 5}}}", "sessions.a is 5: allowed: hours such as"),
        (
            "markets: {X: {" + GOOD + ", sessions: {asia: asia}, session_config: {enabled: true}}}",
            "sessions and session_config are both",
        ),
        ("markets: {X: {" + GOOD + ", session_config: {enabled: false}, calendar: metals}}", "session_config.enabled is false"),
        ("markets: {X: {extends: Y}}", "market X: extends is 'Y'; allowed: BTC, ETH"),
        ("markets: {X: {" + GOOD + ", symbol: Z}}", "unknown key symbol"),
        ("markets: {X: 5}", "market X is 5; allowed: a mapping"),
        ("markets: {5: {" + GOOD + "}}", "market 5 is no name"),
        ("markets: {X: {" + GOOD + ", aliases: [GOLD]}}", "GOLD is an alias of both XAUUSD and X"),
        ("markets: {X: {extends: [ETH]}}", "market X: extends is ['ETH']; allowed: BTC, ETH"),
        ("markets: {X: {extends: {a: 1}}}", "market X: extends is {'a': 1}; allowed: BTC, ETH"),
        ("markets: {X: {extends: 2024-01-01}}", "extends is 2024-01-01 (a date: quotes make it text)"),
        ("markets: {2024-01-01: {" + GOOD + "}}", "market 2024-01-01 (a date: quotes make it text) is no name"),
        ("markets: {eth: {extends: ETH}, Eth: {extends: ETH}}", "eth and Eth are one market"),
        ("markets: {X: {" + GOOD.replace("0.1", "true") + "}}", "tick_size is true, which is no number"),
        (
            "markets: {X: {" + GOOD + ", sessions: {a: {start: 2024-01-01, end: '10:00'}}}}",
            "sessions.a.start is 2024-01-01 (a date",
        ),
        ("markets: {X: {" + GOOD + ", sessions: [{start: '9:00', end: '10:00'}]}}", "each with a name of its own"),
        ("markets: {X: {" + GOOD + ", sessions: [asia, asia]}}", "each with a name of its own"),
        (
            "markets: {X: {" + GOOD + ", gaps_expected: true, session_config: {gaps_expected: false}}}",
            "gaps_expected is given twice",
        ),
        ("markets: {X: {" + GOOD + "}}\nglobal: {leverage: 5}", "unknown key global.leverage (value 5); allowed: max_leverage"),
        ("markets: {X: {" + GOOD + "}}\nglobal: 5", "global is 5; allowed: a mapping of max_leverage"),
        ("markets: {X: {" + GOOD + "}}\nglobal: {max_leverage: 0}", "max_leverage is 0"),
        ("symbols: {}", "holds symbols; allowed: one key, markets"),
        ("- 1", "allowed: one key, markets"),
        ("markets: [", "is not readable YAML"),
        ("", "allowed: one key, markets"),
    ],
)
def test_a_file_that_cannot_be_is_refused_by_file_market_key_and_value(tmp_path, text, message):
    mine = own(tmp_path, text)
    with pytest.raises(ConfigError, match=f"mine.yaml.*{re.escape(message)}"):
        load_markets(mine)


@pytest.mark.parametrize("name", ["eth", "Eth", "E-T-H"])
def test_a_market_takes_the_place_of_a_shipped_one_whatever_the_case_of_its_name(tmp_path, name):
    mine = own(tmp_path, "markets: {" + name + ": {" + GOOD + "}}")
    assert list(load_markets(mine))[:3] == ["BTC", name, "XAUUSD"]
    for asked in ("ETH", "eth", "ETHUSDT"):
        assert market_spec(asked, mine).lot_size == 1
    assert market_spec("x", own(tmp_path, "markets: {X: {extends: eth}}")).lot_size == 0.001


PUBLISHED_FORM = """
markets:
  ETH:
    tick_size: 0.01
    lot_size: 0.001
    min_notional: 10.0
    session_config:
      enabled: false  # 24/7 market
    target_volatility: 0.02
  XAUUSD:
    tick_size: 0.01
    lot_size: 0.01
    min_notional: 100.0
    session_config:
      sessions:
        - {name: asia, start: 00:00, end: 09:00}
        - {name: london, start: 8:00, end: "17:00"}
        - newyork
    target_volatility: 0.015
  US30:
    tick_size: 1.0
    lot_size: 0.01
    min_notional: 100.0
    gaps_expected: true
    sessions: {premarket: "12:00-14:30", regular: ["14:30", "21:00"], after: 21:00 – 01:00}
    target_volatility: 0.012
global:
  max_leverage: 10
  margin_call: 0.6
  stop_out: 0.4
"""


def test_a_file_in_the_published_layout_is_read(tmp_path):
    mine = own(tmp_path, PUBLISHED_FORM)
    assert (market_spec("ETH", mine).closes, market_spec("ETH", mine).calendar) == (False, "24/7")
    gold, dow = market_spec("gold", mine), market_spec("US30", mine)
    times = np.array([moment_ms(f"2024-07-16T{hour}") for hour in ("08:30", "12:30", "15:00", "23:30")])
    assert gold.session_masks(times).T.to_numpy().tolist() == [
        [True, False, False, False], [True, True, True, False], [False, True, True, False],
    ]  # fmt: skip
    assert dow.session_masks(times).T.to_numpy().tolist() == [
        [False, True, False, False], [False, False, True, False], [False, False, False, True],
    ]  # fmt: skip
    # Nothing is said of when they close: that stays as it was.
    assert (gold.calendar, dow.calendar, dow.closes) == ("metals", "cfd_indices", True)
    # What global says holds for every market, shipped ones too.
    assert {(spec.max_leverage, spec.margin_call, spec.stop_out) for spec in load_markets(mine).values()} == {(10.0, 0.6, 0.4)}


def test_the_zone_of_a_session_config_is_that_of_its_windows(tmp_path):
    window = "{start: '09:00', end: '10:00'}"
    text = (
        "markets: {X: {" + GOOD + ", session_config: {timezone: Asia/Tokyo, gaps_expected: true, sessions: {a: " + window + "}}}}"
    )
    spec = market_spec("X", own(tmp_path, text))
    assert spec.closes
    assert spec.session_masks(np.array([moment_ms("2024-07-16T00:30"), moment_ms("2024-07-16T09:30")]))["a"].tolist() == [
        True,
        False,
    ]


def test_an_absent_file_and_an_unknown_market_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"markets file .*none\.yaml cannot be read"):
        load_markets(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match=r"market 'XAUUSX' is unknown; did you mean XAUUSD\? allowed: BTC, ETH"):
        market_spec("XAUUSX")
