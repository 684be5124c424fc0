"""``seawall calibrate``: what it prints, its exit codes, and what it refuses."""

from __future__ import annotations

import json

import pytest

from recipes.calibration_tables import table
from seawall.cli.main import run as run_command
from seawall.core.fan_out import Interrupted
from seawall.recipes.calibration import run as running


@pytest.fixture
def calibrated(monkeypatch):
    """Calibrations that end at once: false alarms to report, and the plans and workers that were asked for."""
    alarms, asked = [0], []

    def calibrate(plan, folder, tell, workers):
        asked.append((plan.markets, str(folder), workers))
        tell("noise-000", {"finished": "none", "before": True})
        tell("planted-000", {"done": 0.5, "note": "plain, seed 3"})
        tell("planted-000", {"finished": "evidence"})
        return {**table(plan.markets, alarms[0], plan.markets), "folder": str(folder), "page": str(folder / "calibration.html")}

    monkeypatch.setattr(running, "calibrate", calibrate)
    return alarms, asked


def test_it_prints_the_table_and_the_finding(calibrated, capsys):
    assert run_command(["calibrate"]) == 0
    printed = capsys.readouterr().out
    assert "0 of 40, 0.0 %" in printed
    assert "0.0 % to 8.8 %" in printed
    assert "40 of 40, 100.0 %" in printed
    assert "learning rate 0.01" in printed
    assert printed.splitlines()[-1] == "passed"
    assert calibrated[1] == [(40, "runs/calibration", None)]


def test_it_exits_with_1_where_a_criterion_is_missed(calibrated, capsys):
    calibrated[0][0] = 4
    assert run_command(["calibrate", "--quick", "--workers", "1"]) == 1
    printed = capsys.readouterr().out
    assert printed.count("MISSED") == 1
    assert printed.splitlines()[-1] == "failed"
    assert calibrated[1] == [(8, "runs/calibration", 1)]


def test_it_prints_one_document_for_machines(calibrated, tmp_path, capsys):
    assert run_command(["calibrate", "--markets", "12", "--out", str(tmp_path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["passed"] is True
    assert [row["name"] for row in document["criteria"]] == ["false alarms", "power", "overfitting of the choice"]
    assert document["criteria"][0]["n"] == 12
    assert document["pipeline"]["seeds"] == 5


@pytest.mark.parametrize("wrong", [["--markets", "1"], ["--markets", "many"], ["--workers", "0"], ["now"]])
def test_bad_input_ends_with_2(calibrated, wrong, capsys):
    assert run_command(["calibrate", *wrong]) == 2
    assert calibrated[1] == []


def test_a_folder_of_something_else_ends_with_2(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    assert run_command(["calibrate", "--quick", "--out", str(tmp_path)]) == 2
    assert "holds no calibration" in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["notes.txt"]


def test_ctrl_c_says_that_the_same_command_goes_on(monkeypatch, tmp_path, capsys):
    def stopped(*_):
        raise Interrupted("stopped by Ctrl-C")

    monkeypatch.setattr(running, "calibrate", stopped)
    assert run_command(["calibrate", "--out", str(tmp_path)]) == 130
    assert "nothing is lost" in capsys.readouterr().err
