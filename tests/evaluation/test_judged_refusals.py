"""What is wrong in a file is named, with what is allowed; and figures that cannot be told are undefined, with the reason."""

import json

import numpy as np
import pandas as pd
import pytest

from evaluation.judged_files import at, bars_file, judged, written
from evaluation.worlds import exposures_ledger, random_market
from seawall.core.bars import from_milliseconds
from seawall.core.errors import ConfigError, DataError
from seawall.evaluation.foreign.page_of import judged_html
from seawall.evaluation.foreign.reading import Reading
from seawall.evaluation.ledger import Ledgers

CLOSES = (100.0, 100.0, 110.0, 120.0, 120.0, 90.0)
FILLS = {"time": [at(1), at(4)], "side": ["buy", "sell"], "size": [10.0, 10.0], "price": [100.0, 120.0], "fee": [1.0, 2.0]}
TRIP = {
    "entry_time": [at(1)], "exit_time": [at(4)], "side": ["long"], "size": [10.0], "entry_price": [100.0], "exit_price": [120.0],
    "fee": [3.0],
}  # fmt: skip


def changed(rows, **columns):
    return {name: value for name, value in {**rows, **columns}.items() if value is not None}


BAD = {
    "no price": (changed(FILLS, price=None), "no column for price (one of price, avgpx"),
    "nothing known": ({"a": [1], "b": [2]}, "holds no ledger: its columns are a, b; allowed: one row for each round trip"),
    "no exit price": (changed(TRIP, exit_price=None), "no column for exit_price"),
    "a missing size": (changed(FILLS, size=[10.0, np.nan]), "row 1 has size = nan"),
    "a size of 0": (changed(FILLS, size=[10.0, 0.0]), "row 1 has size = 0"),
    "a negative price": (changed(FILLS, price=[100.0, -1.0]), "row 1 has price = -1 (1 rows); allowed: above 0"),
    "a word for a price": (changed(FILLS, price=["100", "dear"]), "price = 'dear', which is no number"),
    "a side that is none": (changed(FILLS, side=["buy", "up"]), "side = 'up', which is no side"),
    "no side": (changed(FILLS, side=None), "tells no sides"),
    "a purchase of less than nothing": (changed(FILLS, size=[-10.0, 10.0]), "and the side of a purchase"),
    "no time": (changed(FILLS, time=[at(1), ""]), "row 1 has no time"),
    "a word for a time": (changed(FILLS, time=[at(1), "soon"]), "time = 'soon'"),
    "an exit before its entry": (changed(TRIP, entry_time=[at(5)]), "before it is opened at 2024-01-01T05:00:00Z"),
    "two symbols": (changed(FILLS, symbol=["A", "B"]), "holds 2 symbols: A, B; name one with --symbol"),
    "fees in coins": (changed(FILLS, symbol=["B/USDT"] * 2, fee=["0.1 B1", "0.2 B1"]), "fees in B1 and prices in USDT"),
    "fees in two currencies": (changed(FILLS, fee_currency=["USDT", "BNB"]), "fees in BNB, USDT"),
    "columns in two currencies": (
        {"Trade #": [1], "Type": ["Entry long"], "Date/Time": [at(1)], "Price USDT": [1.0], "Qty": [1.0], "Fee EUR": [0.0]},
        "columns in several currencies: 'Price USDT', 'Fee EUR'",
    ),
    "fills after the bars": (changed(FILLS, time=[at(1), at(6)]), "1 of 2 fills are not covered by bars.csv"),
    "fills before the bars": (changed(FILLS, time=["2023-12-31T23:00Z", at(4)]), "the first is at 2023-12-31T23:00:00Z"),
    "prices of another market": (changed(FILLS, price=[1.1, 1.2]), "another market, currency or scale"),
    "an equity curve that goes back": ({"time": [at(2), at(1)], "equity": [1.0, 2.0]}, "row 1 is not later"),
    "an equity curve with a hole": ({"time": [at(1), at(2)], "equity": [1.0, np.nan]}, "row 1 has equity = nan"),
    "an equity curve of nothing": ({"time": [at(1), at(2)], "equity": [0.0, 1.0]}, "row 0 has equity 0"),
    "an equity curve elsewhere": (
        {"time": ["2025-01-01T00:00Z", "2025-01-01T01:00Z"], "equity": [1.0, 2.0]}, "0 bars of bars.csv",
    ),
    "an entry without a name": (
        {"Trade #": [1], "Type": ["Sideways"], "Date/Time": [at(1)], "Price": [1.0], "Qty": [1.0], "Quantity": [1.0]},
        "'Sideways'; allowed: Entry long",
    ),
    "an exit without an entry": (
        {"Trade #": [1], "Type": ["Exit long"], "Date/Time": [at(1)], "Price": [1.0], "Quantity": [1.0]},
        "an exit of trade 1 and no entry",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_a_bad_file_is_refused_by_name(tmp_path, what):
    rows, words = BAD[what]
    with pytest.raises(DataError) as refused:
        judged(written(tmp_path, "ledger.csv", rows), bars_file(tmp_path, *CLOSES))
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"initial_equity": None}, "needed: --initial-equity"),
        ({"initial_equity": -1.0}, "initial equity is -1.0"),
        ({"taker_bps": 10.0}, "--taker-bps would charge them twice"),
        ({"taker_bps": 10.0, "costs_included": True}, "were both given"),
        ({"trials": 0}, "trials is 0"),
        ({"reading": Reading(symbol="X")}, "has no column of symbols"),
        ({"reading": Reading({"colour": "price"})}, "role 'colour' of column 'price' is unknown"),
        ({"reading": Reading({"price": "px"})}, "column 'px', given as price, is not in the file"),
        ({"reading": Reading(contract_size=0.0)}, "contract size is 0.0"),
    ],
)
def test_a_wrong_option_is_refused_by_name(tmp_path, options, words):
    with pytest.raises(ConfigError) as refused:
        judged(written(tmp_path, "ledger.csv", FILLS), bars_file(tmp_path, *CLOSES), **options)
    assert words in str(refused.value)


