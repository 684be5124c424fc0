"""A policy on a frozen encoder: what it is refused, what stays frozen, and that backtests see what live will."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from seawall.agents.frozen import FrozenWindows, frozen_windows
from seawall.agents.policy import NetworkPolicy
from seawall.core.errors import ConfigError, DataError
from seawall.core.protocols import Observation
from seawall.nets.pretraining import FrozenEncoder
from seawall.nets.tcn import TcnEncoder
from seawall.recipes.assembly import Parts
from seawall.recipes.dataset import Dataset
from seawall.recipes.experiment import create_run, load_run_recipe, train_seed
from seawall.recipes.pretrained import kept_encoder
from seawall.recipes.pretraining import create_pretraining, encoder_recipe, pretrain_run
from seawall.recipes.schema import load_recipe
from seawall.training.pretraining.embedding import embed

SMALL = ("smoke=true", "training.n_seeds=1", "training.workers=1")


@pytest.fixture(scope="module")
def first_stage(tmp_path_factory):
    """A pre-trained encoder, and the recipe that it is for."""
    folder = tmp_path_factory.mktemp("first")
    recipe = load_recipe("two-stage", SMALL)
    run = create_pretraining(encoder_recipe(recipe), recipe.pretraining, folder / "runs", folder / "data")
    pretrain_run(run, lambda _told: None)
    return recipe, run, folder


@pytest.fixture(scope="module")
def second_stage(first_stage):
    """A run on that encoder, not trained yet."""
    recipe, run, folder = first_stage
    return create_run(recipe.model_copy(update={"encoder": str(run.path)}), folder / "runs", folder / "data")


def parts_of(run):
    return Parts(load_run_recipe(run), Dataset.load(run), encoder=kept_encoder(run))


def test_training_changes_the_heads_and_leaves_the_encoder_as_it_was_taught(second_stage):
    parts = parts_of(second_stage)
    learner = parts.learner(0)
    before = learner.weights()
    learner.update()
    after = learner.weights()
    encoder = {name for name in before if name.startswith("actor_encoder.")}
    assert encoder
    taught = parts.encoder.weights
    assert all(torch.equal(after[name], taught[name.removeprefix("actor_encoder.encoder.")]) for name in encoder)
    assert not torch.equal(before["policy_head.hidden.weight"], after["policy_head.hidden.weight"])


def test_the_learner_is_shown_what_the_encoder_makes_of_each_window_and_nothing_of_the_test_rows(second_stage):
    parts = parts_of(second_stage)
    market, window = parts.lesson
    split, own = parts.dataset.split, parts.recipe.environment.window
    assert (window, own) == (1, 32)
    rows = np.arange(split.train.start, split.train.start + 64)
    features = np.asarray(parts.dataset.market.features)
    each = embed(parts.frozen_encoder(0), features, rows[::-1].copy(), own)[::-1]
    assert np.allclose(market.features[rows], each, atol=1e-5)
    assert np.isnan(market.features[split.validation.stop :]).all()
    assert np.isfinite(market.features[split.train.start : split.validation.stop]).all()


def test_one_pass_over_all_rows_gives_what_each_window_alone_gives():
    torch.manual_seed(0)
    encoder = TcnEncoder(5, 64, (8, 8, 8), pool="last", embedding=6)
    features = np.random.default_rng(0).standard_normal((9_000, 5)).astype(np.float32)
    rows = np.arange(63, 9_000)
    assert (encoder.receptive_field, encoder.same_along) == (29, True)
    together = embed(encoder, features, rows, 64)
    alone = embed(encoder, features, rows[::-1].copy(), 64)[::-1]
    assert np.abs(together - alone).max() < 1e-5
    assert not TcnEncoder(5, 28, (8, 8, 8)).same_along
    assert not TcnEncoder(5, 64, (8, 8, 8), pool="flatten").same_along


def test_a_backtest_encodes_a_row_as_live_does_whatever_stands_beside_it(second_stage):
    parts = parts_of(second_stage)
    network = parts.starting_network(0)
    windows = FrozenWindows(network.actor_encoder, 32)
    market = parts.dataset.market
    first = parts.dataset.split.train.start
    rows = np.arange(first, first + 16)
    account = np.zeros((len(rows), len(parts.account_names)), np.float32)
    together = windows(Observation(market, rows, account))
    for place, row in enumerate(rows):
        live = FrozenWindows(network.actor_encoder, 32)(Observation(market, rows[place : place + 1], account[:1]))
        assert torch.equal(live[0], together[place]), row
    policy = NetworkPolicy(network, 32)
    seen = NetworkPolicy(network, 32, windows=windows)
    assert np.allclose(
        policy.probabilities(Observation(market, rows, account)), seen.probabilities(Observation(market, rows, account)), atol=1e-6
    )


def test_another_market_is_encoded_anew_and_equal_encoders_share_their_encodings(second_stage):
    parts = parts_of(second_stage)
    encoder, market = parts.frozen_encoder(0), parts.dataset.market
    windows = frozen_windows(encoder, 32)
    assert frozen_windows(parts.frozen_encoder(1), 32) is windows
    assert frozen_windows(encoder, 31) is not windows
    rows, account = np.array([parts.dataset.split.train.start]), np.zeros((1, 1), np.float32)
    first = windows(Observation(market, rows, account))
    other = replace(market, features=np.asarray(market.features) + 1.0)
    assert not torch.equal(windows(Observation(other, rows, account)), first)


def test_the_run_keeps_its_encoder_and_its_bundle_needs_no_other_file(second_stage, first_stage):
    _recipe, first, _folder = first_stage
    kept = json.loads((second_stage.path / "encoder" / "encoder.json").read_text())
    assert kept == json.loads((first.path / "encoder" / "encoder.json").read_text())
    network = parts_of(second_stage).network(0)
    assert isinstance(network.actor_encoder, FrozenEncoder)
    assert not any(parameter.requires_grad for parameter in network.actor_encoder.parameters())


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["split={train: 0.5, validation: 0.25, test: 0.25}"], "scaler"),
        (["environment.window=31"], "window"),
        (["network.channels=[8,8]"], "do not fit the network"),
        (["features.scaling=minmax"], "scaling"),
        (["features.scaling=none"], "scaling"),
    ],
)
def test_an_encoder_of_other_inputs_is_refused_and_leaves_no_run(overrides, said, first_stage):
    _recipe, run, folder = first_stage
    recipe = load_recipe("two-stage", [*SMALL, *overrides, f"encoder={run.path}"])
    with pytest.raises(DataError, match=said):
        create_run(recipe, folder / "refused", folder / "data")
    assert not list(Path(folder / "refused").glob("*/*"))


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["agent=dqn"], "pretraining freezes the encoder, which agent 'dqn' would train; allowed: ppo, replay_ppo, exact"),
        (["network.shared_encoder=false"], "network.shared_encoder must be true"),
        (["pretraining=null", "encoder=latest"], "encoder is 'latest' and pretraining is null"),
    ],
)
def test_what_cannot_use_an_encoder_is_refused(overrides, said):
    with pytest.raises(ConfigError) as refused:
        load_recipe("two-stage", [*SMALL, *overrides])
    assert said in str(refused.value)


def test_a_first_stage_is_no_run_to_train(first_stage):
    _recipe, run, _folder = first_stage
    (run.path / "encoder").rename(run.path / "aside")
    try:
        with pytest.raises(DataError, match="go on with: seawall pretrain"):
            train_seed(str(run.path), 0, None)
    finally:
        (run.path / "aside").rename(run.path / "encoder")
