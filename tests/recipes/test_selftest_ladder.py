"""The ladder's self-test: what it plans, that a stopped one goes on, and that it can tell learning from none."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from seawall.core.errors import ConfigError
from seawall.core.fan_out import Interrupted
from seawall.core.market import RowRange
from seawall.core.run_folder import RunFolder
from seawall.market.synthetic.ladder import LEVELS, ladder_market
from seawall.recipes import selftest_run
from seawall.recipes.selftest_agents import LADDER_AGENTS, WINDOW, LadderAgent, ladder_costs, policy_choices
from seawall.recipes.selftest_grade import ladder_table
from seawall.recipes.selftest_ladder import run_selftest
from seawall.recipes.selftest_plan import Plan, Unit, make_plan, required_share
from seawall.recipes.selftest_run import climb, find_or_create, run_unit, unit_file, walk_file
from seawall.training.rl import TrainingParams
from seawall.training.threads import use_threads

ROWS = (6_000, 2_000, 3_000)


class KilledError(Exception):
    """The process is gone, and no checkpoint was written on the way out."""


class Line:
    """A channel that stops a training after so many messages."""

    def __init__(self, stop_after=10**9, die_after=10**9):
        self.sent, self.stop_after, self.die_after = [], stop_after, die_after

    def send(self, message):
        self.sent.append(message)
        if len(self.sent) >= self.die_after:
            raise KilledError

    def should_stop(self):
        return len(self.sent) >= self.stop_after


class Follower:
    """Holds the sign of the signal's column; where that is smaller than a threshold, the level that is held."""

    def __init__(self, threshold):
        self.threshold = threshold

    def act(self, observation, *, deterministic=True):
        signal = observation.market.features[observation.rows, observation.market.feature_names.index("signal_0")]
        held = np.round(observation.account[:, 0]).astype(np.int64) + 1
        return np.where(np.abs(signal) < self.threshold, held, np.where(signal > 0.0, 2, 0)), {}


class Wanderer:
    """A learner whose threshold wanders, from a generator that its state holds: quick, and as hard to resume as a real one."""

    total_steps = 8

    def __init__(self, seed):
        self.steps, self.threshold, self.source = 0, torch.ones(1), torch.Generator().manual_seed(seed)

    def update(self):
        self.steps += 1
        self.threshold = 2.0 * torch.rand(1, generator=self.source)
        return {}

    def policy(self):
        return Follower(float(self.threshold))

    def weights(self):
        return {"threshold": self.threshold.clone()}

    def state(self):
        return {"threshold": self.threshold.clone(), "source": self.source.get_state()}, {"steps": self.steps}

    def load_state(self, tensors, values):
        self.steps, self.threshold = values["steps"], tensors["threshold"]
        self.source.set_state(tensors["source"])


@pytest.fixture
def wanderer(monkeypatch):
    agent = LadderAgent(lambda ladder, seed: Wanderer(seed), TrainingParams(evaluate_every=1, checkpoint_every=2), TrainingParams())
    monkeypatch.setitem(LADDER_AGENTS, "exact", agent)


def made_run(tmp_path):
    path = tmp_path / "selftest" / "run"
    path.mkdir(parents=True)
    return RunFolder(path)


def written(run, unit):
    result = json.loads(unit_file(run, unit).read_text())
    return {key: value for key, value in result.items() if key not in {"seconds", "curve"}}


def test_a_usual_run_asks_of_each_agent_what_is_required_of_it_on_few_rungs_below_strong():
    plan = make_plan()
    cells = {unit.cell for unit in plan.units}
    for agent in LADDER_AGENTS:
        asked = [name for name in ("strong", "medium", "weak") if required_share(agent, name) is not None]
        for rung, strengths in (
            ("ar1", asked),
            ("regime", asked),
            ("threshold", asked),
            ("sine", ["strong"]),
            ("indicator", ["strong"]),
        ):
            assert {cell.strength for cell in cells if cell.agent == agent and cell.rung == rung} == set(strengths)
        assert Unit(agent, "walk", "strong", 0) in cells
        assert Unit(agent, "ar1", "strong", 0, control=True) in cells
    # Seven strong cells, walk and control among them, for each of three agents; three medium and three weak ones of exact.
    assert len(plan.units) == 3 * len(cells) == 3 * (3 * 7 + 6)
    assert not plan.bars
    named = {unit.strength for unit in make_plan(["exact"], rungs=["sine"]).units}
    assert named == {"strong", "medium", "weak"}


