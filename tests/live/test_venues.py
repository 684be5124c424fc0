"""The real clients, driven against venues on this machine."""

from __future__ import annotations

import sys
import time

import pytest

from seawall.core.errors import ConfigError
from seawall.live.venues import check_venue, check_venues


def test_right_keys_connect_with_read_only_requests(setting):
    status = check_venue(setting.name, setting.environment)
    assert (status.state, status.name) == ("connected", setting.shown_as), status.detail
    assert all(method == "GET" or path.endswith("/auth/jwt/token") for method, path in setting.venue.requests)


def test_the_detail_says_what_answered(setting):
    wanted = {"ccxt": "2 assets held", "alpaca": "paper account read, status ACTIVE", "tradelocker": "1 account,"}
    assert wanted[setting.name] in check_venue(setting.name, setting.environment).detail


def test_without_keys_no_request_is_made_and_the_names_to_set_are_said(setting):
    status = check_venue(setting.name, {})
    assert status.state == "no keys"
    assert setting.secret_name in status.detail
    assert setting.venue.requests == []


def test_a_wrong_key_is_refused_and_the_setting_to_check_is_named(setting):
    status = check_venue(setting.name, {**setting.environment, setting.secret_name: "wrong-secret"})
    assert status.state == "failed"
    assert setting.secret_name in status.detail


def test_half_of_the_keys_fails_and_names_the_missing_one(setting):
    environment = {**setting.environment, setting.secret_name: " "}
    status = check_venue(setting.name, environment)
    assert status.state == "failed"
    assert f"{setting.secret_name} is not set beside" in status.detail
    assert setting.venue.requests == []


def test_a_server_that_is_down_fails_and_says_to_try_again(setting):
    setting.venue.stop()
    status = check_venue(setting.name, setting.environment)
    assert status.state == "failed"
    assert "could not be reached" in status.detail


def test_a_server_that_never_answers_fails_at_the_time_limit(setting):
    setting.venue.hang()
    started = time.perf_counter()
    status = check_venue(setting.name, setting.environment, timeout_seconds=0.5)
    assert time.perf_counter() - started < 5
    assert status.state == "failed"
    assert "did not answer within 0.5 s" in status.detail


def test_a_missing_client_library_names_the_extra(setting, monkeypatch):
    monkeypatch.setitem(sys.modules, setting.module, None)
    status = check_venue(setting.name, setting.environment)
    assert status.state == "client missing"
    assert "pip install -c constraints.txt -e '.[live]'" in status.detail
    assert setting.venue.requests == []


@pytest.mark.parametrize(
    "fault", [(500, {"msg": "down"}), (418, {"code": -1003, "msg": "banned"}), (200, "no JSON"), (200, {}), (200, [])]
)
def test_a_venue_that_answers_nonsense_is_a_failure_not_a_crash(setting, fault):
    setting.venue.fault = fault
    assert check_venue(setting.name, setting.environment).state == "failed"


@pytest.mark.parametrize("trouble", ["none", "wrong", "echo", "nonsense", "timeout"])
def test_no_secret_stands_in_a_message_a_log_or_an_exception(setting, trouble, capfd, caplog):
    caplog.set_level("DEBUG")
    environment = dict(setting.environment)
    if trouble == "wrong":
        environment[setting.secret_name] = "wrong/secret+with=signs"
    if trouble == "echo":
        setting.venue.fault = (422, {"msg": " ".join(setting.secrets), "message": " ".join(setting.secrets), "code": -1})
    if trouble == "nonsense":
        setting.venue.fault = (200, " ".join(setting.secrets))
    if trouble == "timeout":
        setting.venue.hang()
    status = check_venue(setting.name, environment, timeout_seconds=0.5)
    shown = "\n".join((repr(status), *capfd.readouterr()))
    for secret in (*setting.secrets, environment[setting.secret_name]):
        assert secret not in shown
        assert not any(secret in record.getMessage() for record in caplog.records if record.name.startswith(("seawall", "httpx")))


def test_all_venues_are_looked_at_and_only_the_one_with_keys_is_asked(setting):
    states = {status.name: status.state for status in check_venues(setting.environment)}
    names = ("binance", "alpaca", "tradelocker")
    assert states == {name: "connected" if name == setting.shown_as else "no keys" for name in names}


def test_an_unknown_venue_is_refused_with_the_allowed_names():
    with pytest.raises(ConfigError, match=r"no venue 'mtgox'; allowed: ccxt, alpaca, tradelocker"):
        check_venue("mtgox", {})


def test_another_exchange_has_keys_of_its_own_name():
    status = check_venue("ccxt", {"SEAWALL_CCXT_EXCHANGE": "Kraken"})
    assert (status.name, status.state) == ("kraken", "no keys")
    assert "KRAKEN_API_KEY and KRAKEN_API_SECRET" in status.detail


def test_an_exchange_that_ccxt_does_not_know_fails_by_name():
    environment = {"SEAWALL_CCXT_EXCHANGE": "mtgox", "MTGOX_API_KEY": "k", "MTGOX_API_SECRET": "s"}
    status = check_venue("ccxt", environment)
    assert status.state == "failed"
    assert "SEAWALL_CCXT_EXCHANGE is 'mtgox'" in status.detail


def test_by_default_the_keys_come_from_the_environment_and_the_file(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("ALPACA_API_KEY_ID=from-file\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ALPACA_API_SECRET_KEY", raising=False)
    assert "ALPACA_API_SECRET_KEY is not set beside ALPACA_API_KEY_ID" in check_venues()[1].detail