def test_fills_better_than_any_price_of_their_bar_are_named_and_nothing_is_judged(tmp_path):
    rows = changed(FILLS, price=[90.0, 121.0])
    document = judged(written(tmp_path, "ledger.csv", rows), bars_file(tmp_path, *CLOSES), trials=1).document
    (finding,) = document["findings"]
    assert (finding["count"], finding["places"][0]["price"]) == (2, 90.0)
    assert document["verdict"]["level"] == "not judged"
    assert document["verdict"]["headline"].startswith("Not evidence: 2 fills are better than any price of their bar")


def test_fills_worse_than_their_bar_are_named_and_judged(tmp_path):
    rows = changed(FILLS, price=[100.5, 119.0])
    document = judged(written(tmp_path, "ledger.csv", rows), bars_file(tmp_path, *CLOSES), trials=1).document
    assert "0 of them are better" in document["findings"][0]["words"]
    assert document["verdict"]["level"] == "none"


def test_a_profit_that_its_prices_do_not_give_is_named(tmp_path):
    document = judged(written(tmp_path, "ledger.csv", {**TRIP, "pnl": [500.0]}), bars_file(tmp_path, *CLOSES)).document
    (finding,) = document["findings"]
    assert (finding["what"], finding["count"]) == ("profits differ", 1)
    assert "states 500 and gives 197" in finding["words"]


def test_fills_within_bars_and_in_gaps_are_placed_and_named(tmp_path):
    frame = pd.read_csv(bars_file(tmp_path, *CLOSES)).drop(index=2)
    prices = written(tmp_path, "gappy.csv", frame)
    rows = changed(FILLS, time=["2024-01-01T01:30Z", "2024-01-01T02:10Z"], price=[100.0, 112.0])
    found = {finding["what"]: finding for finding in judged(written(tmp_path, "l.csv", rows), prices).document["findings"]}
    assert found["times without a bar"]["count"] == 1
    assert found["times within bars"]["count"] == 1
    assert "prices outside of bars" not in found


