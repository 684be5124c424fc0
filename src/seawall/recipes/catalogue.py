"""What can be run, and what is still to come: told as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from seawall.recipes.families import load_any
from seawall.recipes.files import shipped_recipes

_PLANNED = {
    "ichimoku-lstm": "Six Ichimoku features × 30 one-minute bars, LSTM actor-critic, PPO with a replay buffer; Alpaca",
    "long-short-zoo": "15-minute bars, flat / long / short, six agents, LSTM or TCN extractors, Ray Tune",
    "two-stage": "Self-supervised TCN encoder with four heads, then PPO on its embeddings; brackets, sessions, TradeLocker",
    "portfolio": "11 assets, 134,980 inputs, an autoencoder trained jointly with a transformer PPO policy",
}


@dataclass(frozen=True)
class Entry:
    """One line of the catalogue."""

    name: str
    state: Literal["ready", "planned"]
    summary: str


def catalogue() -> list[Entry]:
    """Return every recipe, ready ones first."""
    ready = [Entry(name, "ready", load_any(name).summary) for name in shipped_recipes()]
    names = {entry.name for entry in ready}
    return ready + [Entry(name, "planned", summary) for name, summary in _PLANNED.items() if name not in names]
