import json

import numpy as np
import pytest

from seawall.core.errors import ConfigError
from seawall.core.logs import run_logger
from seawall.core.run_folder import RunFolder
from seawall.core.seeding import derived_seed, generator


def test_a_stream_depends_on_its_seed_and_name_only():
    first = generator(7, "minibatches").random(4)
    generator(7, "another").random(100)
    assert np.array_equal(first, generator(7, "minibatches").random(4))
    assert not np.array_equal(first, generator(8, "minibatches").random(4))
    assert not np.array_equal(first, generator(7, "episodes").random(4))


def test_derived_seeds_fit_in_a_signed_64_bit_integer():
    seeds = {derived_seed(seed, "torch") for seed in range(100)}
    assert len(seeds) == 100
    assert 0 <= min(seeds) <= max(seeds) < 2**63


def _run(root, recipe="tradernet", digest="abcdef0123"):
    run = RunFolder.create(root, recipe, digest)
    run.recipe.write_text("name: tradernet\n")
    return run


def test_two_runs_of_one_second_get_two_folders(tmp_path):
    assert len({_run(tmp_path).path for _ in range(3)}) == 3


def test_a_run_is_found_by_path_by_beginning_and_as_latest(tmp_path):
    run = _run(tmp_path)
    assert RunFolder.find(tmp_path, str(run.path)) == run
    assert RunFolder.find(tmp_path, f"tradernet/{run.path.name}") == run
    assert RunFolder.find(tmp_path, run.path.name[:12]) == run
    assert RunFolder.find(tmp_path, "latest") == run


def test_latest_is_the_newest_over_all_recipes(tmp_path):
    for recipe, name in (("zoo", "20250101T000000-a"), ("alpha", "20260101T000000-b"), ("mid", "20240101T000000-c")):
        folder = tmp_path / recipe / name
        folder.mkdir(parents=True)
        (folder / "recipe.yaml").write_text("")
    assert RunFolder.find(tmp_path, "latest").path.name == "20260101T000000-b"


def test_an_unknown_or_ambiguous_run_is_refused_with_what_was_found(tmp_path):
    with pytest.raises(ConfigError, match="there is no run under"):
        RunFolder.find(tmp_path, "latest")
    first, second = _run(tmp_path), _run(tmp_path)
    with pytest.raises(ConfigError, match=r"found: none"):
        RunFolder.find(tmp_path, "1999")
    with pytest.raises(ConfigError, match=second.path.name):
        RunFolder.find(tmp_path, first.path.name[:4])


def test_secrets_never_reach_the_log(tmp_path):
    log = run_logger(tmp_path / "log.jsonl", seed=3)
    log.info("connected", venue="binance", api_key="K123", apiSecret="S456", password="P789")
    line = (tmp_path / "log.jsonl").read_text()
    assert {"seed": 3, "venue": "binance"}.items() <= json.loads(line).items()
    assert not any(secret in line for secret in ("K123", "S456", "P789"))
