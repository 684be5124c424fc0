"""What a leak check found of a run is kept in its folder, and is of one recipe."""

from __future__ import annotations

import json

import pytest

from seawall.core.errors import DataError
from seawall.core.run_folder import RunFolder
from seawall.evaluation.evidence import LeakCheck
from seawall.evaluation.leaks.findings import Finding, Judgement
from seawall.recipes.leak_record import FILE, check_and_keep, keep, kept

LEAK = Judgement("mine", "features", (Finding("x", "x changes with the close of the next bar", 1),))


def test_nothing_is_known_before_anybody_looked(tmp_path):
    assert kept(RunFolder(tmp_path), "abc") == LeakCheck("not run", "nobody looked for leaks")


def test_what_was_found_is_kept_for_this_recipe_alone(tmp_path):
    run = RunFolder(tmp_path)
    found = keep(run, "abc", [Judgement("mine", "scaler"), LEAK])
    assert found == LeakCheck("leak", "mine: x changes with the close of the next bar")
    assert kept(run, "abc") == found
    assert kept(run, "other").verdict == "not run"
    assert keep(run, "abc", [Judgement("mine", "scaler")]).verdict == "clean"
    assert kept(run, "abc").verdict == "clean"


def test_what_could_not_be_judged_is_not_clean(tmp_path):
    found = keep(RunFolder(tmp_path), "abc", [Judgement("mine", "scaler", problem="too few bars")])
    assert found == LeakCheck("not run", "mine could not be judged: too few bars")

    def gone():
        raise DataError("btc.parquet is missing")

    assert check_and_keep(RunFolder(tmp_path), "abc", gone) == LeakCheck("not run", "btc.parquet is missing")


def test_a_damaged_record_is_refused(tmp_path):
    (tmp_path / FILE).write_text(json.dumps({"recipe_hash": "abc", "verdict": "fine"}))
    with pytest.raises(DataError, match="verdict 'fine'; allowed: clean, leak, not run"):
        kept(RunFolder(tmp_path), "abc")
