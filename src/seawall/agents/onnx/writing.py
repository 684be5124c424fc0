"""Writing an ensemble as one ONNX file, by torch's own exporter."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib import util
from pathlib import Path
from typing import Any

import torch

from seawall.agents.onnx.graph import EnsembleGraph
from seawall.core.errors import ConfigError

INPUTS, OUTPUTS = ("windows", "account", "memory"), ("members", "remembered")
"""Names in a graph: of its inputs, and of its outputs after the first, whose name is the ensemble's kind."""

_NEEDED = ("onnx", "onnxscript", "onnxruntime")


def write_onnx(graph: EnsembleGraph, path: Path, sizes: tuple[tuple[int, ...], int], metadata: Mapping[str, str]) -> None:
    """Write an ensemble as one file whose batch size is free.

    Args:
        graph: The ensemble.
        path: The file.
        sizes: Shape of one account's window, (L, F) or of portfolios (A, L, F), and numbers of an account row.
        metadata: Kept in the file, for its reader.

    Raises:
        ConfigError: The packages that write ONNX are not installed, or torch's exporter cannot write the networks.
    """
    require_onnx()
    import onnx

    window, n_account = sizes
    # A batch of one would be taken for a fixed size.
    example = [torch.zeros(2, *window), torch.zeros(2, n_account)]
    if graph.remembers:
        example.append(torch.zeros(2, sum(graph.state_widths)))
    names, batch = INPUTS[: len(example)], {0: torch.export.Dim("batch")}
    with _quietly(), _plain_attention():
        try:
            torch.onnx.export(
                graph,
                tuple(example),
                str(path),
                input_names=names,
                output_names=[graph.kind, *OUTPUTS[: len(example) - 1]],
                dynamic_shapes=dict.fromkeys(names, batch),
                dynamo=True,
                external_data=False,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            raise ConfigError(f"torch's exporter cannot write these networks as ONNX: {_reason(error)}") from error
    model = onnx.load(path)
    _strip(model.graph)
    onnx.helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model)
    onnx.save(model, path)


def require_onnx() -> None:
    """Refuse where the packages of the extra ``onnx`` are missing.

    Raises:
        ConfigError: Some are.
    """
    missing = [name for name in _NEEDED if util.find_spec(name) is None]
    if missing:
        raise ConfigError(f'{", ".join(missing)} not installed; they come with: pip install "seawall[onnx]"')


def _reason(error: BaseException) -> str:
    """Return the innermost cause in one line: the exporter's own message is a page long."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return lines[0] if lines else repr(error)


def _strip(graph: Any) -> None:
    """Drop what the exporter notes of the source code: paths of this machine have no business in a file that travels."""
    for item in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del item.metadata_props[:]
        item.doc_string = ""


@contextmanager
def _plain_attention() -> Generator[None]:
    """Write attention step by step: torch's short cut through a whole block is an operation that ONNX lacks."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


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
