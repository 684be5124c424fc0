"""A Stable-Baselines3 vector environment: N accounts stepped in one compiled call, without processes.

Stable-Baselines3 comes with the extra ``zoo`` and is imported in this module, in `seawall.agents.sb3_gathering` and in
`seawall.agents.zoo` alone.
"""

from __future__ import annotations

import time
from typing import Any, Literal

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvObs, VecEnvStepReturn

from seawall.core.errors import ConfigError, DataError, InvariantError
from seawall.core.rows import ROW_BASE, ROW_PARTS, split_rows
from seawall.envs.one_account import OneAccount
from seawall.envs.vector import TradingVectorEnv

ObservationKind = Literal["index", "window", "flat"]
_KINDS: tuple[ObservationKind, ...] = ("index", "window", "flat")


class SB3VecEnv(VecEnv):
    """N trading accounts as Stable-Baselines3 wants them, each reset in the step in which its episode ends.

    Observations are of one of three kinds, known at the close of each account's row:

    - ``index``: ``row``, the row just closed in the two numbers of `split_rows`, shape (N, 2), and ``account``, shape (N, A). For
      ``MultiInputPolicy`` with a `GatheringExtractor`: buffers then keep 8 bytes in place of a window.
    - ``window``: ``window``, the features of the last L rows, oldest first, shape (N, L, F), and ``account``. For
      ``MultiInputPolicy``.
    - ``flat``: the account row, then the window row by row, shape (N, A + L · F), as Gymnasium and Stable-Baselines3 themselves
      flatten ``window``. For ``MlpPolicy``.

    Observations and rewards are float32 and always new arrays: no step overwrites what another returned.

    The details of a step are empty dictionaries, save where an episode ended: ``terminal_observation``; ``TimeLimit.truncated``,
    true at the end of the rows or of the episode and false at ruin; ``episode``, with return ``r``, length ``l`` and seconds ``t``,
    as Monitor writes them; and ``account``, what `episode_facts` says.

    `get_attr`, `set_attr` and `env_method` reach each account as `OneAccount` shows it, ``action_masks`` for MaskablePPO included.

    Attributes:
        batch: The environment behind this face; its simulator and desk may be read.
        observation: The kind of the observations.
    """

    def __init__(self, batch: TradingVectorEnv, observation: ObservationKind | None = None) -> None:
        """Take an environment; call `reset` before the first `step`.

        Args:
            batch: The environment, stepped through this face alone from now on.
            observation: The kind of the observations; None for the one that `batch` has.

        Raises:
            ConfigError: The kind is none of the three.
        """
        self.batch = batch
        self.observation: ObservationKind = batch.params.observation if observation is None else observation
        if self.observation not in _KINDS:
            raise ConfigError(f"observation {self.observation!r} is unknown; allowed: {_KINDS}")
        self._accounts = [OneAccount(batch, number) for number in range(batch.num_envs)]
        self._actions: np.ndarray | None = None
        self._returns = np.zeros(batch.num_envs)
        self._lengths = np.zeros(batch.num_envs, dtype=np.int64)
        self._began = time.time()
        self._no_details: list[dict[str, Any]] = [{} for _ in range(batch.num_envs)]
        super().__init__(batch.num_envs, self._seen_space(), batch.single_action_space)

    def _seen_space(self) -> spaces.Space[Any]:
        """Return the space of one observation. It does not depend on the market's length, so that a model fits other markets."""
        n_account, windows = len(self.batch.account_names), self.batch.windows
        account = spaces.Box(-np.inf, np.inf, (n_account,), np.float32)
        if self.observation == "index":
            parts = np.array([ROW_PARTS - 1, ROW_BASE - 1], dtype=np.float32)
            return spaces.Dict({"row": spaces.Box(np.zeros_like(parts), parts, dtype=np.float32), "account": account})
        if self.observation == "window":
            shown = spaces.Box(-np.inf, np.inf, (windows.window, windows.columns), np.float32)
            return spaces.Dict({"window": shown, "account": account})
        return spaces.Box(-np.inf, np.inf, (n_account + windows.width,), np.float32)

    def reset(self) -> VecEnvObs:
        """Start a new episode in every environment, with the seed given to `seed` since the last reset if there is one."""
        self.batch.reset(seed=self._seeds[0])
        self.reset_infos = [{} for _ in range(self.num_envs)]
        self._reset_seeds()
        self._reset_options()
        self._returns[:] = 0.0
        self._lengths[:] = 0
        return self._observe()

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the actions for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Decide, take every account one bar on, and start new episodes where one ended.

        Returns:
            Observation; reward, float32, shape (N,); whether the episode ended, bool, shape (N,); and details.

        Raises:
            InvariantError: No actions were given, one is not in the scheme's numbering, or `reset` was never called.
        """
        if self._actions is None:
            raise InvariantError("step_wait was called without step_async before it")
        reward, terminated, truncated = self.batch.advance(self._actions)
        self._actions = None
        self._returns += reward
        self._lengths += 1
        ended = terminated | truncated
        details = self._end(np.flatnonzero(ended), truncated & ~terminated) if np.count_nonzero(ended) else self._empty_details()
        return self._observe(), reward.astype(np.float32), ended, details

    def _observe(self) -> VecEnvObs:
        """Return what every policy sees now; new arrays."""
        simulator = self.batch.simulator
        return self._seen(self.batch.observer.rows(simulator), simulator.row)

    def _seen(self, account: np.ndarray, rows: np.ndarray) -> VecEnvObs:
        """Return observations of some accounts, given their account rows and their rows of the market."""
        if self.observation == "index":
            return {"row": split_rows(rows), "account": account}
        if self.observation == "window":
            return {"window": self.batch.windows.windows(rows), "account": account}
        n_account = account.shape[1]
        out = np.empty((len(rows), n_account + self.batch.windows.width), dtype=np.float32)
        out[:, :n_account] = account
        self.batch.windows.fill(rows, out, n_account)
        return out

    def _empty_details(self) -> list[dict[str, Any]]:
        """Return one empty dictionary for each environment: the same ones each time, unless somebody wrote into them."""
        if any(self._no_details):
            self._no_details = [{} for _ in range(self.num_envs)]
        return self._no_details

    def _end(self, ended: np.ndarray, timed_out: np.ndarray) -> list[dict[str, Any]]:
        """Describe the episodes that ended, and start the next ones.

        Args:
            ended: Where, int64, shape (K,).
            timed_out: Which environments were truncated and not terminated, bool, shape (N,).
        """
        simulator = self.batch.simulator
        last = self._seen(self.batch.observer.rows(simulator)[ended], simulator.row[ended])
        seconds = round(time.time() - self._began, 6)
        details: list[dict[str, Any]] = self._empty_details().copy()
        for place, (number, facts) in enumerate(zip(ended.tolist(), self.episode_facts(ended), strict=True)):
            details[number] = {
                "terminal_observation": {name: block[place] for name, block in last.items()}
                if isinstance(last, dict)
                else last[place],
                "TimeLimit.truncated": bool(timed_out[number]),
                "episode": {"r": float(self._returns[number]), "l": int(self._lengths[number]), "t": seconds},
                "account": facts,
            }
        self._returns[ended] = 0.0
        self._lengths[ended] = 0
        self.batch.begin(ended)
        return details

    def episode_facts(self, ended: np.ndarray) -> list[dict[str, Any]]:
        """Return what is told of each episode that has just ended.

        Args:
            ended: Its environment, int64, shape (K,).

        Returns:
            One dictionary for each: ``equity``; ``drawdown`` at the end as a share; ``illegal_moves``, a count; and
            ``reward_terms``, what each term of the reward, weighted, has added up to.
        """
        simulator = self.batch.simulator
        equity, reward = simulator.equity[ended], simulator.reward
        facts = {
            "equity": equity.tolist(),
            "drawdown": (1.0 - equity / simulator.peak_equity[ended]).tolist(),
            "illegal_moves": self.batch.desk.illegal_moves[ended].tolist(),
            "reward_terms": [dict(zip(reward.names, sums, strict=True)) for sums in reward.sums[:, ended].T.tolist()],
        }
        return [dict(zip(facts, values, strict=True)) for values in zip(*facts.values(), strict=True)]

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return all that the next step depends on, as plain arrays, from which `load_state_dict` goes on exactly."""
        return {**self.batch.state_dict(), "returns": self._returns.copy(), "lengths": self._lengths.copy()}

    def load_state_dict(self, saved: dict[str, np.ndarray]) -> None:
        """Take back what `state_dict` returned, in an environment made with the same settings.

        Raises:
            DataError: An array is missing or has another shape.
        """
        kept = dict(saved)
        missing = {"returns", "lengths"} - set(kept)
        if missing:
            raise DataError(f"saved environment lacks {sorted(missing)}")
        returns, lengths = kept.pop("returns"), kept.pop("lengths")
        self.batch.load_state_dict(kept)
        self._returns[:], self._lengths[:] = returns, lengths

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Return an attribute of some accounts, one value for each.

        Raises:
            AttributeError: Accounts have no such attribute.
        """
        return [getattr(self._accounts[number], attr_name) for number in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of some accounts.

        Raises:
            AttributeError: The attribute is part of the account's state, which only the market may change.
        """
        for number in self._get_indices(indices):
            setattr(self._accounts[number], attr_name, value)

    def env_method(self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **method_kwargs: Any) -> list[Any]:
        """Call a method of some accounts and return one result for each.

        Raises:
            AttributeError: Accounts have no such method.
        """
        methods = self.get_attr(method_name, indices)
        if method_name == "action_masks":
            return list(self.batch.action_masks()[list(self._get_indices(indices))])
        return [method(*method_args, **method_kwargs) for method in methods]

    def env_is_wrapped(self, wrapper_class: type[Any], indices: VecEnvIndices = None) -> list[bool]:
        """Return whether some accounts are wrapped: by Monitor, whose statistics are reported, and by nothing else."""
        return [wrapper_class is Monitor for _ in self._get_indices(indices)]

    def close(self) -> None:
        """Close the environment behind this face."""
        self.batch.close()
