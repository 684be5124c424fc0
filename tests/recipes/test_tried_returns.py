"""How overfitted a choice among configurations is, from what their runs keep: the registry of trials, and a ledger each."""

from __future__ import annotations

import json
import shutil
from math import comb
from pathlib import Path

import numpy as np
import pytest

from evaluation.worlds import FREE, edge_world, exposures_ledger, facts, random_market, straight
from seawall.core.run_folder import RunFolder
from seawall.core.trials import Trial, kept_ledgers, record, record_sharpe
from seawall.evaluation.bootstrap import BootstrapParams
from seawall.evaluation.evaluate import evaluate
from seawall.evaluation.ledger import Ledger, Ledgers
from seawall.evaluation.params import EvaluationParams
from seawall.evaluation.skill_words import skill_rows
from seawall.evaluation.statistics.overfitting import backtest_overfitting
from seawall.evaluation.tried import choice_among
from seawall.recipes.background import JudgedAs, background_of
from seawall.recipes.tried_returns import ELSEWHERE, GONE, NOT_JUDGED, kept_ledger

COSTS = {"taker_bps": 10.0}
NOISE = random_market(3, 321)


def trial(config: str) -> Trial:
    return Trial("bars", config, config, "", "1h", 1, 2)


def judged(runs: Path, config: str, ledger: Ledger, *, name: str = "1", costs: dict | None = None) -> RunFolder:
    """A run as it is after its judgement: a folder with ledgers, and two lines in the registry."""
    run = RunFolder(runs / config / f"20260101T00000{name}")
    Ledgers(ledger, {0: ledger}, {}).write(run.ledger)
    record(runs, trial(config))
    record_sharpe(runs, trial(config), 0.1, kept_ledger(run.ledger, ledger, costs or COSTS))
    return run


def asked(run: RunFolder, config: str, ledger: Ledger):
    """What is known of a run's choice when it is judged."""
    background = background_of(run, trial(config), "abc", list, judged_as=JudgedAs(run.ledger, COSTS))
    return choice_among(ledger.returns(), background.tried(ledger))


def random_ledger(seed: int, market=NOISE) -> Ledger:
    rng = np.random.default_rng(seed)
    return exposures_ledger(market, rng.integers(-1, 2, len(market) - 1).tolist(), FREE)


def noise_ledger(seed: int, template: Ledger) -> Ledger:
    """A ledger whose returns are noise."""
    returns = np.random.default_rng(seed).normal(0.0, 0.01, len(template.frame))
    return Ledger(template.frame.assign(equity=1e4 * np.cumprod(1.0 + returns)), 1e4, template.timestamps_ms)


def test_holding_or_not_on_a_market_of_rising_and_falling_blocks_is_known_by_hand(tmp_path):
    # Sixteen blocks of twenty bars rise (+1.1 % a bar) and fall (-1 %) in turn. Who holds is ahead of who is flat where a half has
    # as many rising blocks as falling ones, or more. So the best of a half is the worse on the other, unless both have four.
    steps = np.tile(np.concatenate([np.tile([1.012, 1.010], 10), np.tile([0.991, 0.989], 10)]), 8)
    market = straight(*(100.0 * np.cumprod(np.concatenate([[1.0], steps]))))
    long, flat = (exposures_ledger(market, [level] * 320, FREE) for level in (1, 0))
    run = judged(tmp_path, "long", long)
    judged(tmp_path, "flat", flat)
    found = asked(run, "long", long)
    assert found.probability.value == pytest.approx(1.0 - comb(8, 4) ** 2 / comb(16, 8), abs=1e-12)
    assert (found.configurations, found.to_dict()["splits"]) == (2, comb(16, 8))


def test_the_same_number_comes_whichever_run_is_judged_last_and_wherever_the_folder_is_moved(tmp_path):
    ledgers = {f"config {seed}": random_ledger(seed) for seed in range(5)}
    runs = {name: judged(tmp_path / "runs", name, ledger) for name, ledger in ledgers.items()}
    found = {name: asked(runs[name], name, ledger).to_dict() for name, ledger in ledgers.items()}
    assert all(each == found["config 0"] for each in found.values())
    together = backtest_overfitting(np.column_stack([ledger.returns() for ledger in ledgers.values()]))
    assert found["config 0"]["value"] == together.probability.value
    assert found["config 0"]["slope"] == together.slope.value
    shutil.move(tmp_path / "runs", tmp_path / "moved")
    moved = RunFolder(tmp_path / "moved" / runs["config 0"].path.relative_to(tmp_path / "runs"))
    assert asked(moved, "config 0", ledgers["config 0"]).to_dict() == found["config 0"]


@pytest.mark.slow
def test_on_noise_the_mean_over_markets_is_one_half(tmp_path):
    found, template = [], exposures_ledger(random_market(1, 161), [1] * 160, FREE)
    for seed in range(24):
        runs = tmp_path / str(seed)
        ledgers = [noise_ledger(100 * seed + number, template) for number in range(4)]
        made = [judged(runs, str(number), ledger) for number, ledger in enumerate(ledgers)]
        found.append(asked(made[0], "0", ledgers[0]).probability.value)
    # One market scatters by some 0.2, so the mean of 24 by 0.045; two of these.
    assert np.mean(found) == pytest.approx(0.5, abs=0.09)
    assert 0.1 < np.std(found) < 0.35