def test_our_own_ledger_on_other_bars_is_refused(tmp_path):
    world = random_market(5, 50)
    Ledgers(exposures_ledger(world, [1] * 49), {}, {}).write(tmp_path / "ledger.parquet")
    prices = pd.DataFrame(world.prices * 1.001, columns=["open", "high", "low", "close", "volume"])
    prices.insert(0, "timestamp", from_milliseconds(world.timestamps))
    prices.to_parquet(tmp_path / "bars.parquet")
    with pytest.raises(DataError, match=r"says the close of .* \(48 bars differ\)"):
        judged(tmp_path / "ledger.parquet", tmp_path / "bars.parquet")
    prices.iloc[:30].to_parquet(tmp_path / "short.parquet")
    with pytest.raises(DataError, match=r"20 of 49 bars of ledger\.parquet are not in it"):
        judged(tmp_path / "ledger.parquet", tmp_path / "short.parquet")


def test_an_unknown_number_of_trials_is_stamped(tmp_path):
    document = judged(written(tmp_path, "ledger.csv", FILLS), bars_file(tmp_path, *CLOSES)).document
    assert document["verdict"]["headline"].startswith("Not evidence: the number of trials is unknown")
    assert document["luck"]["undefined"]["deflated_sharpe"] == "the number of trials is unknown"


DEGENERATE = {
    "three bars": (FILLS | {"time": [at(0), at(2)], "price": [100.0, 110.0]}, (100.0, 100.0, 110.0)),
    "one trade": (TRIP, CLOSES),
    "a price that never moves": (FILLS | {"price": [100.0, 100.0], "fee": [0.0, 0.0]}, (100.0,) * 50),
    "a constant equity": ({"time": [at(hour) for hour in range(50)], "equity": [7.0] * 50}, (100.0,) * 50),
    "two values of equity": ({"time": [at(0), at(1)], "equity": [7.0, 8.0]}, (100.0, 101.0)),
}


@pytest.mark.parametrize("what", DEGENERATE)
def test_a_figure_that_cannot_be_told_is_undefined_with_its_reason(tmp_path, what):
    rows, closes = DEGENERATE[what]
    result = judged(written(tmp_path, "ledger.csv", rows), bars_file(tmp_path, *closes), trials=3)
    text = json.dumps(result.document, allow_nan=False)
    assert "NaN" not in text
    assert result.document["verdict"]["level"] != "evidence"
    assert result.document["luck"]["probabilistic_sharpe"] is None
    for part in (result.document["ledger"], result.document["luck"]):
        for name, reason in part["undefined"].items():
            assert part[name] is None, name
            assert len(reason) > 5, name
        assert all(part[name] is not None or name in part["undefined"] for name in part if name not in ("facts", "trials"))
    page = judged_html(result, "")
    assert result.document["verdict"]["title"] in page
    assert ">nan" not in page


HOURS = 60
BUSY = {
    "entry_time": [at(1), at(10), at(20)], "exit_time": [at(4), at(12), at(24)], "side": ["long"] * 3, "size": [10.0] * 3,
    "entry_price": [100.0] * 3, "exit_price": [100.0] * 3, "fee": [3.0] * 3,
}  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (changed(FILLS, fee=[np.inf, 1.0]), "row 0 has fee = inf; allowed: amounts up to 1e+30"),
        (changed(FILLS, fee=["1 USDT", "1e300 USDT"]), "row 1 has fee = '1e300 USDT'; allowed: amounts up to 1e+30"),
        (changed(FILLS, size=[1e300, 1.0]), "row 0 has size = 1e+300 (1 of 2 rows); allowed: numbers up to 1e+30"),
    ],
)
def test_numbers_without_an_end_are_refused_by_row(tmp_path, rows, words):
    with pytest.raises(DataError) as refused:
        judged(written(tmp_path, "ledger.csv", rows), bars_file(tmp_path, *CLOSES))
    assert words in str(refused.value)


