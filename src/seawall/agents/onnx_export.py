"""An ensemble as one ONNX graph, kept only where it decides as the networks do."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seawall.agents.onnx_policy import onnx_session, run_onnx
from seawall.agents.policy import NetworkPolicy
from seawall.core.errors import ConfigError, DataError
from seawall.core.protocols import Policy

TOLERANCE = 1e-5
"""Largest difference of a probability that is let pass: single precision, summed in another order."""

_NEEDED = ("onnx", "onnxscript", "onnxruntime")
_BATCH = 256


class EnsembleNetwork(nn.Module):
    """Networks of one shape as one: the mean of their action probabilities."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        """Take copies of the members, on the CPU and without what only training does."""
        super().__init__()
        self.members = nn.ModuleList([copy.deepcopy(member).cpu() for member in members])
        self.eval()

    def forward(self, windows: Tensor, account: Tensor) -> Tensor:
        """Return probabilities, shape (B, n_actions), of windows (B, L, F) and account rows (B, A)."""
        logits = [member.logits(windows, account) for member in self.members]  # pyright: ignore[reportCallIssue]
        return torch.stack([torch.softmax(each, 1) for each in logits]).mean(0)


def ensemble_network(members: Sequence[Policy]) -> EnsembleNetwork:
    """Join the networks of some policies.

    Raises:
        ConfigError: A policy is not one network that maps a window and an account row to preferences.
    """
    networks = []
    for member in members:
        network = member.network if isinstance(member, NetworkPolicy) else None
        if network is None or network.state_width or not network.n_actions:
            what = f"policies of class {type(member).__name__}"
            if network is not None:
                what = "networks that remember" if network.state_width else "networks whose action is a number"
            raise ConfigError(f"{what} cannot be exported to ONNX; allowed: networks without memory that prefer numbered actions")
        networks.append(network)
    return EnsembleNetwork(networks)


def write_onnx(network: EnsembleNetwork, path: Path, sizes: tuple[int, int, int], metadata: Mapping[str, str]) -> None:
    """Write an ensemble as one file whose batch size is free.

    Args:
        network: The ensemble.
        path: The file.
        sizes: L rows of a window, F features, A numbers of an account row.
        metadata: Kept in the file, for its reader.

    Raises:
        ConfigError: The packages that write ONNX are not installed.
    """
    require_onnx()
    import onnx

    window, n_features, n_account = sizes
    # A batch of one would be taken for a fixed size.
    example = torch.zeros(2, window, n_features), torch.zeros(2, n_account)
    batch = {0: torch.export.Dim("batch")}
    with _quietly():
        torch.onnx.export(
            network,
            example,
            str(path),
            input_names=["windows", "account"],
            output_names=["probabilities"],
            dynamic_shapes={"windows": batch, "account": batch},
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    model = onnx.load(path)
    _strip(model.graph)
    onnx.helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model)
    onnx.save(model, path)


def parity(network: EnsembleNetwork, path: Path, windows: np.ndarray, account: np.ndarray) -> float:
    """Compare a file with the networks it was made from.

    Args:
        network: The ensemble.
        path: The file.
        windows: Float32, shape (B, L, F).
        account: Float32, shape (B, A).

    Returns:
        The largest absolute difference of a probability; infinity where one is not finite. The first rows are also asked
        one by one, as live does.

    Raises:
        ConfigError: onnxruntime is not installed.
        DataError: The file cannot be read, or takes other inputs.
    """
    session, worst = onnx_session(path), 0.0
    starts = [(start, start + _BATCH) for start in range(0, len(windows), _BATCH)]
    singles = [(row, row + 1) for row in range(min(8, len(windows)))]
    for start, stop in (*starts, *singles):
        part = windows[start:stop], account[start:stop]
        with torch.inference_mode():
            expected = network(*(torch.from_numpy(np.ascontiguousarray(each, dtype=np.float32)) for each in part)).numpy()
        try:
            found = run_onnx(session, *part)
        except Exception as error:  # onnxruntime's errors share no base that it documents
            raise DataError(f"{path} does not take what the networks take: {str(error).splitlines()[0]}") from error
        difference = float(np.abs(found - expected).max()) if found.shape == expected.shape else float("inf")
        worst = max(worst, difference if np.isfinite(difference) else float("inf"))
    return worst


def require_parity(difference: float) -> None:
    """Refuse a file that decides otherwise than the networks.

    Raises:
        DataError: The difference is beyond `TOLERANCE`.
    """
    if not difference <= TOLERANCE:
        raise DataError(
            f"the ONNX graph gives probabilities that differ by {difference:.2g} from the networks'; allowed: up to {TOLERANCE:g}"
        )


def require_onnx() -> None:
    """Refuse where the packages of the extra ``onnx`` are missing.

    Raises:
        ConfigError: Some are.
    """
    missing = [name for name in _NEEDED if util.find_spec(name) is None]
    if missing:
        raise ConfigError(f'{", ".join(missing)} not installed; they come with: pip install "seawall[onnx]"')


def _strip(graph: Any) -> None:
    """Drop what the exporter notes of the source code: paths of this machine have no business in a file that travels."""
    for item in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del item.metadata_props[:]
        item.doc_string = ""


@contextmanager
def _quietly() -> Generator[None]:
    """Keep the exporter's remarks on packages that are not needed off the screen."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
