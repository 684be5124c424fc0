"""Starting from the weights of an earlier run: the exact gradient first, then PPO on what hangs on the path."""

import json

import pytest
from safetensors.torch import load_file

from seawall.core.run_folder import RunFolder

POSITIONS_ALONE = ("environment.account_columns=[target]", "environment.guard_columns=false")
EXACT = ("agent={kind: exact, total_steps: 8192, n_segments: 4, gradient_steps: 4}", *POSITIONS_ALONE)
STOPS = ("simulator.stop_loss_bps=100", *POSITIONS_ALONE)


@pytest.fixture(scope="module")
def learned(small_recipe, tmp_path_factory):
    """The folder of runs in which the exact gradient has trained one run of two seeds."""
    from seawall.cli.main import run

    runs = tmp_path_factory.mktemp("learned")
    assert run(["train", str(small_recipe), "--runs", str(runs), *EXACT]) == 0
    return runs, RunFolder.find(runs, "latest")


def test_ppo_goes_on_from_the_exact_gradients_weights_and_the_run_keeps_them(seawall, small_recipe, learned):
    runs, earlier = learned
    words = ("training.n_seeds=3", "agent.learning_rate=1e-12", "agent.weight_decay=0", f"training.start_from={earlier.path}")
    assert seawall("train", small_recipe, "--runs", runs, *STOPS, *words).code == 0
    run = RunFolder.find(runs, "latest")
    before = [load_file(earlier.bundle / f"member-{number}.safetensors") for number in range(2)]
    after = [load_file(run.bundle / f"member-{number}.safetensors") for number in range(3)]
    # Steps of 1e-12 leave every weight where it began; the third seed begins where the first did.
    for weights, number in zip(after, (0, 1, 0), strict=True):
        for name, tensor in before[number].items():
            assert (weights[name] - tensor).abs().max() < 1e-7, name
    assert json.loads((run.path / "start" / "bundle.json").read_text())["seeds"] == [0, 1]


def test_weights_of_another_network_or_of_another_account_row_are_refused(seawall, small_recipe, learned):
    runs, earlier = learned
    others = ("network.hidden=64", *POSITIONS_ALONE), ("environment.account_columns=[side]", "environment.guard_columns=false")
    for changed in others:
        refused = seawall("train", small_recipe, "--runs", runs, *changed, f"training.start_from={earlier.path}")
        assert refused.code == 2
        assert "it was trained with other inputs" in refused.err
        assert RunFolder.find(runs, "latest").path.name >= earlier.path.name


def test_weights_that_have_seen_what_this_run_is_judged_on_are_refused(seawall, small_recipe, learned):
    runs, earlier = learned
    split = "split={train: 0.4, validation: 0.1, test: 0.5}"
    refused = seawall("train", small_recipe, "--runs", runs, *STOPS, split, f"training.start_from={earlier.path}")
    assert refused.code == 2
    assert "scaler" in refused.err or "has seen bars up to" in refused.err
