"""Bars of a TradeLocker broker: real HTTP against a fake TradeLocker on this machine, with faults."""

from __future__ import annotations

import time

import pytest

from fakes.brokers import Fault, make_rows
from fakes.tradelocker import FakeTradeLocker, account_of
from seawall.core.bars import BAR_COLUMNS, timestamps_ms
from seawall.core.errors import ConfigError, TransientError
from seawall.core.timeframe import Timeframe
from seawall.market.fetching.fetch import Fetch, FetchRules
from seawall.market.sources.registry import open_source
from seawall.market.sources.tradelocker_client import TradeLockerClient
from seawall.market.sources.tradelocker_source import open_tradelocker
from seawall.market.storage.store import Store

T0 = 1_704_067_200_000
MINUTE_MS, DAY_MS = 60_000, 86_400_000
STEP_MS = 15 * MINUTE_MS
QUARTER = Timeframe.parse("15m")
ROWS = make_rows(T0, STEP_MS, 250)
TOKEN, REFRESH, HISTORY = "/backend-api/auth/jwt/token", "/backend-api/auth/jwt/refresh", "/backend-api/trade/history"


@pytest.fixture
def venue():
    with FakeTradeLocker() as locker:
        locker.bars = {
            ("XAUUSD", "15m"): ROWS,
            ("XAUUSD", "1D"): make_rows(T0, DAY_MS, 3),
            ("BTC/USD", "1m"): ROWS[:5],
            ("NODAYS", "15m"): ROWS,
        }
        yield locker


@pytest.fixture
def environment(venue):
    return {
        "TRADELOCKER_USERNAME": venue.username,
        "TRADELOCKER_PASSWORD": venue.password,
        "TRADELOCKER_SERVER": venue.server,
        "TRADELOCKER_ENVIRONMENT": venue.url,
    }


@pytest.fixture
def source(environment):
    return open_tradelocker(environment, timeout_seconds=0.5)


def everything(source, symbol="XAUUSD"):
    return source.page(symbol, QUARTER, T0, T0 + 250 * STEP_MS)


def asked(venue, path):
    return [method for method, at in venue.requests if at == path]


def test_a_page_holds_what_the_broker_has_after_one_login(venue, source):
    page = everything(source)
    assert list(page.columns) == ["timestamp", *BAR_COLUMNS]
    assert timestamps_ms(page).tolist() == [row[0] for row in ROWS]
    assert page[list(BAR_COLUMNS)].to_numpy().tolist() == [list(row[1:6]) for row in ROWS]
    everything(source)
    assert asked(venue, TOKEN) == ["POST"]
    assert all(method == "GET" for method, path in venue.requests if "/auth/jwt/" not in path)
    assert venue.headers_seen[-1]["accnum"] == "1"


def test_the_start_belongs_to_a_page_and_the_stop_does_not(venue, source):
    page = source.page("XAUUSD", QUARTER, T0 + 5 * STEP_MS, T0 + 8 * STEP_MS)
    assert timestamps_ms(page).tolist() == [T0 + n * STEP_MS for n in (5, 6, 7)]
    assert (venue.queries[0]["resolution"], venue.queries[0]["routeId"]) == ("15m", "2")


def test_several_pages_keep_the_broker_s_own_limit_and_are_together_the_whole(venue, source):
    venue.most_bars = 100
    found, cursor = [], T0
    while len(page := source.page("XAUUSD", QUARTER, cursor, T0 + 300 * STEP_MS)):
        assert len(page) <= 100
        found += timestamps_ms(page).tolist()
        cursor = found[-1] + STEP_MS
    assert found == [row[0] for row in ROWS]
    assert source.page_bars == 100


def walked(source, tmp_path, symbol="XAUUSD", **rules):
    work = Fetch(Store(tmp_path), source, lambda _progress: None, FetchRules(now_ms=lambda: T0 + 250 * STEP_MS, **rules))
    return timestamps_ms(Store(tmp_path).load(str(work.fetch(symbol, QUARTER).folder))[0])


def test_the_first_bar_is_found_over_the_daily_bars(venue, source, tmp_path):
    venue.most_bars = 1_000
    assert walked(source, tmp_path).tolist() == [row[0] for row in ROWS]
    # Since 1990 there are 1,190 windows of 1,000 quarters of an hour.
    assert len(venue.queries) < 120


