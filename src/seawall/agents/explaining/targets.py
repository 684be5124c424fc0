"""The one number that an explanation is of: what a decision leans to, made of the scores of a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seawall.agents.explaining.scores import Kind
from seawall.core.errors import ConfigError

EXPOSURE, CHOSEN, CONCENTRATION = "exposure", "chosen", "concentration"

_EXPOSURE_WORDS: dict[Kind, str] = {
    "preferences": "expected target exposure: the sum over the actions of probability times the exposure that the action asks for",
    "number": "the number from -1 to 1 that the policy chooses, before its scheme reads an exposure in it",
    "values": "value of exposure: how much more an action is thought to be worth for one unit more of the exposure it asks for "
    "(least squares over the actions), in units of reward",
    "weights": "exposure: the share of equity that is not in cash",
}


@dataclass(frozen=True)
class Target:
    """What is explained.

    Attributes:
        name: As the user named it.
        words: What it is.
        measure: Maps scores (B, P), exposures of the actions (B, P) and the place of the action that was chosen (B,) to (B,).
    """

    name: str
    words: str
    measure: Callable[[Tensor, Tensor, Tensor], Tensor]


def target_named(name: str, kind: Kind, names: Sequence[str]) -> Target:
    """Return a target.

    Args:
        name: ``exposure``; ``chosen`` or an action's name for numbered actions; ``concentration``, ``cash`` or an asset for
            weights.
        kind: What the scores are.
        names: Of the P scores: actions, or cash and assets; none of a number.

    Raises:
        ConfigError: Such a policy has no target of that name.
    """
    if name == EXPOSURE:
        return Target(name, _EXPOSURE_WORDS[kind], _EXPOSURES[kind])
    if name == CHOSEN and kind in ("preferences", "values"):
        what = "logit" if kind == "preferences" else "value"
        return Target(name, f"{what} of the action that the ensemble chose, less the mean {what} of all actions", _of_chosen)
    if name == CONCENTRATION and kind == "weights":
        words = "concentration: the sum of squared weights of cash and assets, 1 where one holds all"
        return Target(name, words, lambda scores, _levels, _chosen: scores.square().sum(1))
    if name in names:
        place = list(names).index(name)
        if kind == "weights":
            return Target(name, f"weight of {name}", lambda scores, _levels, _chosen: scores[:, place])
        what = "logit" if kind == "preferences" else "value"
        return Target(
            name,
            f"{what} of {name}, less the mean {what} of all actions",
            lambda scores, _levels, _chosen: _centred(scores)[:, place],
        )
    further = {"number": [], "weights": [CONCENTRATION]}.get(kind, [CHOSEN])
    allowed = ", ".join([EXPOSURE, *further, *names])
    raise ConfigError(f"target {name!r} is none of this policy's; allowed: {allowed}")


def _centred(scores: Tensor) -> Tensor:
    """Take the mean away, as a number that all scores share decides nothing."""
    return scores - scores.mean(1, keepdim=True)


def _of_chosen(scores: Tensor, _levels: Tensor, chosen: Tensor) -> Tensor:
    return _centred(scores).gather(1, chosen[:, None])[:, 0]


def _expected(scores: Tensor, levels: Tensor, _chosen: Tensor) -> Tensor:
    return (torch.softmax(scores, 1) * levels).sum(1)


def _slope(values: Tensor, levels: Tensor, _chosen: Tensor) -> Tensor:
    """Return the slope of values over exposures; 0 where all actions ask for one exposure."""
    apart = _centred(levels)
    spread = apart.square().sum(1)
    return (values * apart).sum(1) / torch.where(spread > 0.0, spread, torch.ones_like(spread))


_EXPOSURES: dict[Kind, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "preferences": _expected,
    "number": lambda scores, _levels, _chosen: torch.tanh(scores[:, 0]),
    "values": _slope,
    "weights": lambda scores, _levels, _chosen: 1.0 - scores[:, 0],
}
