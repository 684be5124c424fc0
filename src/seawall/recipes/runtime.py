"""What computes an ensemble's decisions: torch, or onnxruntime from the bundle's exported file."""

from __future__ import annotations

from typing import Literal

from seawall.agents.bundle import Bundle, onnx_file
from seawall.agents.onnx.policy import OnnxPolicy
from seawall.core.errors import ConfigError
from seawall.core.protocols import Policy
from seawall.core.run_folder import RunFolder
from seawall.nets.portfolio_windows import Look
from seawall.recipes.assembly import Parts
from seawall.recipes.portfolio_parts import PortfolioParts
from seawall.recipes.run_bundle import BEST

Runtime = Literal["torch", "onnx"]

BY_ONNX = "the ensemble decided by onnxruntime from its exported file; the single seeds by torch"
"""What a judgement says where the runtime was not torch."""


def ensemble_by(
    runtime: Runtime, parts: Parts | PortfolioParts, bundle: Bundle, run: RunFolder, checkpoint: str = BEST
) -> tuple[Policy, list[Policy]]:
    """Return a bundle's ensemble, computed by a runtime, and its members, which torch computes.

    Args:
        runtime: What computes the ensemble's decisions.
        parts: What the policies look at.
        bundle: The weights.
        run: Whose bundle it is.
        checkpoint: Which weights these are.

    Raises:
        ConfigError: The exported file holds other weights than the checkpoint's, onnxruntime is not installed, or a guard reads the
            votes of members, which the file does not tell.
        DataError: The bundle was made for other inputs, or has no exported file, or it was changed.
    """
    ensemble, members = parts.policies(bundle)
    if runtime == "torch":
        return ensemble, list(members)
    if checkpoint != BEST:
        raise ConfigError(f"checkpoint is {checkpoint!r}, and the ONNX file holds the bundle's weights; allowed: {BEST}")
    guards = parts.guards() if isinstance(parts, Parts) else None
    if guards is not None and guards.reads_votes:
        raise ConfigError(
            "a guard of the run reads the votes of the ensemble's members, which the ONNX file does not tell; allowed: runtime "
            "torch, or guards.disagreement=null"
        )
    return OnnxPolicy(onnx_file(run.bundle, bundle.manifest), sees(parts)), list(members)


def sees(parts: Parts | PortfolioParts) -> int | Look:
    """Return what a decision looks at: rows of a window, or of portfolios the look at each asset."""
    return parts.recipe.environment.window if isinstance(parts, Parts) else parts.look
