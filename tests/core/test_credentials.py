"""Keys from the environment and .env; addresses and messages that keep them safe."""

from __future__ import annotations

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.credentials import base_url, header_value, required, switch, venue_environment, without_secrets
from seawall.core.errors import ConfigError


def test_the_file_adds_to_the_environment_and_the_environment_wins(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("# keys\nSEAWALL_T_A=from-file\nSEAWALL_T_B='from $FILE'\nSEAWALL_T_EMPTY\n", encoding="utf-8")
    monkeypatch.setenv("SEAWALL_T_A", "from-environment")
    environment = venue_environment(tmp_path)
    assert environment["SEAWALL_T_A"] == "from-environment"
    assert environment["SEAWALL_T_B"] == "from $FILE"
    assert "SEAWALL_T_EMPTY" not in environment


def test_a_file_that_cannot_be_read_for_want_of_a_library_is_said(tmp_path, monkeypatch, capsys):
    (tmp_path / ".env").write_text("SEAWALL_T_C=secret-in-file\n", encoding="utf-8")
    monkeypatch.setitem(sys.modules, "dotenv", None)
    assert "SEAWALL_T_C" not in venue_environment(tmp_path)
    shown = capsys.readouterr().err
    assert "pip install -c constraints.txt -e '.[live]'" in shown
    assert "secret-in-file" not in shown


def test_keys_that_belong_together_come_together_or_not_at_all():
    assert required({"A": "1", "B": "2"}, ("A", "B")) == ("1", "2")
    assert required({"A": " "}, ("A", "B")) is None
    with pytest.raises(ConfigError, match="B is not set beside A"):
        required({"A": "1"}, ("A", "B"))


@pytest.mark.parametrize("address", ["https://example.org/", "http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:9"])
def test_an_address_is_https_or_on_this_machine(address):
    assert base_url({"U": address}, "U") == address.rstrip("/")


@pytest.mark.parametrize(
    "address", ["http://example.org", "ftp://127.0.0.1", "example.org", "http://10.0.0.1", "https://", "http://127.0.0.1.evil.org"]
)
def test_an_address_that_would_carry_keys_in_the_clear_is_refused(address):
    with pytest.raises(ConfigError, match=r"U is an address with .*; allowed: https://"):
        base_url({"U": address}, "U")


def test_an_address_with_a_password_in_it_is_refused_without_showing_it():
    with pytest.raises(ConfigError) as refused:
        base_url({"U": "https://user:hunter2@example.org"}, "U")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "address",
    [
        "https://127.0.0.1:hunter2",
        "https://user:hunter2",
        "https://[hunter2",
        "http://127.0.0.1:70000",
        "https://h\u2100:hunter2@x.org",
    ],
)
def test_what_cannot_be_read_as_an_address_is_refused_by_the_name_of_its_setting_and_not_shown(address):
    with pytest.raises(ConfigError, match=r"^SEAWALL_T_URL is no address that can be read; allowed: https://HOST:PORT") as refused:
        base_url({"SEAWALL_T_URL": address}, "SEAWALL_T_URL")
    assert "hunter2" not in f"{refused.value!r} {refused.value.__cause__!r}"


@pytest.mark.parametrize("value", ["hunter\n2", "hunter2\r\nX-Other: 1", "hunter\u20ac2", "hunter\x002", "hunter\t2", "hünter2"])
def test_a_key_that_no_header_can_hold_is_refused_by_the_name_of_its_setting_and_not_shown(value):
    with pytest.raises(ConfigError, match=r"^SEAWALL_T_KEY holds a character that no key has") as refused:
        header_value({"SEAWALL_T_KEY": value}, "SEAWALL_T_KEY")
    assert "nter" not in f"{refused.value!r} {refused.value.__cause__!r}"


def test_a_key_loses_the_space_around_it_and_may_be_absent():
    assert header_value({"SEAWALL_T_KEY": " ab-c=/+~ d\n"}, "SEAWALL_T_KEY") == "ab-c=/+~ d"
    assert header_value({}, "SEAWALL_T_KEY") == header_value({"SEAWALL_T_KEY": " "}, "SEAWALL_T_KEY") == ""


def test_a_switch_is_true_or_false_and_nothing_else():
    assert [switch({"S": value}, "S", default=True) for value in ("", "true", "False")] == [True, True, False]
    with pytest.raises(ConfigError, match="S is 'yes'; allowed: true, false"):
        switch({"S": "yes"}, "S", default=True)


@given(
    secret=st.text(min_size=4, max_size=40).filter(lambda text: text == "".join(text.split())), before=st.text(), after=st.text()
)
def test_a_secret_never_survives_in_a_message(secret, before, after):
    cleaned = without_secrets(f"{before}{secret}{after}", (secret, ""))
    assert secret not in cleaned.replace("[hidden]", "")


@pytest.mark.parametrize("in_ascii", [True, False])
@given(secret=st.text(min_size=4, max_size=40))
def test_a_secret_never_survives_in_a_message_as_json_spells_it(in_ascii, secret):
    assert without_secrets(json.dumps(secret, ensure_ascii=in_ascii)[1:-1], (secret,)) == "[hidden]"


def test_a_secret_with_several_spaces_in_it_is_hidden_too():
    assert without_secrets("no user a\n b  c\n ?", ("a\n b  c",)) == "no user [hidden] ?"


def test_a_long_message_is_cut_to_one_short_line():
    cleaned = without_secrets("word\n" * 500, ())
    assert "\n" not in cleaned
    assert len(cleaned) == 301