def test_an_instrument_whose_daily_bars_begin_long_before_is_searched_by_halving(venue, source, tmp_path):
    venue.most_bars = 100
    venue.bars[("XAUUSD", "1D")] = make_rows(T0 - 4_000 * DAY_MS, DAY_MS, 4_003)
    assert walked(source, tmp_path).tolist() == [row[0] for row in ROWS]
    # 384,000 quarters of an hour are 3,840 windows.
    assert len(venue.queries) < 200


def test_an_instrument_without_daily_bars_is_searched_by_its_own(venue, source, tmp_path):
    venue.most_bars = 100
    assert walked(source, tmp_path, "NODAYS").tolist() == [row[0] for row in ROWS]
    assert {query["resolution"] for query in venue.queries} == {"15m"}


def test_a_broker_s_day_that_begins_before_its_name_loses_no_bar(venue, source, tmp_path):
    venue.most_bars = 50
    early = make_rows(T0 - 8 * STEP_MS, STEP_MS, 8)
    venue.bars[("XAUUSD", "15m")] = [*early, *ROWS]
    assert walked(source, tmp_path)[0] == T0 - 8 * STEP_MS


def test_no_data_is_an_empty_page(source):
    page = source.page("XAUUSD", QUARTER, T0 - 10 * STEP_MS, T0)
    assert (len(page), list(page.columns)) == (0, ["timestamp", *BAR_COLUMNS])


def test_rows_out_of_order_and_the_bar_still_open_are_handed_on_as_they_came(venue, source):
    now = int(time.time() * 1_000) // STEP_MS * STEP_MS
    venue.bars[("XAUUSD", "15m")] = make_rows(now - 2 * STEP_MS, STEP_MS, 3)
    venue.backwards = True
    page = source.page("XAUUSD", QUARTER, now - 5 * STEP_MS, now + STEP_MS)
    assert timestamps_ms(page).tolist() == [now, now - STEP_MS, now - 2 * STEP_MS]


def test_a_token_that_ended_in_the_middle_of_a_walk_is_renewed_without_the_password(venue, source):
    first = everything(source)
    venue.valid.clear()
    assert everything(source).equals(first)
    assert asked(venue, REFRESH) == ["POST"]
    assert asked(venue, TOKEN) == ["POST"]


def test_a_token_that_cannot_be_renewed_is_asked_for_anew(venue, source):
    first = everything(source)
    venue.valid.clear()
    venue.refreshable = False
    assert everything(source).equals(first)
    assert asked(venue, TOKEN) == ["POST", "POST"]


def test_a_token_about_to_end_is_renewed_before_it_is_refused(venue, environment):
    now = [1_000.0]
    keys = (venue.username, venue.password, venue.server)
    venue.lifetime = 600.0
    with TradeLockerClient(environment, keys, 5.0, seconds=lambda: now[0]) as client:
        client.accounts()
        now[0] += 539.0
        client.accounts()
        assert asked(venue, REFRESH) == []
        now[0] += 2.0
        client.accounts()
        assert asked(venue, REFRESH) == ["POST"]
        assert len(set(venue.issued)) == 2


def test_a_token_refused_twice_is_a_refused_login(venue, source):
    venue.meet("/all-accounts", Fault(401, {}), Fault(401, {}))
    with pytest.raises(ConfigError, match="refused the login"):
        everything(source)
    assert asked(venue, TOKEN) == ["POST"]


