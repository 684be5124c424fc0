"""A graph in onnxruntime, on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from seawall.agents.onnx.graph import KINDS, Kind
from seawall.agents.onnx.writing import INPUTS, OUTPUTS
from seawall.core.errors import ConfigError, DataError

MISSING = 'onnxruntime is not installed; it comes with: pip install "seawall[onnx]"'


class Told(NamedTuple):
    """What a graph says of B accounts; shapes as of `EnsembleGraph.forward`.

    Attributes:
        decided: What the ensemble decides by.
        members: What each member says.
        remembered: What the members remember after the bar, shape (B, S); without columns of networks that remember nothing.
    """

    decided: np.ndarray
    members: np.ndarray
    remembered: np.ndarray


class GraphSession:
    """One file, loaded.

    Attributes:
        kind: What the ensemble decides by.
        n_members: M.
        state_width: S, numbers that its members remember together.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Load a graph that `writing.write_onnx` wrote.

        Args:
            path: The file.
            threads: Of onnxruntime; for one account, one is quickest.

        Raises:
            ConfigError: onnxruntime is not installed.
            DataError: The file cannot be read, or is no ensemble.
        """
        self._path, self._session = path, _session(path, threads)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        names = tuple(item.name for item in inputs), tuple(item.name for item in outputs)
        memory = len(inputs) == len(INPUTS)
        wanted = OUTPUTS if memory else OUTPUTS[:1]
        if names[0] not in (INPUTS, INPUTS[:2]) or names[1][:1] not in {(kind,) for kind in KINDS} or names[1][1:] != wanted:
            raise DataError(
                f"{path} has inputs {', '.join(names[0])} and outputs {', '.join(names[1])}; allowed: {', '.join(INPUTS[:2])}, and "
                f"one of {', '.join(KINDS)} with {OUTPUTS[0]}; of networks that remember also {INPUTS[2]} and {OUTPUTS[1]}"
            )
        self.kind = cast("Kind", names[1][0])
        self.n_members = int(outputs[1].shape[1])
        self.state_width = int(inputs[2].shape[1]) if memory else 0

    def run(self, windows: np.ndarray, account: np.ndarray, memory: np.ndarray) -> Told:
        """Ask for B accounts.

        Args:
            windows: Scaled features, float32, shape (B, L, F), of portfolios (B, A, L, F).
            account: Account rows, float32, shape (B, A).
            memory: What is remembered, float32, shape (B, S).

        Raises:
            DataError: The graph takes inputs of another shape.
        """
        given = (windows, account, memory) if self.state_width else (windows, account)
        inputs = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in zip(INPUTS, given, strict=False)}
        try:
            decided, members, *rest = self._session.run(None, inputs)
        except Exception as error:  # onnxruntime's errors share no base that it documents
            raise DataError(f"{self._path} does not take what the networks take: {_first_line(error)}") from error
        return Told(decided, members, rest[0] if rest else memory)


def _session(path: Path, threads: int) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigError(MISSING) from error
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads, settings.inter_op_num_threads = threads, 1
    settings.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own errors share no base that it documents
        raise DataError(f"{path} cannot be read by onnxruntime: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else repr(error)
