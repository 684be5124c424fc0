"""``seawall selftest``: what it prints, its exit code, and what it refuses."""

from __future__ import annotations

import json

import pytest

from seawall.cli.main import run as run_command
from seawall.recipes import selftest_ladder
from seawall.recipes.selftest_plan import Unit


def result_of(unit, share):
    return {
        "share": share,
        "growth": 7.5e-4 * share,
        "attainable": 7.5e-4,
        "fitted_share": 0.99,
        "trades_per_bar": 0.1,
        "seconds": 12.0,
        "curve": [[1, 12.0, 7.5e-4 * share]],
        "warnings": ["the policy collapsed"] if unit.seed == 1 else [],
    }


@pytest.fixture
def climbed(monkeypatch):
    """Trainings that end at once, with a share of the attainable for each agent."""
    shares = {"exact": 0.95, "ppo": 0.8, "dqn": 0.8}
    seen = []

    def climb(run, units, on_progress):
        seen.extend(units)
        for unit in units:
            on_progress(unit.name, {"total_steps": 10, "steps": 5, "best": 1e-4})
            on_progress(unit.name, {"done": True, "share": shares[unit.agent]})
        return [result_of(unit, 0.0 if unit.control else shares[unit.agent]) for unit in units]

    monkeypatch.setattr(selftest_ladder, "climb", climb)
    return shares, seen


RUNGS = ["--rung", "sine", "--rung", "ar1"]


def test_it_prints_a_row_for_each_cell_and_passes(tmp_path, climbed, capsys):
    assert run_command(["selftest", "exact", *RUNGS, "--strength", "strong", "--runs", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert [line.split()[:3] for line in printed.splitlines()[2:5]] == [
        ["sine", "strong", "exact"],
        ["ar1", "strong", "exact"],
        ["ar1", "control", "strong"],
    ]
    assert "exact: the policy collapsed" in printed
    assert printed.splitlines()[-1] == "passed"
    assert climbed[1][0] == Unit("exact", "sine", "strong", 0)


def test_it_fails_with_1_where_a_share_is_not_reached(tmp_path, climbed, capsys):
    climbed[0]["ppo"] = 0.7
    assert run_command(["selftest", "exact", "ppo", *RUNGS, "--runs", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert printed.count("MISSED") == 2
    assert printed.splitlines()[-1] == "failed"


def test_it_prints_one_document_for_machines(tmp_path, climbed, capsys):
    assert run_command(["selftest", "dqn", *RUNGS, "--seeds", "2", "--json", "--runs", str(tmp_path)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["passed"] is True
    assert [(row["rung"], row["control"], row["mean_share"]) for row in document["ladder"]] == [
        ("sine", False, 0.8),
        ("ar1", False, 0.8),
        ("ar1", True, 0.0),
    ]
    assert document["ladder"][0]["seeds"] == [0, 1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pop"], "agent 'pop' is unknown; allowed: exact, ppo, dqn"),
        (["--strength", "huge"], "strength 'huge' is unknown; allowed: strong, medium, weak"),
        (["--rung", "cosine"], "rung 'cosine' is unknown; allowed: sine, ar1, indicator, regime, threshold, walk, bars"),
        (["--seeds", "0"], "Invalid value for '--seeds'"),
    ],
)
def test_it_refuses_what_it_does_not_know_with_2(tmp_path, capsys, arguments, words):
    assert run_command(["selftest", *arguments, "--runs", str(tmp_path)]) == 2
    assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_real_climb_in_processes_of_its_own_reaches_what_is_required(tmp_path, capsys):
    arguments = ["selftest", "exact", "--rung", "sine", "--strength", "strong", "--seeds", "2", "--json", "--runs", str(tmp_path)]
    assert run_command(arguments) == 0
    [row] = json.loads(capsys.readouterr().out)["ladder"]
    assert row["lowest_share"] > 0.8