@pytest.mark.parametrize("name", ["TRADELOCKER_USERNAME", "TRADELOCKER_PASSWORD", "TRADELOCKER_SERVER"])
def test_a_wrong_key_names_what_to_check(environment, name):
    with pytest.raises(ConfigError, match=f"check .*{name}.* and TRADELOCKER_ENVIRONMENT"):
        everything(open_tradelocker({**environment, name: "wrong"}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict.fromkeys(("TRADELOCKER_USERNAME", "TRADELOCKER_PASSWORD", "TRADELOCKER_SERVER"), ""), "set TRADELOCKER_USERNAME, TR"),
        ({"TRADELOCKER_PASSWORD": ""}, "TRADELOCKER_PASSWORD is not set beside TRADELOCKER_USERNAME"),
        ({"TRADELOCKER_ENVIRONMENT": "prod"}, "TRADELOCKER_ENVIRONMENT is 'prod'; allowed: demo, live, or the address"),
        ({"TRADELOCKER_ENVIRONMENT": "http://example.org"}, "TRADELOCKER_ENVIRONMENT is an address with http"),
        ({"TRADELOCKER_ENVIRONMENT": "https://a.b:c"}, "TRADELOCKER_ENVIRONMENT is no address that can be read"),
        ({"TRADELOCKER_DEVELOPER_API_KEY": "a\nb"}, "TRADELOCKER_DEVELOPER_API_KEY holds a character that no key has"),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_is_asked(venue, environment, change, message):
    with pytest.raises(ConfigError, match=message):
        open_tradelocker({**environment, **change})
    assert venue.requests == []


@pytest.mark.parametrize(("account", "place"), [("", "1"), ("2", "2"), ("9", "2"), ("7", "1")])
def test_the_account_is_chosen_by_accnum_or_id(venue, environment, account, place):
    venue.accounts = [account_of("7", "1"), account_of("9", "2")]
    everything(open_tradelocker({**environment, "TRADELOCKER_ACCOUNT": account}))
    assert venue.headers_seen[-1]["accnum"] == place


def test_an_account_that_is_not_there_is_refused_with_those_that_are(venue, environment):
    with pytest.raises(ConfigError, match="TRADELOCKER_ACCOUNT is '5'; allowed: an account's id, or its accNum: 1"):
        everything(open_tradelocker({**environment, "TRADELOCKER_ACCOUNT": "5"}))
    venue.accounts = []
    with pytest.raises(ConfigError, match="no account of this user"):
        everything(open_tradelocker(environment))


def test_an_instrument_is_stored_by_its_own_name_without_a_slash(source):
    assert source.stored_symbol("xauusd", QUARTER) == "XAUUSD"
    assert source.stored_symbol("BTCUSD", Timeframe.parse("1m")) == "BTCUSD"
    assert source.provenance("XAUUSD")["bar_side"] == "BID"


def test_an_unknown_instrument_or_bar_length_is_refused_with_what_is_allowed(source):
    with pytest.raises(ConfigError, match="no instrument 'XAUUSX'; near it: XAUUSD"):
        source.stored_symbol("XAUUSX", QUARTER)
    with pytest.raises(ConfigError, match="no instrument '??'; allowed: one of the account's 3 instruments".replace("?", r"\?")):
        source.stored_symbol("??", QUARTER)
    with pytest.raises(ConfigError, match="no bars of 2h; allowed: 1m, 5m, 15m, 30m, 1h, 4h, 1d, 1w"):
        source.stored_symbol("XAUUSD", Timeframe.parse("2h"))
    with pytest.raises(ConfigError, match=r"no bars of 1d of NODAYS; allowed: 1m, 5m, 15m, 30m, 1h, 4h$"):
        source.stored_symbol("NODAYS", Timeframe.parse("1d"))


@pytest.mark.parametrize("path", ["/auth/jwt/token", "/trade/config", "/trade/history"])
@pytest.mark.parametrize(
    ("fault", "kind", "wait"),
    [
        (Fault(429, {}, {"Retry-After": "7"}), "rate_limit", 7.0),
        (Fault(503, "<html>"), "server", None),
        (Fault(503, "<html>", {"Retry-After": "30"}), "server", 30.0),
        (Fault(delay=1.0), "timeout", None),
        (Fault(document="{"), "malformed", None),
        (Fault(document=[]), "malformed", None),
    ],
)
def test_a_failure_for_now_says_its_kind_and_the_next_try_goes_on(venue, source, path, fault, kind, wait):
    venue.meet(path, fault)
    with pytest.raises(TransientError) as caught:
        everything(source)
    assert (caught.value.kind, caught.value.retry_after) == (kind, wait)
    assert len(everything(source)) == 250


@pytest.mark.parametrize(
    "document",
    [
        {"s": "ok"},
        {"s": "error", "errmsg": "busy"},
        {},
        {"s": "ok", "d": None},
        {"s": "ok", "d": {}},
        {"s": "ok", "d": {"barDetails": [3]}},
    ],
    ids=str,
)
def test_an_answer_that_is_no_page_is_never_taken_for_no_data(venue, source, document):
    source.stored_symbol("XAUUSD", QUARTER)
    venue.meet("/trade/history", Fault(document=document))
    with pytest.raises(TransientError):
        everything(source)


def test_a_server_that_is_down_is_a_failure_for_now(venue, source):
    venue.stop()
    with pytest.raises(TransientError, match="could not be reached") as caught:
        everything(source)
    assert caught.value.kind == "network"


def test_a_refused_request_is_said_in_the_venue_s_words(venue, source):
    venue.meet("/trade/history", Fault(404, {"errmsg": "no such route"}))
    with pytest.raises(ConfigError, match=r"/trade/history \(HTTP 404: .*no such route"):
        everything(source)


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 422, 429, 500])
@pytest.mark.parametrize("path", ["/auth/jwt/token", "/trade/history"])
def test_no_secret_stands_in_a_message_or_a_log(venue, environment, status, path, caplog):
    caplog.set_level("DEBUG")
    source = open_tradelocker({**environment, "TRADELOCKER_DEVELOPER_API_KEY": "fake-developer-key"})
    source.stored_symbol("XAUUSD", QUARTER) if path == "/trade/history" else None
    secrets = [venue.password, venue.username, "fake-developer-key", *venue.issued]
    venue.meet(path, *[Fault(status, {"s": "error", "errmsg": " ".join(secrets), "message": " ".join(secrets)})] * 2)
    with pytest.raises((ConfigError, TransientError)) as caught:
        everything(source)
    shown = f"{caught.value!r} {caught.value.__cause__!r} {caplog.text}"
    assert not [secret for secret in secrets if secret in shown]


