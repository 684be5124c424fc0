"""An exported ensemble as a policy: onnxruntime computes, which takes a fraction of the time for one account."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from seawall.agents.dqn.policy import QEnsemble
from seawall.agents.joint_ppo.policy import PortfolioEnsemble
from seawall.agents.memory import Remembering
from seawall.agents.onnx.session import GraphSession, Told
from seawall.agents.policy import EnsemblePolicy
from seawall.core.errors import DataError
from seawall.core.market import Market
from seawall.core.protocols import Observation, Policy
from seawall.nets.portfolio_windows import Look, ObservedPanels


class OnnxPolicy(Remembering):
    """An ensemble of any agent, computed by one graph on the CPU.

    What the members say comes from the graph; what follows of it, an action or a draw, is left to the ensembles of torch's
    policies, so that both runtimes decide alike. The same holds of memory: a row of it can be taken out of one and put into the
    other.

    Attributes:
        session: The graph.
        told: What the graph said last; None before the first decision.
    """

    def __init__(self, path: Path, sees: int | Look, generator: np.random.Generator | None = None, threads: int = 1) -> None:
        """Load a graph that `writing.write_onnx` wrote.

        Args:
            path: The file.
            sees: L, rows of a window; of portfolios what is seen of each asset.
            generator: Source of sampled actions; without it only deterministic ones are given.
            threads: Of onnxruntime; for one account, one is quickest.

        Raises:
            ConfigError: onnxruntime is not installed.
            DataError: The file cannot be read, or is no ensemble.
        """
        self.session = GraphSession(path, threads)
        super().__init__(self.session.state_width, torch.device("cpu"))
        self.told: Told | None = None
        self._windows: Callable[[Observation], np.ndarray] = _Panels(sees) if isinstance(sees, Look) else _Windows(sees)
        self._ensemble = _ensemble(self, generator)

    def act(self, observation: Observation, *, deterministic: bool = True) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
        """Choose as the ensemble of networks does; arguments, result and errors as there. A memory goes one bar on."""
        windows = self._windows(observation)
        memory = self.remembered(len(windows)).numpy()
        self.told = self.session.run(windows, observation.account, memory)
        self._memory = torch.from_numpy(self.told.remembered)
        return self._ensemble.act(observation, deterministic=deterministic)


@dataclass(frozen=True)
class _Network:
    """What ensembles ask of a member's network: its actions, of which there are none where an action is a number."""

    n_actions: int


class _Member:
    """One member of a graph, as ensembles see theirs: it tells what the graph has said last."""

    def __init__(self, owner: OnnxPolicy, number: int) -> None:
        self._owner, self._number = owner, number
        self.network = _Network(0 if owner.session.kind == "number" else 1)

    def probabilities(self, _observation: Observation) -> np.ndarray:
        return self._said()

    def numbers(self, _observation: Observation) -> tuple[np.ndarray, np.ndarray]:
        said = self._said()
        return said[:, 0], said[:, 1]

    def values(self, _observation: Observation) -> np.ndarray:
        return self._said()

    def concentrations(self, _observation: Observation) -> np.ndarray:
        return self._said()

    def _said(self) -> np.ndarray:
        return cast("Told", self._owner.told).members[:, self._number]


def _ensemble(owner: OnnxPolicy, generator: np.random.Generator | None) -> Policy:
    members = cast("list[Any]", [_Member(owner, number) for number in range(owner.session.n_members)])
    if owner.session.kind == "values":
        return QEnsemble(members, generator)
    return (PortfolioEnsemble if owner.session.kind == "weights" else EnsemblePolicy)(members, generator)


class _Windows:
    """Gathers windows from the market of each observation, so live's growing tail costs nothing extra."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._market: Market | None = None
        self._views = np.empty((0, window, 0), np.float32)

    def __call__(self, observation: Observation) -> np.ndarray:
        if self._market is not observation.market:
            self._market, self._views = observation.market, windows_of(observation.market.features, self._window)
        first = np.asarray(observation.rows) - (self._window - 1)
        if len(first) and first.min() < 0:
            raise IndexError(
                f"a window of {self._window} rows that ends at row {observation.rows.min()} starts before the first row"
            )
        return self._views[first]


class _Panels:
    """Gathers what is seen of several assets."""

    def __init__(self, look: Look) -> None:
        self._gather = ObservedPanels(look)

    def __call__(self, observation: Observation) -> np.ndarray:
        return self._gather(observation).numpy()


def windows_of(features: np.ndarray, window: int) -> np.ndarray:
    """View every window of a feature block, without a copy.

    Args:
        features: Scaled features, float32, shape (T, F).
        window: L, rows in a window.

    Returns:
        Window i holds rows i .. i + L - 1; shape (T - L + 1, L, F), read-only.

    Raises:
        DataError: The block is shorter than one window.
    """
    if len(features) < window:
        raise DataError(f"the market has {len(features)} rows; a window needs at least {window}")
    return np.lib.stride_tricks.sliding_window_view(features, window, axis=0).transpose(0, 2, 1)
