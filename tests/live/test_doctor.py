"""``seawall doctor`` with and without keys: what it says, and how it ends."""

from __future__ import annotations

import json
import sys

import pytest

from seawall.cli.main import run


@pytest.fixture
def doctor(tmp_path, monkeypatch, capfd):
    """Run the doctor in an empty folder with these names, and no other keys, in the environment."""

    def run_doctor(environment, *words):
        monkeypatch.chdir(tmp_path)
        for name in ("BINANCE_API_KEY", "ALPACA_API_KEY_ID", "TRADELOCKER_USERNAME", "SEAWALL_CCXT_EXCHANGE"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        capfd.readouterr()
        code = run(["doctor", *words])
        return code, capfd.readouterr().out

    return run_doctor


def test_without_keys_it_is_ready_and_says_which_names_to_set(doctor):
    code, shown = doctor({})
    assert code == 0, shown
    assert "venue tradelocker  no keys: set TRADELOCKER_USERNAME" in shown
    assert shown.splitlines()[-1] == "Ready."


def test_a_venue_that_answers_is_connected(doctor, setting):
    code, shown = doctor(setting.environment)
    assert code == 0, shown
    assert f"{setting.shown_as}" in shown
    assert "connected: " in shown


def test_a_wrong_key_ends_with_1_and_what_to_fix_without_the_key(doctor, setting):
    code, shown = doctor({**setting.environment, setting.secret_name: "wrong-secret-value"})
    assert code == 1
    assert f"To fix: venue {setting.shown_as}: failed: " in shown
    assert "wrong-secret-value" not in shown


def test_a_missing_client_ends_with_1_and_the_whole_command_that_installs_it(doctor, setting, monkeypatch):
    monkeypatch.setitem(sys.modules, setting.module, None)
    code, shown = doctor(setting.environment, "--json")
    assert code == 1
    checks = {check["name"]: check for check in json.loads(shown)["checks"]}
    assert checks[f"venue {setting.shown_as}"]["detail"].endswith("pip install -c constraints.txt -e '.[live]'")


def test_square_brackets_of_an_extra_survive_on_the_screen(doctor, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install -c constraints.txt -e '.[live]'" in doctor({})[1]
