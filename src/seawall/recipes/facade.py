"""The design's own words for TraderNet's agents: objects that are shown windows and taught by batches of them.

Networks, losses, advantages and optimisers are those of the recipe; only the gathering of windows by row, the account row and the
driver of a training are left out, and so heads are the design's ``Linear(256, 3)`` and ``Linear(256, 1)`` to the number.
A state is the window of each environment: float32, shape (Batch, Timeframe, Features). Rewards are taken as they come.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from seawall.agents.bundle import check_compatible, load_bundle, save_bundle
from seawall.agents.distributions import Numbered
from seawall.agents.dqn.params import DQNParams
from seawall.agents.dqn.targets import bootstrapped, following_quantiles, quantile_losses, taken, value_losses
from seawall.agents.optimiser import BlockAdamW
from seawall.agents.policy import choose
from seawall.agents.ppo.batches import Batch, minibatches
from seawall.agents.ppo.objective import Weights, objective
from seawall.agents.ppo.params import PPOParams
from seawall.agents.returns import generalised_advantages
from seawall.agents.schedule import scheduled, share_done
from seawall.agents.state import host_weights, load_weights
from seawall.core.errors import ConfigError, DataError
from seawall.core.protocols import GuardContext
from seawall.core.seeding import derived_seed, generator
from seawall.guards.n_consecutive import NConsecutive, NConsecutiveParams
from seawall.nets.conv import ConvParams
from seawall.nets.q_network import build_q_network
from seawall.nets.registry import NetworkShape, build_network
from seawall.recipes.facade_checks import actions_of, count_of, flags_of, rewards_of, rollout_of, settings_of, windows_of
from seawall.simulator.actions.registry import SellBuyHold, action_scheme

_SCHEME = action_scheme("sell_buy_hold", True)
_N_ACTIONS = len(SellBuyHold)
_TOLD = ("n_features", "window", "seed", "network", "params", "steps")
"""What a saved agent says of itself, beside its kind."""


class Transitions(NamedTuple):
    """What Q-learning is taught by: B transitions, as a replay gives them.

    Attributes:
        states: Windows, float32, shape (B, L, F).
        actions: What was chosen, int64, shape (B,).
        rewards: What it earned, float32, shape (B,).
        next_states: Windows seen next, shape (B, L, F).
        terminated: Whether nothing follows, bool, shape (B,).
    """

    states: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    next_states: np.ndarray
    terminated: np.ndarray


class Steps(NamedTuple):
    """What PPO is taught by: T steps of N environments, acted in by the agent as it is.

    Attributes:
        states: Windows, with those after the last step; float32, shape (T + 1, N, L, F).
        actions: What was chosen, int64, shape (T, N).
        rewards: What it earned, shape (T, N).
        terminated: Whether the step ended an episode, after which nothing follows, bool, shape (T, N).
    """

    states: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    terminated: np.ndarray


class Decides(Protocol):
    """Anything that is shown states and says what to do."""

    def get_action(self, state: np.ndarray, explore: bool = False) -> np.ndarray:
        """Return the action of each state, int64, shape (B,)."""
        ...


A = TypeVar("A", bound="_Agent")


class _Agent:
    """What both agents share: sizes, files, and where their training stands."""

    kind = ""

    def __init__(self, n_features: int, window: int, network: ConvParams, params: Any, seed: int) -> None:
        self.params, self.steps = params, 0
        self._sizes = {"n_features": count_of("n_features", n_features), "window": count_of("window", window), "seed": seed}
        self._network_params = network
        self._shape = NetworkShape(n_features, window, 0, _N_ACTIONS)
        self._generator = generator(seed, "facade actions")
        self.network: Any = self._built(seed)
        # PPO's optimiser in both; Q-learning's moves each layer alone, and to the same place.
        self._optimiser = BlockAdamW(self.network, params.weight_decay)

    def _built(self, seed: int) -> Any:
        raise NotImplementedError

    @property
    def sizes(self) -> tuple[int, int]:
        """Rows and columns of a state."""
        return self._sizes["window"], self._sizes["n_features"]

    def _windows(self, states: np.ndarray, name: str = "states", batch: int | None = None) -> Tensor:
        """Return states as a tensor, refused where they are of other sizes or hold what is no number."""
        return windows_of(states, self.sizes, name, batch)

    def _no_account(self, windows: Tensor) -> Tensor:
        return windows.new_zeros((len(windows), 0))

    def _told(self) -> dict[str, Any]:
        settings = {"network": self._network_params.model_dump(), "params": self.params.model_dump()}
        return {"facade": self.kind, **self._sizes, **settings, "action_scheme": _SCHEME.spec()}

    def save(self, folder: Path) -> None:
        """Write the weights and what they are for as a bundle, all or nothing; the optimiser's moments are not kept.

        Raises:
            DataError: The disk is full.
        """
        save_bundle(folder, {**self._told(), "steps": self.steps}, [host_weights(self.network)])

    @classmethod
    def load(cls: type[A], folder: Path) -> A:
        """Read an agent that `save` wrote.

        Raises:
            ConfigError: Its settings are not allowed.
            DataError: There is none, it is damaged, of another kind or numbering of actions, or its weights are of other sizes.
        """
        bundle = load_bundle(folder)
        check_compatible(bundle.manifest, {"facade": cls.kind, "action_scheme": _SCHEME.spec()})
        told = bundle.manifest
        absent = [name for name in _TOLD if name not in told]
        if absent:
            raise DataError(f"{folder} is damaged: it does not tell {', '.join(absent)}; needed: {', '.join(_TOLD)}")
        agent: Any = cls.__new__(cls)
        agent.__init__(told["n_features"], told["window"], told["network"], told["params"], seed=told["seed"])
        load_weights(agent.network, bundle.members[0], str(folder))
        agent.steps = int(told["steps"])
        agent._settle()
        return agent

    def _settle(self) -> None:
        """Do what new weights ask for."""


class DQNAgent(_Agent):
    """Q-learning on the design's network: encoder and ``Linear(256, 3)``."""

    kind = "dqn"

    def __init__(
        self, n_features: int, window: int = 12, network: Any = None, params: Any = None, *, seed: int = 0
    ) -> None:  # fmt: skip
        """Build the networks.

        Args:
            n_features: F, columns of a state.
            window: L, rows of a state.
            network: `ConvParams`, or their values; the design's where None.
            params: `DQNParams`, or their values; the recipe's where None.
            seed: Of the weights and of what is left to chance.
        """
        super().__init__(
            n_features, window, settings_of(ConvParams, network, "network"), settings_of(DQNParams, params, "params"), seed
        )
        self.target = copy.deepcopy(self.network).requires_grad_(False)
        self._gradient_steps = 0

    def _built(self, seed: int) -> Any:
        chosen = self.params
        return build_q_network("conv", self._network_params, self._shape, seed, dueling=chosen.dueling, quantiles=chosen.quantiles)

    def _settle(self) -> None:
        self.target.load_state_dict(self.network.state_dict())

    @property
    def epsilon(self) -> float:
        """Share of random actions as the training stands."""
        return self.params.epsilon_at(share_done(self.steps, self.params.total_steps))

    def get_action(self, state: np.ndarray, explore: bool = False) -> np.ndarray:
        """Return the action of the highest value for each state, int64, shape (B,); exploring, now and then a random one."""
        windows = self._windows(state)
        with torch.inference_mode():
            best = self.network.values(windows, self._no_account(windows)).argmax(1).numpy()
        if not explore:
            return best
        epsilon = self.epsilon
        self.steps += len(best)
        drawn = self._generator.random(len(best)) < epsilon
        return np.where(drawn, self._generator.integers(0, _N_ACTIONS, len(best)), best)

    def train_step(self, batch: Transitions) -> dict[str, float]:
        """Take one gradient step, and move the target network.

        Args:
            batch: What to learn from.

        Returns:
            ``loss``, ``mean_q``, ``td_error`` and ``gradient_norm``, of the batch before the step.
        """
        params, windows = self.params, self._windows(batch.states)
        shape = (len(windows),)
        following = self._windows(batch.next_states, "next_states", len(windows))
        actions, terminated = actions_of(batch.actions, shape), flags_of(batch.terminated, shape)
        rewards = torch.from_numpy(rewards_of(batch.rewards, shape))
        with torch.no_grad():
            ahead = self.target(following, self._no_account(following))
            chooser = self.network(following, self._no_account(following)) if params.double else ahead
            discounts = params.gamma * torch.from_numpy(~terminated).float()
            goal = bootstrapped(rewards, discounts, following_quantiles(ahead, chooser))
        quantiles = self.network(windows, self._no_account(windows))
        predicted = taken(quantiles, torch.from_numpy(actions))
        if params.quantiles > 1:
            losses = quantile_losses(predicted, goal, params.huber_threshold)
        else:
            threshold = params.huber_threshold if params.loss == "huber" else None
            losses = value_losses(predicted[:, 0], goal[:, 0], threshold)
        loss = losses.mean()
        done = share_done(self.steps, params.total_steps)
        self._optimiser.learning_rate = scheduled(params.learning_rate, params.learning_rate_schedule, done)
        norm = self._optimiser.step(loss, params.max_gradient_norm)
        self._gradient_steps += 1
        if self._gradient_steps % params.target_every == 0:
            with torch.no_grad():
                for own, learned in zip(self.target.parameters(), self.network.parameters(), strict=True):
                    own.lerp_(learned, params.target_tau)
        told = {"loss": loss, "mean_q": predicted.mean(), "td_error": (goal - predicted).abs().mean(), "gradient_norm": norm}
        return {name: float(value.detach()) for name, value in told.items()}


