"""PPO over portfolios with an autoencoder that learns along."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from agents.small_portfolio_learner import LOOK, learner, small_market
from envs.small_panels import READY, batch
from seawall.agents.bundle import weights_hash
from seawall.agents.joint_ppo import JointPPO, JointPPOParams
from seawall.agents.joint_ppo.plateau import Plateau
from seawall.agents.joint_ppo.policy import PortfolioEnsemble, PortfolioPolicy
from seawall.agents.ppo.batches import Batch, whole_batch
from seawall.core.errors import ConfigError, DataError, InvariantError
from seawall.core.market import RowRange
from seawall.core.protocols import Observation
from seawall.core.seeding import generator
from seawall.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint


def collected(made: JointPPO, exploration: float) -> Batch:
    rollout = made._collector.collect(exploration, 0).rollout
    shape = rollout.rewards.shape
    advantages = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    batch_of = whole_batch(rollout, advantages, advantages, None)
    return Batch(**{name: tensor.clone() for name, tensor in vars(batch_of).items()})


@pytest.mark.parametrize("exploration", [0.0, 0.075, 0.5])
@pytest.mark.parametrize("network", [{}, {"reducer": "dense"}, {"tokens": "assets"}])
def test_every_ratio_is_one_before_the_first_step(exploration, network):
    made = learner(network=network)
    losses = made.losses(collected(made, exploration), exploration)
    # The same numbers in batches of other sizes differ in their last bits.
    np.testing.assert_allclose(losses.log_ratios.detach().numpy(), 0.0, atol=1e-5)


def test_the_ratio_is_that_of_the_mixture_and_not_of_the_policy_alone():
    made = learner()
    seen = collected(made, 0.5)
    assert made.losses(seen, 0.0).log_ratios.abs().max() > 0.1


def test_the_policy_loss_alone_reaches_every_weight_of_the_encoder_and_none_of_the_decoder():
    for reducer, decoding in (("dense", ("decoder",)), ("shared", ("part", "asset_decoder"))):
        made = learner(network={"reducer": reducer})
        made.losses(collected(made, 0.1), 0.1).policy.backward()
        for name, parameter in made.network.reducer.named_parameters():
            norm = 0.0 if parameter.grad is None else float(parameter.grad.norm())
            assert (norm == 0.0) == name.startswith(decoding), name


def test_the_joint_loss_weighs_its_parts_as_published():
    made = learner()
    losses = made.losses(collected(made, 0.1), 0.1)
    policy = losses.policy + 0.5 * losses.value - 0.01 * losses.entropy
    assert made.joint(losses).item() == pytest.approx((0.7 * policy + 0.3 * losses.reconstruction).item(), rel=1e-6)


def test_an_update_moves_autoencoder_and_policy_and_tells_of_both():
    made = learner()
    before = {name: tensor.clone() for name, tensor in made.weights().items()}
    told = made.update()
    moved = {name for name, tensor in made.weights().items() if not torch.equal(tensor, before[name])}
    assert any(name.startswith("reducer.asset_encoder") for name in moved)
    assert any(name.startswith("actor") for name in moved)
    assert made.steps == told["steps"] == 32
    names = {
        "entropy", "clip_fraction", "approx_kl", "reconstruction_accuracy", "reconstruction_r2", "encoder_loss", "turnover",
        "growth", "benchmark_growth", "advantage_mean", "advantage_deviation", "exploration",
    }  # fmt: skip
    assert names <= told.keys()
    assert all(np.isfinite(value) for value in told.values())
    assert told["growth"] == pytest.approx(told["mean_reward"], rel=1e-9)
    assert told["exploration"] == 0.075


def test_step_sizes_differ_tenfold_between_autoencoder_and_policy():
    made = learner(n_epochs=1, minibatch=32)
    before = made.weights()
    made.update()
    steps = {name: float((tensor - before[name]).abs().max()) for name, tensor in made.weights().items()}
    # Adam's first step is its step size for every weight with a gradient.
    assert steps["reducer.mix.2.weight"] == pytest.approx(5e-5, rel=1e-2)
    assert steps["trunk.0.weight"] == pytest.approx(5e-4, rel=1e-2)


def test_the_reconstruction_improves_where_it_is_all_that_is_learned():
    settings = {"policy_weight": 1e-9, "reconstruction_weight": 1.0, "encoder_learning_rate": 3e-3, "n_epochs": 8}
    made = learner(network={"reducer": "dense", "latent": 24}, **settings)
    told = [made.update()["reconstruction_r2"] for _ in range(12)]
    assert told[-1] > told[0] + 0.2


def test_the_autoencoder_can_learn_alone_first_and_the_policy_stays_as_it_was():
    made, shown = learner(pretrain_epochs=20, pretrain_learning_rate=3e-3), RowRange(READY + 3, 150)
    with pytest.raises(ConfigError, match="pretrain_epochs is 20 and no rows were given"):
        made.update()
    made.pretraining_rows = shown
    before = made.weights()
    error = made._pretrain()["pretraining_loss"]
    moved = {name for name, tensor in made.weights().items() if not torch.equal(tensor, before[name])}
    assert {name.startswith("reducer.") for name in moved} == {True}
    again = learner(pretrain_epochs=1, pretrain_learning_rate=3e-3)
    again.pretraining_rows = shown
    assert error < 0.8 * again.update()["pretraining_loss"]
    assert "pretraining_loss" not in again.update()


@pytest.mark.parametrize("encoder", ["adam", "adafactor"])
def test_a_resumed_training_ends_with_the_weights_of_one_that_never_stopped(encoder, tmp_path: Path):
    whole = learner(encoder_optimiser=encoder)
    for _ in range(4):
        whole.update()
    first = learner(encoder_optimiser=encoder)
    for _ in range(2):
        first.update()
    save_checkpoint(tmp_path / "kept", Checkpoint(*first.state(), first.weights(), {}))
    saved = load_checkpoint(tmp_path / "kept")
    assert saved is not None
    second = learner(seed=0, encoder_optimiser=encoder)
    second.update()
    second.load_state(saved.tensors, saved.values)
    told = [second.update() for _ in range(2)]
    assert weights_hash(second.weights()) == weights_hash(whole.weights())
    assert told[-1]["rolling_reward"] == np.mean(whole._plateau.state()["rewards"])


def test_another_seed_gives_other_weights_and_the_same_one_the_same():
    hashes = []
    for seed in (0, 0, 1):
        made = learner(seed=seed)
        made.update()
        hashes.append(weights_hash(made.weights()))
    assert hashes[0] == hashes[1] != hashes[2]


def test_moments_of_another_network_are_refused():
    made = learner()
    made.update()
    tensors, values = made.state()
    wrong = {name: torch.zeros(3) if name.startswith("moments") and name.endswith("exp_avg") else t for name, t in tensors.items()}
    with pytest.raises(DataError, match="saved moments"):
        learner().load_state(wrong, values)


def test_step_sizes_halve_after_so_many_updates_without_a_better_rolling_reward_and_stop_at_the_floor():
    params = JointPPOParams(reward_window=2, warmup_updates=1, patience_updates=3, rate_floor=1e-4)
    plateau = Plateau(params)
    factors = []
    for reward in (9.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 8.0, 8.0):
        plateau.tell(reward)
        factors.append(plateau.factor)
    # The 9 came during the warm-up; the best rolling mean is the 5 after it, which three updates do not reach.
    assert factors == [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25]
    assert plateau.rate(5e-4) == 1.25e-4
    assert plateau.rate(2e-4) == 1e-4
    assert plateau.rate(5e-5) == 5e-5
    again = Plateau(params)
    again.load_state(plateau.state())
    assert again.tell(3.0) == plateau.tell(3.0) == 5.5


def test_exploration_fades_to_its_floor():
    params = JointPPOParams()
    assert [round(params.exploration_at(n), 6) for n in (0, 1, 5_000)] == [0.075, 0.074963, 0.02]


def test_the_policy_gives_mean_weights_and_an_ensemble_their_mean():
    one, other = learner(0), learner(1)
    other.update()
    env = batch(6)
    seen = env.reset(seed=3)[0]
    observation = Observation(small_market(), seen["row"], seen["account"])
    weights = [made.policy().act(observation)[0] for made in (one, other)]
    ensemble = PortfolioEnsemble([one.policy(), other.policy()])
    together, details = ensemble.act(observation)
    np.testing.assert_allclose(together, np.mean(weights, axis=0), rtol=1e-12)
    np.testing.assert_allclose(together.sum(1), 1.0, atol=1e-12)
    assert details["concentrations"].shape == (6, 4)
    env.step(together)


def test_draws_need_a_generator_and_lie_about_the_mean():
    made = learner()
    seen = batch(2).reset(seed=3)[0]
    observation = Observation(small_market(), seen["row"], seen["account"])
    with pytest.raises(ConfigError, match="no generator"):
        made.policy().act(observation, deterministic=False)
    policy = PortfolioPolicy(made.network, LOOK, generator=generator(0, "acting"))
    drawn = np.mean([policy.act(observation, deterministic=False)[0] for _ in range(1_000)], axis=0)
    # A weight deviates by 0.16 where all parameters are about 1.7.
    np.testing.assert_allclose(drawn, policy.act(observation)[0], atol=4 * 0.16 / np.sqrt(1_000))  # four standard errors
    with pytest.raises(ConfigError, match="0 portfolio policies"):
        PortfolioEnsemble([])


def test_parts_that_do_not_fit_are_refused():
    made = learner()
    with pytest.raises(ConfigError, match="n_envs is 4 and the environment steps 3"):
        JointPPO(batch(3), made.network, made.params, market=small_market(), look=LOOK, seed=0)
    with pytest.raises(ValueError, match="minibatch 24 does not divide the 32 samples"):
        learner(minibatch=24)
    with pytest.raises(ValueError, match="exploration_floor"):
        JointPPOParams(exploration=0.01)


def test_a_training_that_diverges_says_what_to_change_and_saves_the_batch(tmp_path: Path):
    made = learner()
    made.failure_folder = tmp_path
    with torch.no_grad():
        made.network.reducer.asset_decoder[0].bias.fill_(float("nan"))
    with pytest.raises(InvariantError, match=r"reconstruction_loss of gradient step 0 is not finite; lower learning_rate 0\.0005"):
        made.update()
    assert (tmp_path / "batch-at-step-0" / "batch.safetensors").is_file()


def test_half_digits_act_as_they_learn():
    made = learner(precision="bf16")
    losses = made.losses(collected(made, 0.1), 0.1)
    assert losses.log_ratios.abs().max() < 0.05
    assert np.isfinite(made.update()["encoder_loss"])
