"""Where the peers and the simulator differ by design: each difference has the size that its cause predicts.

The causes are told in docs/concepts/peers.md. Every case is a few bars made for one of them.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest
from peer_cases import COSTS, ours

from peers.asking import ask, needs_peers
from peers.case_files import Answer, Case, Settings

pytestmark = needs_peers

EQUITY = 10_000.0


def case(rows: list[tuple[float, float, float, float]], targets: list[float], **settings: float) -> Case:
    given = {"commission": COSTS, "maker_commission": COSTS, "initial_equity": EQUITY, **settings}
    return Case(np.array(rows), np.array(targets), Settings(**given))


STILL, LOW, HIGH = (100.0, 101.0, 99.0, 100.0), (90.0, 91.0, 89.0, 90.0), (110.0, 111.0, 109.0, 110.0)
BRACKET = {"stop_loss": 0.02, "take_profit": 0.03}
CASES = {
    "half": case([STILL] * 4, [0.0, 1.0, 1.0, 1.0], size=0.5),
    "half_short": case([STILL] * 4, [0.0, -1.0, -1.0, -1.0], size=0.5),
    "slippage": case([STILL] * 4, [0.0, 1.0, 0.0, 0.0], slippage=0.0002, commission=0.001),
    "slipping_short": case([STILL] * 4, [0.0, -1.0, -1.0, -1.0], slippage=0.0002, commission=0.0),
    "gap_below_stop": case([STILL, STILL, STILL, LOW], [0.0, 1.0, 0.0, 0.0], **BRACKET),
    "gap_above_goal": case([STILL, STILL, STILL, HIGH], [0.0, 1.0, 0.0, 0.0], **BRACKET),
    "reversed_at_gap": case([STILL, STILL, STILL, (90.0, 91.0, 89.5, 90.0)], [0.0, 1.0, -1.0, -1.0], **BRACKET),
    "gap_below_limit": case([STILL, STILL, (97.0, 98.0, 96.0, 97.0)], [0.0, 1.0, 1.0], limit=0.02),
    "touched_limit": case([STILL, STILL, (100.0, 101.0, 98.0, 99.0)], [0.0, 1.0, 1.0], limit=0.02),
    "at_close": case([STILL, (100.0, 103.0, 99.0, 102.0), (101.0, 102.0, 100.0, 101.0)], [0.0, 1.0, 1.0], plain=True),
    "stop_in_entry_bar": case(
        [STILL, STILL, (100.0, 101.0, 95.0, 96.0), (96.0, 97.0, 95.5, 96.0)], [0.0, 1.0, 0.0, 0.0], plain=True, **BRACKET
    ),
    "ruined_short": case([STILL, STILL, (100.0, 199.0, 99.0, 150.0)], [0.0, -1.0, -1.0]),
}
ASKED = {
    "vectorbt": ("half", "half_short", "slippage", "slipping_short", "reversed_at_gap", "stop_in_entry_bar", "ruined_short"),
    "backtesting": ("slippage", "touched_limit", "ruined_short"),
    "nautilus": ("gap_below_stop", "gap_above_goal", "gap_below_limit", "touched_limit", "at_close", "ruined_short"),
}


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory):
    @functools.cache
    def of(engine: str) -> dict[str, Answer]:
        return ask(tmp_path_factory.mktemp(engine), engine, {name: CASES[name] for name in ASKED[engine]})

    return of


@pytest.mark.parametrize("name", ["half", "half_short"])
def test_vectorbt_takes_a_share_of_what_was_there_before_costs(theirs, name):
    """Half of 10,000 for them; half of what costs leave for us."""
    mine, peer = ours(CASES[name]), theirs("vectorbt")[name]
    assert abs(peer.units[0]) == pytest.approx(0.5 * EQUITY / 100.0, rel=1e-12)
    assert peer.units[0] / mine.units[0] == pytest.approx(1.0 + 0.5 * COSTS, rel=1e-12)


def test_vectorbts_slippage_moves_the_price_where_our_half_spread_is_a_cost(theirs):
    """0.02 % beside a commission of 0.1 %: their two factors multiply, our two rates add up to `COSTS` less 0.0002 times 0.001."""
    plain = CASES["slippage"]
    mine = ours(Case(plain.prices, plain.targets, Settings(commission=COSTS, initial_equity=EQUITY)))
    peer = theirs("vectorbt")["slippage"]
    np.testing.assert_allclose(peer.price, [100.02, 99.98], rtol=1e-12)
    assert mine.units[0] / peer.units[0] == pytest.approx(1.0 + 2e-7 / 1.0012, rel=1e-12)


def test_vectorbt_sells_short_as_much_as_the_slipped_price_allows(theirs):
    """10,000 at 99.98 for them; for us what costs leave, 10,000 / 1.0002, at 100: so shorts agree where costs are fees."""
    plain = CASES["slipping_short"]
    mine = ours(Case(plain.prices, plain.targets, Settings(commission=0.0002, initial_equity=EQUITY)))
    peer = theirs("vectorbt")["slipping_short"]
    assert peer.units[0] / mine.units[0] == pytest.approx(1.0002 / 0.9998, rel=1e-12)


def test_backtestings_spread_is_paid_at_the_entry_alone(theirs):
    peer = theirs("backtesting")["slippage"]
    np.testing.assert_allclose(peer.price, [100.02, 100.0], rtol=1e-12)


def test_vectorbt_does_not_reverse_at_an_open_that_stops_it_out(theirs):
    """One order a row: the stop takes it, and the decision to go short waits for the next bar."""
    mine, peer = ours(CASES["reversed_at_gap"]), theirs("vectorbt")["reversed_at_gap"]
    assert peer.bar.tolist() == mine.bar.tolist() == [2, 3]
    assert peer.units[1] / peer.units[0] == pytest.approx(-1.0, rel=1e-12)
    assert mine.units[1] / mine.units[0] == pytest.approx(-2.0 / (1.0 + COSTS), rel=1e-12)


def test_vectorbt_watches_a_stop_from_the_row_after_the_entry(theirs):
    """Which is why its script gives each bar two rows: ours leaves at the stop, theirs at the next open."""
    mine, peer = ours(CASES["stop_in_entry_bar"]), theirs("vectorbt")["stop_in_entry_bar"]
    assert (mine.bar.tolist(), mine.price.tolist()) == ([2, 2], [100.0, 98.0])
    assert (peer.bar.tolist(), peer.price.tolist()) == ([2, 3], [100.0, 96.0])


@pytest.mark.parametrize(("name", "level", "opening"), [("gap_below_stop", 98.0, 90.0), ("gap_above_goal", 103.0, 110.0)])
def test_nautilus_fills_a_bracket_at_its_level_where_the_bar_opens_beyond_it(theirs, name, level, opening):
    """A stop is flattered by it and a take-profit robbed, by the whole gap times the units."""
    mine, peer = ours(CASES[name]), theirs("nautilus")[name]
    assert mine.price.tolist() == [100.0, opening]
    assert peer.price.tolist() == [100.0, level]
    gap = peer.equity[-1] - mine.equity[-1]
    assert gap == pytest.approx((level - opening) * mine.units[0] * (1.0 - COSTS), rel=1e-8)


def test_nautilus_fills_a_resting_entry_at_its_limit_where_the_bar_opens_below(theirs):
    mine, peer = ours(CASES["gap_below_limit"]), theirs("nautilus")["gap_below_limit"]
    assert (mine.price.tolist(), peer.price.tolist()) == ([97.0], [98.0])
    assert mine.units[0] / peer.units[0] == pytest.approx(98.0 / 97.0, rel=1e-8)


@pytest.mark.parametrize("engine", ["backtesting", "nautilus"])
def test_peers_fill_a_limit_that_is_only_touched(theirs, engine):
    """Nobody knows the place in the queue: they take the first, we take the last."""
    assert ours(CASES["touched_limit"]).bar.size == 0
    peer = theirs(engine)["touched_limit"]
    assert (peer.bar.tolist(), peer.units.size) == ([2], 1)
    assert peer.price[0] == pytest.approx(98.0, rel=1e-12)


def test_nautilus_fills_a_market_order_at_the_close_of_its_decision(theirs):
    """Which is why its script sends decisions when the next open is known."""
    mine, peer = ours(CASES["at_close"]), theirs("nautilus")["at_close"]
    assert (mine.bar.tolist(), mine.price.tolist()) == ([2], [101.0])
    assert (peer.bar.tolist(), peer.price.tolist()) == ([1], [102.0])


@pytest.mark.parametrize("engine", ASKED)
def test_no_peer_liquidates_a_short_whose_margin_is_gone(theirs, engine):
    """At 199 the account is worth 100 and owes 19,876 of coins: we close there and pay for it, they live on to 150."""
    mine, peer = ours(CASES["ruined_short"]), theirs(engine)["ruined_short"]
    units = EQUITY / 1.0012 / 100.0
    assert mine.price.tolist() == [100.0, 199.0]
    assert mine.equity[-1] == pytest.approx(units * (200.0 - 199.0) - units * 199.0 * COSTS, rel=1e-9)
    assert peer.equity[-1] == pytest.approx(units * (200.0 - 150.0), rel=1e-8)
