"""Four parts of one's own, and nothing else is needed for a sixth recipe: a feature, a reward term, a network and a guard.

The command: seawall train examples/sixth_recipe/calm-momentum.yaml --plugin examples/sixth_recipe/parts.py
"""

from __future__ import annotations

import numpy as np
import torch
from pydantic import Field
from torch import nn

from seawall.core.params import Params
from seawall.core.protocols import GuardContext, GuardVerdict
from seawall.features.columns import Column
from seawall.guards.registry import GuardEntry
from seawall.nets.registry import NetworkParams, NetworkShape
from seawall.simulator.rewards.term import RewardTerm


def momentum(bars):
    """Log growth over twelve bars in units of its usual size; known at the close."""
    change = np.log(bars["close"] / bars["close"].shift(12))
    return change / change.abs().rolling(96).mean().clip(lower=1e-9)


def calm(bar):
    """Minus the size of the account's return: a steady account is worth more than a wild one."""
    return -np.abs(bar.simple_return)


class GruParams(NetworkParams):
    """Settings of the network."""

    units: int = Field(default=32, ge=1, le=1024, description="units of the GRU")


class GruEncoder(nn.Module):
    """A GRU over the window (B, L, F); its last state (B, units) is the encoding."""

    def __init__(self, n_features: int, units: int) -> None:
        super().__init__()
        self.gru = nn.GRU(n_features, units, batch_first=True)
        self.width = units

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        return self.gru(windows)[1][-1]


def build_gru(params: GruParams, shape: NetworkShape) -> GruEncoder:
    return GruEncoder(shape.n_features, params.units)


class QuietHoursParams(Params):
    """Settings of the guard."""

    first: int = Field(default=21, ge=0, le=23, description="first hour, UTC, in which no position is opened")
    last: int = Field(default=23, ge=0, le=23, description="last such hour")


class QuietHours:
    """No new risk in the thin hours of the night; what reduces a position always passes."""

    name, may_block_exit, state_names = "quiet_hours", False, ()
    reasons = ("opens or adds to a position in the quiet hours",)

    def __init__(self, params: QuietHoursParams) -> None:
        self.params = params

    def initial_state(self, n: int) -> np.ndarray:
        return np.zeros((n, 0))

    def apply(self, current: np.ndarray, proposed: np.ndarray, context: GuardContext, state: np.ndarray) -> GuardVerdict:
        hour = context.timestamp_ms // 3_600_000 % 24
        quiet = (hour >= self.params.first) & (hour <= self.params.last)
        # A reversal becomes flat: only the part that takes new risk is stripped.
        reduced = np.where(proposed * current >= 0.0, np.sign(proposed) * np.minimum(np.abs(proposed), np.abs(current)), 0.0)
        allowed = np.where(quiet, reduced, proposed)
        return GuardVerdict(allowed, (allowed != proposed).astype(np.int8), state)


COLUMNS = {"momentum_12": Column(momentum, warmup=107)}
REWARD_TERMS = {"calm": RewardTerm(calm, "minus the size of the return")}
NETWORKS = {"gru": (GruParams, build_gru)}
GUARDS = {"quiet_hours": GuardEntry(QuietHoursParams, QuietHours)}