def test_more_money_or_units_than_can_be_simulated_are_refused(tmp_path):
    prices = bars_file(tmp_path, *CLOSES)
    with pytest.raises(ConfigError, match=r"the equity of ledger\.csv is 1e\+16; allowed: at most 1e\+15"):
        judged(written(tmp_path, "ledger.csv", FILLS), prices, initial_equity=1e16)
    with pytest.raises(ConfigError, match="contract size is inf; allowed: above 0, at most"):
        judged(written(tmp_path, "ledger.csv", FILLS), prices, reading=Reading(contract_size=np.inf))


@pytest.mark.parametrize(("equity", "dearer"), [(20.0, 1.0), (1_000.0, 100.0)])
def test_positions_of_many_times_the_equity_and_dear_fills_are_judged(tmp_path, equity, dearer):
    rows = changed(BUSY, fee=[3.0 * dearer] * 3)
    document = judged(
        written(tmp_path, "ledger.csv", rows), bars_file(tmp_path, *[100.0] * HOURS), trials=1, initial_equity=equity
    ).document
    assert document["verdict"]["level"] == "none"
    assert 0.0 < document["shifts_in_time"]["p_value"] <= 1.0


def test_rows_that_stand_twice_and_cells_that_are_empty_are_named(tmp_path):
    twice = {name: [*column, column[1]] for name, column in BUSY.items()} | {"fee": [3.0, 3.0, np.nan, 3.0]}
    twice["exit_time"] = [at(4), at(12), "", at(12)]
    source = judged(written(tmp_path, "ledger.csv", twice), bars_file(tmp_path, *[100.0] * HOURS)).document
    (finding,) = [each for each in source["findings"] if each["what"] == "rows twice"]
    assert (finding["count"], "the first is row 3" in finding["words"]) == (1, True)
    assert "fee is empty in 1 of 4 rows; nothing is taken to be paid there" in source["source"]["notes"]
    assert "1 of 4 trades have no exit_time, the first in row 2, and are taken to be held to the end" in source["source"]["notes"]


def rising(bars, *, mean, seed=0):
    noise = np.random.default_rng(seed).normal(mean, 0.01, bars)
    return {"time": [at(hour) for hour in range(bars)], "equity": (1_000.0 * np.exp(np.cumsum(noise))).tolist()}


def test_what_is_too_good_stays_suspicious_as_nobody_can_look_for_leaks_in_a_ledger(tmp_path):
    prices = bars_file(tmp_path, *[100.0 + hour % 3 for hour in range(400)])
    ledger = written(tmp_path, "ledger.csv", rising(400, mean=0.004))
    verdict = judged(ledger, prices, trials=1, costs_included=True).document["verdict"]
    assert verdict["level"] == "suspicious"
    assert verdict["headline"].startswith("Suspicious: too good to be taken as it is (a Sharpe ratio of")
    assert verdict["stamp"] == ""
    untold = judged(ledger, prices, costs_included=True).document["verdict"]
    assert (untold["level"], untold["stamp"][:45]) == ("suspicious", "Not evidence: the number of trials is unknown")


def test_the_captured_share_is_that_of_full_positions_on_the_sides_taken(tmp_path):
    rows = changed(FILLS, time=[at(2), at(4)], price=[100.0, 120.0], fee=[0.0, 0.0])
    document = judged(written(tmp_path, "ledger.csv", rows), bars_file(tmp_path, *CLOSES), trials=1).document
    found = document["attainable"]
    # Without costs, all in from the open of 100 to that of 120; the ledger has 10 units on 10,000.
    assert found["kind"] == "exact"
    assert found["growth"] == pytest.approx(np.log(1.2), rel=1e-12)
    assert found["captured"]["value"] == pytest.approx(np.log(1.02) / np.log(1.2), rel=1e-9)


def test_an_equity_curve_has_no_captured_share_and_says_why(tmp_path):
    ledger = written(tmp_path, "ledger.csv", rising(40, mean=0.0))
    document = judged(ledger, bars_file(tmp_path, *[100.0] * 40), costs_included=True).document
    assert document["attainable"]["captured"] == {
        "value": None,
        "reason": "the file tells equity alone: what could be held is not known",
    }