def test_of_several_runs_of_one_configuration_the_newest_stands_for_it(tmp_path):
    rival, old, new = random_ledger(1), random_ledger(2), random_ledger(3)
    other = judged(tmp_path, "a", rival)
    earlier, later = judged(tmp_path, "b", old, name="1"), judged(tmp_path, "b", new, name="2")
    expected = backtest_overfitting(np.column_stack([rival.returns(), new.returns()])).probability.value
    assert expected != backtest_overfitting(np.column_stack([rival.returns(), old.returns()])).probability.value
    assert [asked(*each).probability.value for each in ((other, "a", rival), (earlier, "b", old), (later, "b", new))] == [
        expected
    ] * 3
    shutil.rmtree(later.path)
    fallen_back = backtest_overfitting(np.column_stack([rival.returns(), old.returns()])).probability.value
    assert asked(other, "a", rival).probability.value == fallen_back


def test_what_does_not_count_is_told(tmp_path):
    own = random_ledger(1)
    run = judged(tmp_path, "own", own)
    gone, damaged = judged(tmp_path, "gone", random_ledger(2)), judged(tmp_path, "damaged", random_ledger(3))
    shutil.rmtree(gone.path)
    damaged.ledger.write_bytes(b"PAR1")
    judged(tmp_path, "costs", random_ledger(4), costs={"taker_bps": 0.0})
    judged(tmp_path, "bars", random_ledger(5, random_market(5, 322)))
    record(tmp_path, trial("waiting"))
    record(tmp_path, trial("from before"))
    record_sharpe(tmp_path, trial("from before"), 0.3)
    found = asked(run, "own", own)
    assert found.left_out == {NOT_JUDGED: 2, ELSEWHERE: 2, GONE: 2}
    assert found.configurations == 1
    assert found.probability.value is None
    assert found.probability.reason.startswith("1 configuration is no choice (of the others 2 ")
    judged(tmp_path, "counts", random_ledger(6))
    assert asked(run, "own", own).configurations == 2


def test_a_ledger_whose_bars_are_not_those_that_were_noted_does_not_count(tmp_path):
    own, other = random_ledger(1), random_ledger(2)
    run, changed = judged(tmp_path, "own", own), judged(tmp_path, "other", other)
    later = random_ledger(2, random_market(3, 340))
    Ledgers(later, {0: later}, {}).write(changed.ledger)
    assert asked(run, "own", own).left_out == {GONE: 1}


def test_too_few_bars_and_a_run_that_is_judged_otherwise_are_undefined(tmp_path):
    market = random_market(1, 20)
    own, other = random_ledger(1, market), random_ledger(2, market)
    run = judged(tmp_path, "own", own)
    judged(tmp_path, "other", other)
    assert asked(run, "own", own).probability.reason == "19 bars are too few for 16 blocks; at least 32 are needed"
    changed = background_of(run, trial("own"), "abc", list).tried(own)
    assert choice_among(own.returns(), changed).probability.reason.startswith("judged otherwise than its recipe says")


def test_the_registry_names_each_ledger_once_and_relative_to_itself(tmp_path):
    run = judged(tmp_path, "own", random_ledger(1))
    record_sharpe(tmp_path, trial("own"), 0.2, kept_ledger(run.ledger, random_ledger(1), {}))
    [[kept]] = kept_ledgers(tmp_path, trial("own")).values()
    assert kept == kept_ledger(run.ledger, random_ledger(1), {})
    lines = [json.loads(line) for line in (tmp_path / "trials.jsonl").read_text().splitlines()]
    assert lines[1]["ledger"] == "own/20260101T000001/ledger.parquet"


def test_a_judgement_holds_it_and_the_page_says_what_it_means(tmp_path):
    candidates, setting = edge_world(False, rows=400, n_seeds=1)
    params = EvaluationParams(bootstrap=BootstrapParams(n_resamples=100))
    run = RunFolder(tmp_path / "own" / "20260101T000001")
    record(tmp_path, trial("own"))
    background = background_of(run, trial("own"), "abc", list, judged_as=JudgedAs(run.ledger, COSTS))
    alone, ledgers = evaluate(candidates, setting, params, facts(), None, background)
    assert alone.document["skill"]["pbo"]["reason"].startswith("1 configuration is no choice;")
    others = {name: ledgers.baselines[name] for name in ("random", "sma_cross", "momentum")}
    for name, ledger in others.items():
        judged(tmp_path, name, ledger)
    judgement, _ = evaluate(candidates, setting, params, facts(), None, background)
    found = judgement.document["skill"]["pbo"]
    expected = backtest_overfitting(np.column_stack([ledger.returns() for ledger in (*others.values(), ledgers.ensemble)]))
    assert (found["configurations"], found["splits"], found["value"]) == (4, 12_870, expected.probability.value)
    [row] = [row for row in skill_rows(judgement.document) if row["label"] == "Overfitting (PBO)"]
    assert row["value"] == f"{expected.probability.value:.3f}"
    assert "4 configurations" in row["words"]
    assert "12,870" in row["words"]
