"""An exported ensemble as a policy: onnxruntime decides, which takes a fraction of the time for one account."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seawall.agents.policy import choose
from seawall.core.errors import ConfigError, DataError
from seawall.core.market import Market
from seawall.core.protocols import Observation

MISSING = 'onnxruntime is not installed; it comes with: pip install "seawall[onnx]"'


class OnnxPolicy:
    """The mean of an ensemble's action probabilities, computed by one ONNX graph on the CPU.

    Windows are gathered from the market of each observation, so live's growing tail costs nothing extra.
    """

    def __init__(self, path: Path, window: int, generator: np.random.Generator | None = None, threads: int = 1) -> None:
        """Load a graph that `onnx_export.write_onnx` wrote.

        Args:
            path: The file.
            window: L, rows that the networks see.
            generator: Source of sampled actions; without it only deterministic ones are given.
            threads: Of onnxruntime; for one account, one is quickest.

        Raises:
            ConfigError: onnxruntime is not installed.
            DataError: The file cannot be read.
        """
        self.window, self.generator = window, generator
        self._session = onnx_session(path, threads)
        self._market: Market | None = None
        self._windows: np.ndarray = np.empty((0, window, 0), np.float32)

    def act(self, observation: Observation, *, deterministic: bool = True) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
        """Choose as `EnsemblePolicy.act` does.

        Returns:
            Actions, int64, shape (N,); and ``probabilities``, float32, shape (N, n_actions).

        Raises:
            ConfigError: A sample is asked of a policy without a generator.
            IndexError: A window would start before the market's first row.
        """
        probabilities = self.probabilities(observation)
        return choose(probabilities, deterministic, self.generator), {"probabilities": probabilities}

    def probabilities(self, observation: Observation) -> np.ndarray:
        """Return the probability of each action, float32, shape (N, n_actions)."""
        if self._market is not observation.market:
            self._market, self._windows = observation.market, windows_of(observation.market.features, self.window)
        first = np.asarray(observation.rows) - (self.window - 1)
        if len(first) and first.min() < 0:
            raise IndexError(
                f"a window of {self.window} rows that ends at row {observation.rows.min()} starts before the first row"
            )
        return run_onnx(self._session, self._windows[first], observation.account)


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


def run_onnx(session: Any, windows: np.ndarray, account: np.ndarray) -> np.ndarray:
    """Return a graph's probabilities, float32, shape (B, n_actions), for windows (B, L, F) and account rows (B, A)."""
    inputs = {
        "windows": np.ascontiguousarray(windows, dtype=np.float32),
        "account": np.ascontiguousarray(account, dtype=np.float32),
    }
    return session.run(None, inputs)[0]


def onnx_session(path: Path, threads: int = 1) -> Any:
    """Load a graph into onnxruntime, on the CPU.

    Raises:
        ConfigError: onnxruntime is not installed.
        DataError: The file cannot be read, or is no ensemble.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigError(MISSING) from error
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads, settings.inter_op_num_threads = threads, 1
    settings.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own errors share no base that it documents
        raise DataError(f"{path} cannot be read by onnxruntime: {str(error).splitlines()[0] if str(error) else error!r}") from error
    names = [item.name for item in session.get_inputs()], [item.name for item in session.get_outputs()]
    if names != (["windows", "account"], ["probabilities"]):
        raise DataError(f"{path} has inputs {names[0]} and outputs {names[1]}; windows and account, and probabilities, are needed")
    return session
