"""Integrated gradients and occlusion of one network, by captum.

Integrated gradients: Sundararajan, Taly and Yan 2017, arXiv 1703.01365; an input's share is its distance from a baseline times the
mean gradient on the straight way from there. Occlusion: inputs are replaced by the baseline, a group at a time, and the change is
measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seawall.agents.explaining.scores import Scores, as_it_decides
from seawall.agents.explaining.targets import Target
from seawall.core.errors import ConfigError

STEPS, MOST_STEPS = 32, 1024
"""Points on the way from the baseline: at first, and where the sum is still too far off."""
TOLERANCE = 0.01
"""How far attributions may add up beside the change that they explain, as a share of the bars' mean change."""
_NUMBERS_AT_ONCE = 4_000_000
_ROUNDING = 1e-6


def require_captum() -> None:
    """Refuse to go on without captum.

    Raises:
        ConfigError: It is not installed; the message says how to get it.
    """
    if find_spec("captum") is None:
        raise ConfigError(
            "explanations need captum, of the extra explain; install it with: pip install -c constraints.txt -e '.[explain]'"
        )


@dataclass(frozen=True)
class Inputs:
    """What a network saw at B bars, and what it is compared with; float32 tensors on one device.

    Attributes:
        windows: Shape (B, L, F), or (B, A, L, F) of portfolios.
        account: Account rows, shape (B, S).
        memory: What was remembered before each bar, shape (B, M); held as it was.
        levels: Exposure that each action asks for at each bar, shape (B, P).
        chosen: Place of the action that was chosen, int64, shape (B,).
        usual_windows: The baseline, shape of one bar's windows.
        usual_account: The baseline, shape (S,).
    """

    windows: Tensor
    account: Tensor
    memory: Tensor
    levels: Tensor
    chosen: Tensor
    usual_windows: Tensor
    usual_account: Tensor

    def __len__(self) -> int:
        """Return B."""
        return len(self.windows)

    def at(self, places: Tensor) -> Inputs:
        """Return some of the bars."""
        own = {name: getattr(self, name)[places] for name in ("windows", "account", "memory", "levels", "chosen")}
        return replace(self, **own)

    def parts(self, copies: int) -> Iterator[Tensor]:
        """Cut the bars such that so many copies of a part fit into the memory at once; yields places."""
        size = max(1, _NUMBERS_AT_ONCE // (self.usual_windows.numel() * copies))
        yield from torch.arange(len(self), device=self.windows.device).split(size)


@dataclass(frozen=True)
class Gradients:
    """Integrated gradients at B bars.

    Attributes:
        windows: Signed attributions, float64, the shape of the windows.
        account: Likewise, shape (B, S).
        change: Target at the bar less target at the baseline, shape (B,); what the attributions add up to.
        gap: Sum of the attributions less that change, shape (B,).
        steps: Points that were taken, int64, shape (B,).
        complete: Whether every gap is within the tolerance.
    """

    windows: np.ndarray
    account: np.ndarray
    change: np.ndarray
    gap: np.ndarray
    steps: np.ndarray
    complete: bool


@dataclass(frozen=True)
class Occluded:
    """How far the target moves where a group of inputs is replaced by the baseline: target before less target after, float64.

    Attributes:
        features: Of each column over the whole window, shape (B, F).
        account: Of each column of the account row, shape (B, S).
        lags: Of each row of the window with all its columns, shape (B, L).
        assets: Of each asset of a portfolio, shape (B, A); without columns for one series.
    """

    features: np.ndarray
    account: np.ndarray
    lags: np.ndarray
    assets: np.ndarray


def measured(scores: Scores, target: Target) -> Callable[..., Tensor]:
    """Return the target as a function of windows, account rows, memories, levels and chosen actions.

    The inputs enter once more times 0: a network that reads one of them not at all has a gradient of 0 and not none.
    """

    def function(windows: Tensor, account: Tensor, memory: Tensor, levels: Tensor, chosen: Tensor) -> Tensor:
        unread = windows.flatten(1).sum(1) * 0.0 + account.sum(1) * 0.0
        return target.measure(scores.forward(windows, account, memory), levels, chosen) + unread

    return function


def integrated_gradients(
    scores: Scores, target: Target, inputs: Inputs, tell: Callable[[int], Any], steps: int = STEPS, most_steps: int = MOST_STEPS
) -> Gradients:
    """Share the change of a target out among the inputs.

    Bars whose attributions do not add up within `TOLERANCE` are taken again with twice as many points, up to `most_steps`.

    Args:
        scores: The network.
        target: What is explained.
        inputs: Where.
        tell: Told how many bars were done.
        steps: Points on the way at first.
        most_steps: At most.

    Raises:
        ConfigError: captum is not installed.
    """
    require_captum()
    function = measured(scores, target)
    with as_it_decides(scores.network):
        change = _change(function, inputs)
        allowed = max(TOLERANCE * float(change.abs().mean()), _ROUNDING * float(change.abs().max()))
        windows, account = (
            torch.zeros_like(inputs.windows, dtype=torch.float64),
            torch.zeros_like(inputs.account, dtype=torch.float64),
        )
        gap, taken = torch.zeros_like(change), torch.zeros(len(inputs), dtype=torch.int64, device=change.device)
        waiting = torch.arange(len(inputs), device=change.device)
        while len(waiting) and steps <= most_steps:
            for part in inputs.at(waiting).parts(steps):
                places = waiting[part]
                windows[places], account[places] = _shared_out(function, inputs.at(places), steps)
                tell(len(places))
            taken[waiting] = steps
            gap[waiting] = windows[waiting].flatten(1).sum(1) + account[waiting].sum(1) - change[waiting]
            waiting = waiting[gap[waiting].abs() > allowed]
            steps *= 2
    arrays = (each.cpu().numpy() for each in (windows, account, change, gap, taken))
    return Gradients(*arrays, complete=not len(waiting))


def occlusion(scores: Scores, target: Target, inputs: Inputs, tell: Callable[[int], Any]) -> Occluded:
    """Measure how far a target moves where inputs are replaced by the baseline.

    Args:
        scores: The network.
        target: What is explained.
        inputs: Where.
        tell: Told how many bars were done.

    Raises:
        ConfigError: captum is not installed.
    """
    require_captum()
    function, found = measured(scores, target), []
    with as_it_decides(scores.network), torch.no_grad():
        for part in inputs.parts(2):
            found.append(_occluded(function, inputs.at(part)))
            tell(len(part))
    return Occluded(*(np.concatenate(each) for each in zip(*found, strict=True)))


def _change(function: Callable[..., Tensor], inputs: Inputs) -> Tensor:
    """Return target less target at the baseline, float64, shape (B,)."""
    found = []
    with torch.no_grad():
        for part in inputs.parts(2):
            own = inputs.at(part)
            further = own.memory, own.levels, own.chosen
            usual = own.usual_windows.expand_as(own.windows), own.usual_account.expand_as(own.account)
            found.append(function(own.windows, own.account, *further).double() - function(*usual, *further).double())
    return torch.cat(found)


def _shared_out(function: Callable[..., Tensor], inputs: Inputs, steps: int) -> tuple[Tensor, Tensor]:
    """Return integrated gradients of windows and account rows."""
    from captum.attr import IntegratedGradients

    further = inputs.memory, inputs.levels, inputs.chosen
    at_once = max(len(inputs), _NUMBERS_AT_ONCE // inputs.usual_windows.numel())
    settings: dict[str, Any] = {"n_steps": steps, "method": "gausslegendre", "internal_batch_size": at_once}
    if not inputs.account.shape[1]:
        found = IntegratedGradients(function).attribute(
            inputs.windows, inputs.usual_windows[None], additional_forward_args=(inputs.account, *further), **settings
        )
        return found.double(), inputs.account.double()
    windows, account = IntegratedGradients(function).attribute(
        (inputs.windows, inputs.account),
        (inputs.usual_windows[None], inputs.usual_account[None]),
        additional_forward_args=further,
        **settings,
    )
    return windows.double(), account.double()


def _occluded(function: Callable[..., Tensor], inputs: Inputs) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the changes for features, account columns, lags and assets."""
    from captum.attr import FeatureAblation

    ablation, usual, further = FeatureAblation(function), inputs.usual_windows[None], (inputs.memory, inputs.levels, inputs.chosen)
    portfolio = inputs.windows.ndim == 4

    def without(axis: int) -> np.ndarray:
        """Return the change for each place along an axis of the windows, all others together, shape (B, places)."""
        shape = [1] * usual.ndim
        shape[axis] = -1
        groups = torch.arange(usual.shape[axis], device=usual.device).view(shape).expand_as(usual)
        found = ablation.attribute(inputs.windows, usual, additional_forward_args=(inputs.account, *further), feature_mask=groups)
        others = tuple(0 if number not in (0, axis % usual.ndim) else slice(None) for number in range(usual.ndim))
        return found[others].double().cpu().numpy()

    features, lags = without(-1), without(-2)
    assets = without(1) if portfolio else np.zeros((len(inputs), 0))
    account = np.zeros((len(inputs), 0))
    if inputs.account.shape[1]:
        # The first argument is what captum changes; windows stay.
        moved = FeatureAblation(lambda rows, windows, *others: function(windows, rows, *others))
        found = moved.attribute(inputs.account, inputs.usual_account[None], additional_forward_args=(inputs.windows, *further))
        account = found.double().cpu().numpy()
    return features, account, lags, assets
