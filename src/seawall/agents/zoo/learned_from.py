"""What a model of the zoo last learned from, kept so that a training that diverged can be looked into."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from seawall.core.rows import join_rows


class LearnedFrom:
    """Sees what a model draws from its replay, or reads the rollout that it holds."""

    def __init__(self, model: Any) -> None:
        """Watch a model of one of the six algorithms."""
        self._model = model
        self._drawn: Any = None
        self._replay = getattr(model, "replay_buffer", None)
        if self._replay is not None:
            self._draw = self._replay.sample
            self._replay.sample = self._sample

    def _sample(self, *arguments: Any, **keywords: Any) -> Any:
        self._drawn = self._draw(*arguments, **keywords)
        return self._drawn

    def tensors(self) -> dict[str, Tensor]:
        """Return the last minibatch that was replayed, or the rollout as far as it was collected, by name.

        Observations are ``observations_row``, int64, and ``observations_account``. A replay that nothing was drawn from yet gives
        nothing.
        """
        if self._replay is None:
            rollout = self._model.rollout_buffer
            fields = {name: getattr(rollout, name) for name in _ROLLOUT}
        else:
            fields = {} if self._drawn is None else {name: getattr(self._drawn, name) for name in _REPLAYED}
        return _by_name(fields)


_ROLLOUT = ("observations", "actions", "rewards", "values", "log_probs", "advantages", "returns")
_REPLAYED = ("observations", "actions", "next_observations", "dones", "rewards")


def _by_name(fields: Mapping[str, Any]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name, block in fields.items():
        if isinstance(block, dict):
            found[f"{name}_row"] = torch.from_numpy(join_rows(torch.as_tensor(block["row"]).cpu().numpy()))
            found[f"{name}_account"] = torch.as_tensor(block["account"])
        else:
            found[name] = torch.as_tensor(block)
    return found
