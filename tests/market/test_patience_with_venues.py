"""How long a venue that fails is waited for, and when it is given up."""

from __future__ import annotations

import pytest

from fakes.sources import ListSource, fetched, hourly
from seawall.core.errors import ConfigError, TransientError
from seawall.market.fetching.rules import Patience
from seawall.market.storage.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "data")


class Waits:
    """A venue that fails in a given way a number of times, and what was waited."""

    def __init__(self, store, error, times, **patience):
        self.waited = []
        source = ListSource(hourly(30), page_bars=100)
        source.bend = self._bend
        self._left, self._error = times, error
        self._run = lambda: fetched(store, source, start=0, patience=Patience(sleep=self.waited.append, **patience))

    def _bend(self, page, _number):
        if self._left:
            self._left -= 1
            raise self._error
        return page

    def __call__(self):
        self._run()
        return self.waited


@pytest.mark.parametrize(
    ("kind", "first"),
    [("network", 1.0), ("timeout", 1.0), ("server", 1.0), ("malformed", 1.0), ("rate_limit", 5.0), ("banned", 60.0)],
)
def test_waits_double_from_a_first_one_that_depends_on_the_kind_of_failure(store, kind, first):
    waited = Waits(store, TransientError("x", kind=kind), 4, longest_wait=10_000.0)()
    # Half of each wait is random, so that many clients do not ask at once.
    for wait, usual in zip(waited, (first, 2 * first, 4 * first, 8 * first), strict=True):
        assert 0.5 * usual <= wait <= 1.5 * usual


def test_waits_are_never_longer_than_allowed(store):
    waited = Waits(store, TransientError("x"), 7, longest_wait=3.0)()
    assert max(waited) <= 4.5


def test_a_venue_is_left_alone_for_as_long_as_it_asks(store):
    waited = Waits(store, TransientError("x", kind="banned", retry_after=120.0), 2)()
    assert [120.0 <= wait <= 121.0 for wait in waited] == [True, True]


@pytest.mark.parametrize("asked", [0.0, 0.5])
def test_a_venue_that_asks_for_too_short_a_wait_is_left_alone_for_longer_and_longer(store, asked):
    waited = Waits(store, TransientError("x", kind="rate_limit", retry_after=asked), 5)()
    assert asked <= waited[0] <= asked + 1.0
    for wait, usual in zip(waited[1:], (5.0, 10.0, 20.0, 40.0), strict=True):
        assert 0.5 * usual <= wait <= 1.5 * usual


def test_a_ban_longer_than_allowed_ends_the_fetch_at_once(store):
    waits = Waits(store, TransientError("it is banned", kind="banned", retry_after=5_000.0), 1)
    with pytest.raises(TransientError, match=r"asks to be left alone for 5000 s, until 20\d\d-.*run the same command again"):
        waits()
    assert waits.waited == []


def test_a_venue_that_keeps_failing_is_given_up_after_eight_tries(store):
    waits = Waits(store, TransientError("it is down", kind="server"), 100)
    with pytest.raises(TransientError, match="it is down; 8 tries in a row failed"):
        waits()
    assert len(waits.waited) == 7


def test_a_refusal_for_good_is_not_asked_again(store):
    waits = Waits(store, ConfigError("no such plan"), 1)
    with pytest.raises(ConfigError, match="no such plan"):
        waits()
    assert waits.waited == []


def test_the_pause_between_two_questions_is_kept(store):
    waited = []
    source = ListSource(hourly(30))
    source.pause_seconds = 0.25
    fetched(store, source, start=0, patience=Patience(sleep=waited.append))
    # Symbol, clock and three pages, each asked at once after the other.
    assert len(waited) == 4
    assert all(0.0 < wait <= 0.25 for wait in waited)
