"""Taking a model of Stable-Baselines3 apart into arrays and numbers, and putting it together again, without pickle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sb3_contrib.common.recurrent.type_aliases import RNNStates
from stable_baselines3.common.buffers import DictReplayBuffer
from torch import Tensor

from seawall.agents.state import host_weights, load_weights
from seawall.core.errors import DataError

_COUNTS = ("num_timesteps", "_episode_num", "_n_updates", "_n_calls")
_RATES = ("exploration_rate", "_current_progress_remaining")
_STEPS = ("actions", "rewards", "dones", "timeouts")


def model_state(model: Any) -> dict[str, Any]:
    """Return all that a model's training goes on from, but environment and generators: nested arrays, tensors and plain numbers.

    Args:
        model: One of the six algorithms, between two rounds of its training.
    """
    state: dict[str, Any] = {
        "weights": host_weights(model.policy),
        "optimisers": {name: _optimiser_state(optimiser) for name, optimiser in _optimisers(model).items()},
        "counts": {name: int(getattr(model, name)) for name in _COUNTS if hasattr(model, name)},
        "rates": {name: float(getattr(model, name)) for name in _RATES if hasattr(model, name)},
        "seen": {name: np.array(block) for name, block in model._last_obs.items()},
        "starts": np.array(model._last_episode_starts),
    }
    if getattr(model, "log_ent_coef", None) is not None:
        state["log_temperature"] = model.log_ent_coef.detach()
    if getattr(model, "_last_lstm_states", None) is not None:
        state["remembered"] = dict(zip(_LSTM, _flat(model._last_lstm_states), strict=True))
    if getattr(model, "replay_buffer", None) is not None:
        state["replay"] = _replay_state(model.replay_buffer)
    scale = model.get_vec_normalize_env()
    if scale is not None:
        moments = {"mean": float(scale.ret_rms.mean), "var": float(scale.ret_rms.var), "count": float(scale.ret_rms.count)}
        state["reward_scale"] = {"sums": scale.returns, **moments}
    return state


def load_model_state(model: Any, state: Mapping[str, Any]) -> None:
    """Undo `model_state` in a model that was made with the same settings.

    Raises:
        DataError: The weights do not fit the policy, or the replay not its settings.
    """
    load_weights(model.policy, state["weights"], "the checkpoint")
    for name, optimiser in _optimisers(model).items():
        _load_optimiser(optimiser, state["optimisers"][name])
    for name, value in {**state["counts"], **state["rates"]}.items():
        setattr(model, name, value)
    model._last_obs = {name: np.array(block) for name, block in state["seen"].items()}
    model._last_original_obs = model._last_obs
    model._last_episode_starts = np.array(state["starts"])
    if "log_temperature" in state:
        with torch.no_grad():
            model.log_ent_coef.copy_(torch.as_tensor(state["log_temperature"]))
    if "remembered" in state:
        blocks = [torch.as_tensor(state["remembered"][name]).to(model.device) for name in _LSTM]
        model._last_lstm_states = RNNStates((blocks[0], blocks[1]), (blocks[2], blocks[3]))
    if "replay" in state:
        _load_replay(model.replay_buffer, state["replay"])
    scale = model.get_vec_normalize_env()
    if scale is not None:
        kept = state["reward_scale"]
        scale.returns = np.array(kept["sums"])
        scale.ret_rms.mean, scale.ret_rms.var, scale.ret_rms.count = (np.float64(kept[name]) for name in ("mean", "var", "count"))


_LSTM = ("actor_outputs", "actor_cells", "critic_outputs", "critic_cells")


def _flat(states: RNNStates) -> list[Tensor]:
    return [*states.pi, *states.vf]


def _optimisers(model: Any) -> dict[str, torch.optim.Optimizer]:
    if not hasattr(model.policy, "critic_target"):
        return {"policy": model.policy.optimizer}
    found = {"actor": model.actor.optimizer, "critic": model.critic.optimizer}
    return found if model.ent_coef_optimizer is None else {**found, "temperature": model.ent_coef_optimizer}


def _optimiser_state(optimiser: torch.optim.Optimizer) -> dict[str, dict[str, Any]]:
    """Return the moments of each parameter by its number; settings are those of the model and are not kept."""
    return {str(number): dict(moments) for number, moments in optimiser.state_dict()["state"].items()}


def _load_optimiser(optimiser: torch.optim.Optimizer, state: Mapping[str, Mapping[str, Any]]) -> None:
    moments = {
        int(number): {name: torch.as_tensor(value) if isinstance(value, np.ndarray) else value for name, value in each.items()}
        for number, each in state.items()
    }
    optimiser.load_state_dict({"state": moments, "param_groups": optimiser.state_dict()["param_groups"]})


def _replay_state(replay: DictReplayBuffer) -> dict[str, Any]:
    """Return the used places alone."""
    used = replay.buffer_size if replay.full else replay.pos
    seen = {name: block[:used] for name, block in replay.observations.items()}
    following = {name: block[:used] for name, block in replay.next_observations.items()}
    steps = {name: getattr(replay, name)[:used] for name in _STEPS}
    return {"seen": seen, "following": following, **steps, "pos": replay.pos, "full": replay.full}


def _load_replay(replay: DictReplayBuffer, state: Mapping[str, Any]) -> None:
    used, places = len(state["actions"]), replay.buffer_size
    if used > places or state["actions"].shape[1:] != replay.actions.shape[1:] or (bool(state["full"]) and used != places):
        raise DataError(
            f"the checkpoint's replay has {used} steps of actions {state['actions'].shape[1:]}, and this training {places} of "
            f"{replay.actions.shape[1:]}; n_envs and buffer_size must be those of the training that was stopped"
        )
    for own, saved in ((replay.observations, state["seen"]), (replay.next_observations, state["following"])):
        for name, block in saved.items():
            own[name][:used] = block
    for name in _STEPS:
        getattr(replay, name)[:used] = state[name]
    replay.pos, replay.full = int(state["pos"]), bool(state["full"])