def test_a_full_run_has_every_cell_five_times_and_the_candles():
    plan = make_plan(full=True)
    # Five rungs with an edge at three strengths, the walk and the control.
    assert len(plan.units) == 5 * len(LADDER_AGENTS) * (5 * 3 + 2)
    assert plan.bars


def test_what_is_required_is_what_is_promised():
    assert [required_share("exact", name) for name in ("strong", "medium", "weak")] == [0.9, 0.9, 0.7]
    assert [required_share("ppo", name) for name in ("strong", "medium", "weak")] == [0.75, None, None]
    assert Unit("exact", "walk", "strong", 0).required is None
    assert Unit("exact", "ar1", "strong", 0, control=True).required is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"agents": ["pop"]}, "agent 'pop' is unknown; allowed: exact, ppo, dqn"),
        ({"strengths": ["huge"]}, "strength 'huge' is unknown; allowed: strong, medium, weak"),
        ({"rungs": ["cosine"]}, "rung 'cosine' is unknown; allowed: sine, ar1, indicator, regime, threshold, walk, bars"),
    ],
)
def test_unknown_names_are_refused_with_those_that_are_allowed(arguments, words):
    with pytest.raises(ConfigError, match=words):
        make_plan(**arguments)


def test_what_is_asked_for_is_run_though_nothing_is_required_there():
    plan = make_plan(["ppo"], ["weak"], ["sine"], seeds=2)
    assert plan.units == (Unit("ppo", "sine", "weak", 0), Unit("ppo", "sine", "weak", 1))


def test_an_unfinished_run_of_the_same_plan_is_gone_on_with_and_no_other(tmp_path):
    plan, other = make_plan(["exact"], rungs=["sine"]), make_plan(["exact"], rungs=["ar1"])
    first, made = find_or_create(plan, tmp_path)
    assert made
    assert find_or_create(plan, tmp_path) == (first, False)
    assert find_or_create(other, tmp_path)[1]
    (first.path / "selftest.json").write_text("{}")
    again, made = find_or_create(plan, tmp_path)
    assert made
    assert again.path != first.path


def test_other_settings_of_an_agent_are_another_run(wanderer):
    changed = make_plan(["exact"]).digest()
    LADDER_AGENTS["exact"] = replace(LADDER_AGENTS["exact"], training=TrainingParams())
    assert make_plan(["exact"]).digest() != changed


def test_the_costs_of_a_rung_are_those_of_its_optimum():
    for rung in ("sine", "threshold"):
        ladder = ladder_market(rung, "weak", 0, ROWS)
        assert ladder_costs(ladder).rate == pytest.approx(ladder.cost_rate, rel=1e-12)


def test_the_choices_of_a_policy_are_what_it_does_at_each_row_from_each_level():
    ladder = ladder_market("ar1", "strong", 0, ROWS)
    rows = RowRange(0, 9_000)
    choices = policy_choices(Follower(0.3), ladder, rows)
    signal = ladder.market.features[: len(rows) - 1, ladder.market.feature_names.index("signal_0")]
    assert choices.shape == (len(rows) - 1, len(LEVELS))
    assert (choices[: WINDOW - 1] == np.arange(3)).all()  # no whole window yet: stays
    seen = np.arange(len(choices)) >= WINDOW - 1
    assert (choices[seen & (signal > 0.3)] == 2).all()
    assert (choices[seen & (signal < -0.3)] == 0).all()
    assert (choices[seen & (np.abs(signal) < 0.3)] == np.arange(3)).all()