def test_a_password_that_json_has_to_escape_stands_in_no_message(venue, environment):
    password = 'fake"pass\\wörd  with\tspaces'
    source = open_tradelocker({**environment, "TRADELOCKER_PASSWORD": password})
    venue.password = password
    source.stored_symbol("XAUUSD", QUARTER)
    venue.meet("/trade/history", Fault(422, {"errmsg": f"no user {password}"}), Fault(422, f'{{"errmsg": "no {password}"}}'))
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"\[hidden\]") as caught:
            everything(source)
        assert not [part for part in ("fake", "pass", "rd", "spaces") if part in str(caught.value).partition("HTTP 422")[2]]


@pytest.mark.parametrize("number", ["\u20ac", "1\n2"])
def test_an_account_s_number_that_no_header_can_hold_is_a_failure_for_now(venue, environment, number):
    venue.accounts = [account_of("7", number)]
    with pytest.raises(TransientError, match="something else than its documented reply") as caught:
        everything(open_tradelocker(environment))
    assert caught.value.kind == "malformed"


def test_the_developer_key_is_sent_where_there_is_one(venue, environment):
    everything(open_tradelocker({**environment, "TRADELOCKER_DEVELOPER_API_KEY": "fake-developer-key"}))
    assert {headers["developer-api-key"] for headers in venue.headers_seen} == {"fake-developer-key"}


def test_requests_for_history_keep_the_broker_s_rate(venue, environment, monkeypatch):
    waits = []
    monkeypatch.setattr("seawall.market.sources.tradelocker_client.time.sleep", waits.append)
    config = {
        "limits": [],
        "rateLimits": [{"rateLimitType": "QUOTES_HISTORY", "measure": "MINUTES", "intervalNum": 2, "limit": 10}],
    }
    venue.meet("/trade/config", Fault(document={"s": "ok", "d": config}))
    source = open_tradelocker(environment)
    for _ in range(2):
        everything(source)
    assert waits[0] == 0.0
    # Ten requests in two minutes: one in 12 s, less the moment since the first.
    assert 11.0 < waits[1] <= 12.0
    assert source.pause_seconds == 0.0


def test_the_server_s_clock_is_read_off_its_answers(source):
    # HTTP dates have whole seconds, and the answer takes a moment: 5 s is far above both.
    assert abs(source.now_ms() - time.time() * 1_000) < 5_000


def test_the_registry_opens_it(environment):
    assert open_source("tradelocker", environment=environment).stored_symbol("XAUUSD", QUARTER) == "XAUUSD"
