from __future__ import annotations

from pathlib import Path

import pytest

from seawall.core.errors import ConfigError
from seawall.evaluation.leaks.worlds import judging_bars
from seawall.recipes import plugins
from seawall.recipes.experiment import create_run
from seawall.recipes.leakcheck_file import file_candidates
from seawall.recipes.plugins import TRUSTED, load_plugin
from seawall.recipes.schema import load_recipe
from seawall.simulator.rewards.terms import REWARD_TERMS

TERM = """
import numpy as np
from seawall.simulator.rewards.term import RewardTerm

def calm(bar):
    return -np.abs(bar.simple_return)

def peek(bar):
    return bar.market.prices[np.minimum(bar.row + 3, len(bar.market) - 1), 3] / bar.close - 1.0

REWARD_TERMS = {"calm": RewardTerm(calm, "minus the size of the return")}
"""
PEEK = TERM.replace('{"calm"', '{"peek": RewardTerm(peek, "the next three bars"), "calm"')


@pytest.fixture(autouse=True)
def untouched_registry(monkeypatch):
    terms, loaded, checked = dict(REWARD_TERMS), dict(plugins._LOADED), set(plugins._CHECKED)
    monkeypatch.delenv(TRUSTED, raising=False)
    yield
    for registry, before in ((REWARD_TERMS, terms), (plugins._LOADED, loaded), (plugins._CHECKED, checked)):
        registry.clear()
        registry.update(before)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(text)
    return path


def test_a_term_of_ones_own_is_weighed_by_its_name_and_its_file_kept_with_the_run(tmp_path):
    recipe = load_recipe(
        "tradernet",
        ["data.n_bars=3000", "simulator.reward.preset=log_return", "simulator.reward.weights.calm=0.1"],
        [written(tmp_path, TERM)],
    )
    assert recipe.simulator.reward.weights == {"log_return": 1.0, "calm": 0.1}
    assert list(recipe.plugins) == ["mine.py"]
    run = create_run(recipe, tmp_path / "runs", Path("data"))
    assert (run.path / "plugins" / "mine.py").read_text() == TERM


def test_a_recipe_whose_own_term_looks_ahead_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(ConfigError, match=r"reward term 'peek' looks ahead: .* 3 bars after it, and it declares a horizon of 0"):
        load_recipe("tradernet", ["simulator.reward.weights.peek=1"], [written(tmp_path, PEEK)])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("REWARD_TERMS = {'mine': 3}", "has int for 'mine' in REWARD_TERMS; allowed: RewardTerm"),
        ("REWARD_TERMS = {'log_return': 3}", "adds 'log_return' to REWARD_TERMS, where there is one of that name"),
    ],
)
def test_a_term_of_the_wrong_kind_or_of_a_name_that_is_taken_is_refused(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        load_plugin(written(tmp_path, text))


def test_a_leak_check_of_a_file_lists_its_reward_terms_with_their_verdicts(tmp_path):
    candidates, said = file_candidates(written(tmp_path, PEEK), judging_bars(0, 500))
    assert candidates == {}
    assert [(each.name, each.kind, each.verdict) for each in said] == [
        ("peek", "reward term", "leak"),
        ("calm", "reward term", "clean"),
    ]
    assert said[0].findings[0].how_far == "3 bars"