class PPOAgent(_Agent):
    """PPO on the design's networks: encoders, ``Linear(256, 3)`` with softmax, and ``Linear(256, 1)``."""

    kind = "ppo"

    def __init__(
        self, n_features: int, window: int = 12, network: Any = None, params: Any = None, *, seed: int = 0
    ) -> None:  # fmt: skip
        """Build the networks.

        Args:
            n_features: F, columns of a state.
            window: L, rows of a state.
            network: `ConvParams`, or their values; the design's, each head with an encoder of its own, where None.
            params: `PPOParams`, or their values; the recipe's where None.
            seed: Of the weights and of what is left to chance.
        """
        super().__init__(
            n_features, window, settings_of(ConvParams, network, "network"), settings_of(PPOParams, params, "params"), seed
        )
        self._shuffling = torch.Generator().manual_seed(derived_seed(seed, "facade minibatches"))
        self._distribution = Numbered(_N_ACTIONS)

    def _built(self, seed: int) -> Any:
        return build_network("conv", self._network_params, self._shape, seed)

    def probabilities(self, state: np.ndarray) -> np.ndarray:
        """Return the probability of each action, float32, shape (B, 3)."""
        windows = self._windows(state)
        with torch.inference_mode():
            return torch.softmax(self.network.logits(windows, self._no_account(windows)), 1).numpy()

    def get_action(self, state: np.ndarray, explore: bool = False) -> np.ndarray:
        """Return the likeliest action for each state, int64, shape (B,); exploring, a sampled one."""
        return choose(self.probabilities(state), not explore, self._generator)

    def train_step(self, batch: Steps) -> dict[str, float]:
        """Learn from one rollout: advantages (GAE), then the epochs' gradient steps.

        Args:
            batch: What the agent did; its log-probabilities and values are those of the agent as it is.

        Returns:
            ``policy_loss``, ``value_loss``, ``entropy`` and ``gradient_norm``, means over the gradient steps; and the ``loss`` of
            the whole batch before the first of them.
        """
        params, (windows, shape) = self.params, rollout_of(batch.states, self.sizes)
        n_steps, n_envs = shape
        told = actions_of(batch.actions, shape), rewards_of(batch.rewards, shape), flags_of(batch.terminated, shape)
        whole = self._whole(Steps(batch.states, *told), windows)
        done = share_done(self.steps, params.total_steps)
        entropy = scheduled(params.entropy_coefficient, params.entropy_schedule, done)
        weights = Weights(
            scheduled(params.clip_range, params.clip_schedule, done), entropy, params.value_coefficient, params.value_clip
        )
        self._optimiser.learning_rate = scheduled(params.learning_rate, params.learning_rate_schedule, done)
        with torch.no_grad():
            loss = float(self._objective(whole, windows, weights)[0])
        means = []
        size = min(params.minibatch, n_steps * n_envs)
        for _ in range(params.n_epochs):
            for part in minibatches(whole, size, self._shuffling, normalise=params.normalise_advantage):
                wanted, parts, _ratios = self._objective(part, windows, weights)
                norm = self._optimiser.step(wanted, params.max_gradient_norm)
                means.append(torch.cat((parts, norm[None].detach())))
        self.steps += n_steps * n_envs
        names = ("policy_loss", "value_loss", "entropy", "gradient_norm")
        return {"loss": loss, **dict(zip(names, torch.stack(means).mean(0).tolist(), strict=True))}

    def _whole(self, batch: Steps, windows: Tensor) -> Batch:
        """Lay a rollout out as one batch, whose rows are places among the windows."""
        (n_steps, n_envs), params = batch.actions.shape, self.params
        if n_steps * n_envs % min(params.minibatch, n_steps * n_envs):
            raise DataError(f"{n_steps} x {n_envs} samples are no whole number of minibatches of {params.minibatch}")
        actions = torch.from_numpy(batch.actions).flatten()
        with torch.no_grad():
            logits, values = self.network(windows, self._no_account(windows))
            logs = self._distribution.evaluate(logits[: len(actions)], actions)[0]
        table, never = values.numpy().reshape(n_steps + 1, n_envs), np.zeros(batch.actions.shape, dtype=bool)
        advantages, returns = generalised_advantages(
            batch.rewards,
            table,
            np.zeros(batch.actions.shape, dtype=np.float32),
            batch.terminated,
            never,
            params.gamma,
            params.gae_lambda,
        )
        rows = torch.arange(len(actions))
        none = torch.zeros(len(actions), 0)
        moved = (torch.from_numpy(block).flatten() for block in (advantages, returns, table[:-1].copy()))
        return Batch(rows, none, torch.zeros(len(actions), dtype=torch.bool), actions, logs, *moved, memory=none)

    def _objective(self, batch: Batch, windows: Tensor, weights: Weights) -> tuple[Tensor, Tensor, Tensor]:
        logits, values = self.network(windows[batch.rows], batch.account)
        return objective(logits, values, batch, self._distribution, weights)


