"""What is known of a run beside its ledgers: trials, who looked at its test bars before, and leaks."""

from __future__ import annotations

from seawall.core.run_folder import RunFolder
from seawall.core.trials import Trial, record, record_sharpe
from seawall.evaluation.leaks.findings import Finding, Judgement
from seawall.recipes.background import background_of

LEAK = Judgement("mine", "features", (Finding("x", "x changes with the close of the next bar", 1),))
FIRST, OWN = Trial("bars", "a", "one"), Trial("bars", "b", "two")


def known(tmp_path, *, own_rows=True):
    run = RunFolder(tmp_path / "two" / "run")
    run.path.mkdir(parents=True, exist_ok=True)
    return background_of(run, OWN, "abc", lambda: [LEAK], own_rows=own_rows)


def test_trials_of_a_run_that_no_registry_knows_are_unknown(tmp_path):
    assert known(tmp_path).trials is None
    record(tmp_path, FIRST)
    assert known(tmp_path).trials is None
    record(tmp_path, OWN)
    assert known(tmp_path).trials == 2


def test_whoever_looked_at_the_test_bars_before_is_named_and_others_bars_were_not_looked_at(tmp_path):
    record(tmp_path, FIRST)
    record_sharpe(tmp_path, FIRST, 0.1)
    record(tmp_path, OWN)
    told = known(tmp_path).seen_before
    assert told.startswith("one was judged on it at ")
    assert told.endswith(", before this configuration was tried")
    assert known(tmp_path, own_rows=False).seen_before == ""


def test_a_result_that_is_too_good_is_checked_and_what_is_found_is_kept(tmp_path):
    record(tmp_path, OWN)
    assert known(tmp_path).leaks_of("").verdict == "not run"
    assert known(tmp_path).leaks_of("a Sharpe ratio of 9").verdict == "leak"
    assert known(tmp_path).leaks_of("").verdict == "leak"