@pytest.mark.slow
@pytest.mark.parametrize("agent", LADDER_AGENTS)
def test_a_strong_edge_is_learned_and_its_control_is_not(tmp_path, agent):
    use_threads(1)
    run = made_run(tmp_path)
    units = [Unit(agent, "ar1", "strong", 0, control=control) for control in (False, True)]
    for unit in units:
        run_unit(run, unit, Line())
    rows = ladder_table(run, units, [json.loads(unit_file(run, unit).read_text()) for unit in units])
    assert [row["passed"] for row in rows] == [True, True]


@pytest.mark.slow
def test_exact_learns_a_weak_edge_that_two_columns_tell_together_and_dqn_a_strong_one(tmp_path):
    # With a decay of 2 the weights died away before the edge was found, and exact stayed flat; dqn stood at its limit of 0.75.
    use_threads(1)
    run = made_run(tmp_path)
    units = [Unit("exact", "regime", "weak", 20), Unit("dqn", "regime", "strong", 20)]
    for unit in units:
        run_unit(run, unit, Line())
    shares = [json.loads(unit_file(run, unit).read_text())["share"] for unit in units]
    assert shares[0] >= 0.7
    assert shares[1] >= 0.77


def test_a_unit_that_was_stopped_ends_as_one_that_was_not(tmp_path, wanderer):
    unit = Unit("exact", "ar1", "strong", 1)
    whole, stopped = made_run(tmp_path / "whole"), made_run(tmp_path / "stopped")
    run_unit(whole, unit, Line(), ROWS)
    for after in (3, 1):
        with pytest.raises(Interrupted):
            run_unit(stopped, unit, Line(after), ROWS)
    # The checkpoint is of two updates ago, and the curve of one.
    with pytest.raises(KilledError):
        run_unit(stopped, unit, Line(die_after=2), ROWS)
    assert not unit_file(stopped, unit).exists()
    run_unit(stopped, unit, Line(), ROWS)
    assert written(stopped, unit) == written(whole, unit)
    curves = [json.loads(unit_file(run, unit).read_text())["curve"] for run in (whole, stopped)]
    assert [[step, growth] for step, _, growth in curves[0]] == [[step, growth] for step, _, growth in curves[1]]
    assert [second for _, second, _ in curves[1]] == sorted(second for _, second, _ in curves[1])
    assert list((stopped.path / "checkpoints").iterdir()) == []


def test_units_that_have_a_result_are_not_trained_again(tmp_path, monkeypatch):
    run = made_run(tmp_path)
    units = [Unit("exact", "sine", "strong", seed) for seed in range(3)]
    for unit in units[:2]:
        unit_file(run, unit).parent.mkdir(exist_ok=True)
        unit_file(run, unit).write_text(json.dumps({"share": 0.5, "seed": unit.seed}))
    asked = []

    def instead(function, tasks, **_):
        asked.extend(values["seed"] for _, group in tasks for values in group)
        unit_file(run, units[2]).write_text(json.dumps({"share": 0.5, "seed": 2}))

    monkeypatch.setattr(selftest_run, "fan_out", instead)
    results = climb(run, units, lambda name, message: None, workers=2)
    assert asked == [2]
    assert [result["seed"] for result in results] == [0, 1, 2]


def result_of(unit, share, **changes):
    return {
        **asdict(unit),
        "share": share,
        "growth": 1e-4 * (share or 0.0),
        "attainable": 1e-4,
        "fitted_share": 0.99,
        "trades_per_bar": 0.1,
        "seconds": 1.0,
        "curve": [[1, 0.5, 1e-5], [2, 1.0, 1e-4 * (share or 0.0)]],
        "warnings": [],
        **changes,
    }


