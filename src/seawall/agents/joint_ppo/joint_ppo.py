"""PPO over portfolios, whose autoencoder learns with the policy.

Schulman et al. 2017, arXiv 1707.06347, with generalised advantages. Weights of cash and assets are drawn from a Dirichlet
distribution; a share of them is drawn from all weights alike, and ratios are made of the density of that mixture. The loss is

    policy_weight * (clipped surrogate + c_v * squared error of values - c_e * entropy) + reconstruction_weight * reconstruction

so that the autoencoder's code serves the policy as well as its inputs: windows are gathered and encoded anew in each gradient step.
Log densities are those of the collection. The step size of the autoencoder is its own; both fall where the reward stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple, NoReturn

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the name that torch users know)
from torch import Tensor

from seawall.agents.failure import stop_training
from seawall.agents.joint_ppo.dirichlet import concentrations, entropies, log_density
from seawall.agents.joint_ppo.optimiser import JointOptimiser
from seawall.agents.joint_ppo.params import JointPPOParams
from seawall.agents.joint_ppo.plateau import Plateau
from seawall.agents.joint_ppo.policy import PortfolioPolicy
from seawall.agents.joint_ppo.pretraining import pretrain
from seawall.agents.joint_ppo.rollout import Gathered, PortfolioCollector, Portfolios
from seawall.agents.losses import approximate_kl, clip_fraction, clipped_surrogate, explained_variance
from seawall.agents.ppo.batches import Batch, minibatches, whole_batch
from seawall.agents.returns import generalised_advantages
from seawall.agents.reward_scale import RewardScale
from seawall.agents.state import host_weights, join_state, load_weights, split_state
from seawall.core.errors import ConfigError
from seawall.core.market import Market, RowRange
from seawall.core.seeding import derived_seed
from seawall.nets.portfolio import Outlook, PortfolioNetwork
from seawall.nets.portfolio_windows import Look, PanelGatherer, panel_features

_CLOSE = 0.1
_TINY = 1e-8
_NAMES = ("policy_loss", "value_loss", "entropy", "reconstruction_loss", "encoder_loss", "gradient_norm")


class Losses(NamedTuple):
    """What a batch says of the network; scalars but for the log-ratios.

    Attributes:
        policy: The clipped surrogate, to be minimised.
        value: Mean squared error of the values.
        entropy: Mean entropy of the distributions, in nats.
        reconstruction: Mean squared error of what the autoencoder gives back.
        log_ratios: Log density now less that at the collection, shape (B,).
    """

    policy: Tensor
    value: Tensor
    entropy: Tensor
    reconstruction: Tensor
    log_ratios: Tensor


class JointPPO:
    """One learner: portfolios, a network, and where training stands.

    Attributes:
        failure_folder: Where the batch of a training that diverged is saved; None saves none.
        pretraining_rows: Training rows for the passes in which the autoencoder learns alone, each with a whole look before it.
        steps: Environment steps so far.
        updates: Rollouts that were learned from so far.
    """

    def __init__(
        self,
        env: Portfolios,
        network: PortfolioNetwork,
        params: JointPPOParams,
        *,
        market: Market,
        look: Look,
        seed: int,
        device: str = "cpu",
    ) -> None:
        """Reset the portfolios and take the first observation.

        Args:
            env: N portfolios that reset in the same step.
            network: Changed in place.
            params: Settings.
            market: The assets as series of one length; what the portfolios' rows refer to.
            look: What the network sees of each asset.
            seed: The run's seed.
            device: Where network and features live.

        Raises:
            ConfigError: `n_envs` is not what the environment steps, or the look does not fit the network.
        """
        if env.num_envs != params.n_envs:
            raise ConfigError(f"n_envs is {params.n_envs} and the environment steps {env.num_envs}; they must be the same")
        seen = (len(market.symbols), look.rows, look.columns)
        wanted = (network.shape.assets, network.shape.rows, network.shape.features)
        if seen != wanted:
            raise ConfigError(
                f"the look shows assets, rows and features {seen} and the network reads {wanted}; they must be the same"
            )
        self.env, self.params, self.look, self.device = env, params, look, torch.device(device)
        self.network = network.to(self.device)
        self.failure_folder: Path | None = None
        self.pretraining_rows: RowRange | Sequence[RowRange] | None = None
        self.steps = self.updates = 0
        self._seed = seed
        self._gather = PanelGatherer(panel_features(market, self.device), look)
        self._optimiser = JointOptimiser(self.network, params.encoder_optimiser)
        self._scale, self._plateau = RewardScale(params.n_envs, params.gamma), Plateau(params)
        self._collector = PortfolioCollector(env, self._see, params.n_steps, seed, self.device)

    @property
    def total_steps(self) -> int:
        """Environment steps of the whole training."""
        return self.params.total_steps

    def update(self) -> dict[str, float]:
        """Collect one rollout and learn from it.

        Returns:
            Diagnostics: losses, entropy, KL, clip fraction, gradient norm, explained variance, moments of the advantages, reward
            beside growth of portfolio and benchmark, turnover, quality of the reconstruction, exploration, step sizes, speed.

        Raises:
            ConfigError: The autoencoder is to learn alone, and no rows were given.
            InvariantError: A loss or reward is no longer finite; the message says what to change.
        """
        started, params, first = perf_counter(), self.params, {} if self.updates else self._pretrain()
        exploration = params.exploration_at(self.updates)
        gathered = self._collector.collect(exploration, self.updates)
        rollout = gathered.rollout
        if not np.isfinite(rollout.rewards).all():
            self._stop({"rewards": torch.from_numpy(rollout.rewards)}, "a reward is not finite; prices or costs are not usable")
        scaled = (
            self._scale(rollout.rewards, rollout.terminated | rollout.truncated) if params.normalise_reward else rollout.rewards
        )
        advantages, returns = generalised_advantages(
            scaled, rollout.values, rollout.final_values, rollout.terminated, rollout.truncated, params.gamma, params.gae_lambda
        )
        rates = self._plateau.rate(params.encoder_learning_rate), self._plateau.rate(params.learning_rate)
        learned = self._learn(whole_batch(rollout, advantages, returns, None), exploration, rates)
        self.steps += rollout.rewards.size
        self.updates += 1
        return {
            **first,
            **learned,
            **_collected(gathered, advantages, returns),
            "rolling_reward": self._plateau.tell(float(rollout.rewards.mean())),
            "exploration": exploration,
            "encoder_learning_rate": rates[0],
            "learning_rate": rates[1],
            "steps": float(self.steps),
            "steps_per_second": rollout.rewards.size / (perf_counter() - started),
        }

    def _pretrain(self) -> dict[str, float]:
        """Let the autoencoder learn alone, where that is asked for."""
        if not self.params.pretrain_epochs:
            return {}
        if self.pretraining_rows is None:
            raise ConfigError(f"pretrain_epochs is {self.params.pretrain_epochs} and no rows were given; set pretraining_rows")
        account = self._collector.account[0]
        error = pretrain(self.network, self._gather, self.params, self.pretraining_rows, account, self._seed)
        return {"pretraining_loss": error}

    def losses(self, batch: Batch, exploration: float) -> Losses:
        """Look at a batch anew and return what it says, with gradients.

        Args:
            batch: Samples of a rollout.
            exploration: The share with which it was collected.
        """
        outlook = self._look(batch.rows, batch.account)
        alpha = concentrations(outlook.logits.float())
        log_ratios = log_density(alpha, batch.actions, exploration) - batch.log_probabilities
        return Losses(
            clipped_surrogate(log_ratios, batch.advantages, self.params.clip_range),
            F.mse_loss(outlook.values.float(), batch.returns),
            entropies(alpha).mean(),
            F.mse_loss(self._decoded(outlook), outlook.inputs),
            log_ratios,
        )

    def joint(self, losses: Losses) -> Tensor:
        """Return the one loss that is minimised."""
        params = self.params
        policy = losses.policy + params.value_coefficient * losses.value - params.entropy_coefficient * losses.entropy
        return params.policy_weight * policy + params.reconstruction_weight * losses.reconstruction

    def _learn(self, whole: Batch, exploration: float, rates: tuple[float, float]) -> dict[str, float]:
        """Take the epochs' gradient steps; return the means of their diagnostics."""
        params, shuffling = self.params, torch.Generator()
        shuffling.manual_seed(derived_seed(self._seed, f"minibatches {self.updates}"))
        rows: list[Tensor] = []
        ratios: list[Tensor] = []
        for _ in range(params.n_epochs):
            for batch in minibatches(whole, params.minibatch, shuffling, normalise=params.normalise_advantage):
                losses = self.losses(batch, exploration)
                joint = self.joint(losses)
                norm = self._optimiser.step(joint, rates, params.max_gradient_norm)
                rows.append(torch.stack((*losses[:4], joint, norm)).detach())
                ratios.append(losses.log_ratios.detach())
        told = torch.stack(rows)
        if not told.isfinite().all():
            self._stop({"rows": whole.rows, "account": whole.account, "actions": whole.actions}, _advice(told, params))
        every = torch.cat(ratios)
        return {
            **dict(zip(_NAMES, told.mean(0).tolist(), strict=True)),
            "gradient_clipped": float((told[:, -1] > params.max_gradient_norm).float().mean()),
            "approx_kl": float(approximate_kl(every)),
            "clip_fraction": float(clip_fraction(every, params.clip_range)),
            "log_ratio_max": float(every.abs().max()),
            **self._reconstruction(whole),
        }

    @torch.inference_mode()
    def _reconstruction(self, whole: Batch) -> dict[str, float]:
        """Return how well the first samples of a rollout are given back: the share within a tenth, and R²."""
        outlook = self._look(whole.rows[: self.params.minibatch], whole.account[: self.params.minibatch])
        inputs, back = outlook.inputs.flatten(1), self._decoded(outlook).flatten(1)
        missed = (back - inputs).abs()
        spread = (inputs - inputs.mean(0)).square().sum()
        return {
            "reconstruction_accuracy": float((missed / (inputs.abs() + _TINY) < _CLOSE).float().mean()),
            "reconstruction_r2": float(1.0 - missed.square().sum() / spread),
        }

    def _look(self, rows: Tensor, account: Tensor) -> Outlook:
        windows = self._gather(rows)
        if self.params.precision == "fp32":
            return self.network(windows, account)
        with torch.autocast(self.device.type, torch.bfloat16):
            return self.network(windows, account)

    def _decoded(self, outlook: Outlook) -> Tensor:
        if self.params.precision == "fp32":
            return self.network.reducer.decode(outlook.latent)
        with torch.autocast(self.device.type, torch.bfloat16):
            return self.network.reducer.decode(outlook.latent).float()

    def _see(self, rows: Tensor, account: Tensor) -> tuple[Tensor, Tensor]:
        outlook = self._look(rows, account)
        return outlook.logits.float(), outlook.values.float()

    def _stop(self, tensors: Mapping[str, Tensor], cause: str) -> NoReturn:
        words = f"training diverged after {self.steps} steps: {cause}"
        stop_training(words, tensors, self.params, step=self.steps, folder=self.failure_folder)

    def policy(self) -> PortfolioPolicy:
        """Return the policy as it is now; it follows the learner's further updates."""
        return PortfolioPolicy(self.network, self.look, str(self.device))

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the network's weights, on the host."""
        return host_weights(self.network)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return all that an exact resumption needs: tensors by path, and values for JSON. Draws follow from seed and update."""
        sums, moments = self._scale.state()
        state = {
            "network": self.weights(),
            "environment": self.env.state_dict(),
            "reward_scale": {"sums": sums, "moments": moments},
            "plateau": self._plateau.state(),
            "steps": self.steps,
            "updates": self.updates,
        }
        tensors, values = split_state(state, "joint_ppo")
        return tensors | self._optimiser.state("moments"), values

    def load_state(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Continue from what `state` returned; further updates equal those of a learner that was never stopped.

        Raises:
            DataError: The weights or their moments do not fit this network.
        """
        state = join_state(tensors, values, "joint_ppo")
        load_weights(self.network, state["network"], "the checkpoint")
        self._optimiser.load_state(tensors, "moments")
        self.env.load_state_dict(state["environment"])
        self._collector.stand()
        self._scale.load_state(state["reward_scale"]["sums"], state["reward_scale"]["moments"])
        self._plateau.load_state(state["plateau"])
        self.steps, self.updates = int(state["steps"]), int(state["updates"])


def _collected(gathered: Gathered, advantages: np.ndarray, returns: np.ndarray) -> dict[str, float]:
    """Return what is told of a rollout before it is learned from."""
    rollout = gathered.rollout
    values = torch.from_numpy(rollout.values[:-1])
    return {
        "explained_variance": float(explained_variance(values, torch.from_numpy(returns))),
        "value_mean": float(values.mean()),
        "advantage_mean": float(advantages.mean()),
        "advantage_deviation": float(advantages.std()),
        "mean_reward": float(rollout.rewards.mean()),
        "growth": gathered.growth,
        "benchmark_growth": gathered.benchmark_growth,
        "turnover": rollout.turnover,
        "concentration": gathered.concentration,
    }


def _advice(told: Tensor, params: JointPPOParams) -> str:
    """Say which diagnostic of the gradient steps, shape (K, names), was the first that is not finite, and what to change."""
    step, place = (int(number) for number in (~told.isfinite()).nonzero()[0])
    return (
        f"{_NAMES[place]} of gradient step {step} is not finite; lower learning_rate {params.learning_rate}, "
        f"encoder_learning_rate {params.encoder_learning_rate} or max_gradient_norm {params.max_gradient_norm}"
    )