class IntegratedAgent:
    """The main agent under its Smurf, and under the N-consecutive rule where that is asked for."""

    def __init__(self, main: Decides, smurf: Decides, n_consecutive: NConsecutiveParams | None = None) -> None:
        """Take the agents.

        Args:
            main: Whose actions are taken.
            smurf: Whose HOLD forces HOLD.
            n_consecutive: Settings of the rule that follows; None for none.

        Raises:
            ConfigError: The two are shown states of different sizes.
        """
        sizes = [getattr(each, "sizes", None) for each in (main, smurf)]
        if None not in sizes and sizes[0] != sizes[1]:
            raise ConfigError(
                f"the Smurf sees states of {sizes[1]} rows and columns, the main agent of {sizes[0]}; allowed: the same"
            )
        self.main, self.smurf = main, smurf
        self._rule = None if n_consecutive is None else NConsecutive(n_consecutive)
        self._record = np.zeros((0, 0))

    def reset(self, n: int) -> None:
        """Begin an episode of n environments: the rule's queue of actions is empty again."""
        self._record = np.zeros((n, 0)) if self._rule is None else self._rule.initial_state(n)

    def get_action(self, state: np.ndarray, explore: bool = False) -> np.ndarray:
        """Return HOLD where the Smurf would hold, else what the main agent would do; int64, shape (B,).

        Args:
            state: Windows, float32, shape (B, L, F).
            explore: Whether the main agent explores; the Smurf never does.

        Raises:
            DataError: The states are of other sizes, or an agent answers with what is no action of each.
        """
        shape = (len(state),)
        smurf = actions_of(self.smurf.get_action(state), shape, "the Smurf's actions")
        main = actions_of(self.main.get_action(state, explore), shape, "the main agent's actions")
        supervised = np.where(smurf == SellBuyHold.HOLD, SellBuyHold.HOLD, main)
        return supervised if self._rule is None else self._ruled(self._rule, supervised)

    def _ruled(self, rule: NConsecutive, actions: np.ndarray) -> np.ndarray:
        n = len(actions)
        if len(self._record) != n:
            self.reset(n)
        none = np.zeros(n)
        signal = _SCHEME.intent(actions, none).signal
        context = GuardContext(signal, none.astype(np.int64), none + 1.0, none + 1.0)
        verdict = rule.apply(none, signal.astype(np.float64), context, self._record)
        self._record = verdict.state
        return np.where(verdict.reason != 0, SellBuyHold.HOLD, actions)