@pytest.mark.parametrize(
    ("unit", "share", "verdict", "passed"),
    [
        (Unit("exact", "sine", "weak", 0), 0.71, "reached", True),
        (Unit("exact", "sine", "weak", 0), 0.69, "MISSED", False),
        (Unit("exact", "sine", "medium", 0), 0.89, "MISSED", False),
        (Unit("ppo", "sine", "strong", 0), 0.76, "reached", True),
        (Unit("ppo", "sine", "weak", 0), 0.01, "shown", None),
        (Unit("ppo", "ar1", "strong", 0, control=True), 0.09, "nothing learned", True),
        (Unit("ppo", "ar1", "strong", 0, control=True), 0.11, "LEARNED FROM NOISE", False),
    ],
)
def test_a_cell_is_judged_by_the_mean_over_its_seeds(tmp_path, unit, share, verdict, passed):
    units = [replace(unit, seed=seed) for seed in range(3)]
    results = [result_of(each, share + change) for each, change in zip(units, (-0.2, 0.0, 0.2), strict=True)]
    [row] = ladder_table(made_run(tmp_path), units, results)
    assert row["mean_share"] == pytest.approx(share, rel=1e-12)
    assert (row["lowest_share"], row["highest_share"]) == (pytest.approx(share - 0.2), pytest.approx(share + 0.2))
    assert (row["verdict"], row["passed"]) == (verdict, passed)


@pytest.mark.parametrize(("mean", "verdict", "passed"), [(0.0, "no claim", True), (2e-4, "CLAIMS AN EDGE", False)])
def test_on_the_walk_an_edge_is_claimed_only_where_the_interval_lies_above_zero(tmp_path, mean, verdict, passed):
    run = made_run(tmp_path)
    units = [Unit("ppo", "walk", "strong", seed) for seed in range(3)]
    for unit in units:
        walk_file(run, unit).parent.mkdir(exist_ok=True)
        noise = np.random.default_rng(unit.seed).normal(0.0, 0.005, 20_000)
        # A standard error of 2e-5 for the three together.
        np.save(walk_file(run, unit), noise - noise.mean() + mean)
    [row] = ladder_table(run, units, [result_of(unit, None, attainable=0.0, growth=0.0) for unit in units])
    assert row["mean_share"] is None
    assert (row["verdict"], row["passed"]) == (verdict, passed)


def test_a_walk_leaves_what_each_bar_earned(tmp_path, wanderer):
    run, unit = made_run(tmp_path), Unit("exact", "walk", "strong", 0)
    run_unit(run, unit, Line(), ROWS)
    growth = np.load(walk_file(run, unit))
    assert growth.shape == (ROWS[2] - 1,)
    assert json.loads(unit_file(run, unit).read_text())["share"] is None
    [row] = ladder_table(run, [unit], [json.loads(unit_file(run, unit).read_text())])
    assert row["passed"] is not None


def test_a_whole_run_saves_table_and_page_and_fails_where_a_cell_does(tmp_path, monkeypatch):
    plan = Plan((Unit("ppo", "sine", "strong", 0), Unit("ppo", "ar1", "strong", 0)), False, 1)
    shares = {"sine": 0.9, "ar1": 0.1}
    monkeypatch.setattr(
        "seawall.recipes.selftest_ladder.climb",
        lambda run, units, on_progress: [result_of(unit, shares[unit.rung]) for unit in units],
    )
    document = run_selftest(plan, tmp_path, lambda name, message: None)
    assert [row["passed"] for row in document["ladder"]] == [True, False]
    assert document["passed"] is False
    assert json.loads((Path(document["run"]) / "selftest.json").read_text()) == document
    assert "1 failed" in Path(document["page"]).read_text(encoding="utf-8")


def test_the_candles_count_where_the_plan_has_them(tmp_path):
    plan = Plan((), True, 3)
    document = run_selftest(plan, tmp_path, lambda name, message: None, lambda: {"passed": False})
    assert (document["passed"], document["page"], document["ladder"]) == (False, None, [])


@pytest.mark.parametrize("agent", ["exact", "ppo"])
def test_choices_of_a_network_are_those_that_its_policy_makes_when_asked(agent):
    ladder = ladder_market("regime", "strong", 0, ROWS)
    policy, rows = LADDER_AGENTS[agent].build(ladder, 0).policy(), RowRange(0, 400)
    # A fresh network tells its positions barely apart.
    with torch.no_grad():
        policy.network.policy_head.weight[:, -1] = torch.tensor([0.02, -0.01, 0.0])
    asked = SimpleNamespace(act=policy.act)
    assert (policy_choices(policy, ladder, rows) == policy_choices(asked, ladder, rows)).all()
    assert len(np.unique(policy_choices(policy, ladder, rows), axis=0)) > 2
