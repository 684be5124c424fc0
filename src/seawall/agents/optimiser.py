"""AdamW over one block that holds all weights, so that a gradient step costs a handful of calls, however many layers there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from seawall.core.errors import DataError

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


class BlockAdamW:
    """AdamW with a clipped gradient norm. The network's parameters, and their gradients, become views of two blocks.

    Source: Loshchilov and Hutter 2019, arXiv 1711.05101.

    Attributes:
        learning_rate: Adam's step size, of the next step.
    """

    def __init__(self, network: nn.Module, weight_decay: float, free: Tensor | None = None) -> None:
        """Take over a network's parameters; it must not be moved to another device afterwards.

        Args:
            network: Whose parameters are trained; frozen ones stay what and where they are.
            weight_decay: Decoupled pull of every weight to 0.
            free: A parameter that is not pulled.
        """
        pulled = [parameter for parameter in network.parameters() if parameter is not free and parameter.requires_grad]
        blocks: list[Sequence[Tensor]] = [pulled] if free is None else [pulled, [free]]
        self._blocks = [_join(parameters) for parameters in blocks]
        self._gradients = [block.grad for block in self._blocks if block.grad is not None]
        self.learning_rate = 1e-3
        decays = (weight_decay, 0.0)
        groups = [{"params": [block], "weight_decay": decay} for block, decay in zip(self._blocks, decays, strict=False)]
        self._adam = torch.optim.AdamW(groups, eps=1e-5, fused=True)

    def step(self, loss: Tensor, max_norm: float) -> Tensor:
        """Go one step down a loss.

        Args:
            loss: A number that depends on the parameters.
            max_norm: Gradients are scaled down to this norm.

        Returns:
            The norm of the gradient before it was scaled.
        """
        for group in self._adam.param_groups:
            group["lr"] = self.learning_rate
        for gradient in self._gradients:
            gradient.zero_()
        loss.backward()
        norm = torch.nn.utils.get_total_norm(self._gradients)
        # The fused step divides gradients as it reads them, which spares a pass over all of them.
        self._adam.grad_scale = ((norm + 1e-6) / max_norm).clamp(min=1.0)  # pyright: ignore[reportAttributeAccessIssue]
        self._adam.step()
        return norm

    def state(self, prefix: str) -> dict[str, Tensor]:
        """Return the moments by path; none before the first step."""
        found: dict[str, Tensor] = {}
        for number, block in enumerate(self._blocks):
            moments: dict[str, Tensor] = self._adam.state.get(block, {})
            found.update({f"{prefix}/{number}/{key}": value.detach().cpu().clone() for key, value in moments.items()})
        return found

    def load_state(self, tensors: Mapping[str, Tensor], prefix: str) -> None:
        """Undo `state`.

        Raises:
            DataError: The moments are of other parameters.
        """
        for number, block in enumerate(self._blocks):
            moments = {key: tensors[path].clone() for key in _MOMENTS if (path := f"{prefix}/{number}/{key}") in tensors}
            if moments and moments["exp_avg"].shape != block.shape:
                raise DataError(
                    f"saved moments have {moments['exp_avg'].numel()} numbers; the network has {block.numel()} parameters"
                )
            self._adam.state[block] = {key: value.to(block.device) for key, value in moments.items()}


def _join(parameters: Sequence[Tensor]) -> Tensor:
    """Copy parameters into one block, and let them and their gradients be views of it and of its gradient."""
    block = torch.cat([parameter.detach().flatten() for parameter in parameters]).requires_grad_()
    block.grad = torch.zeros_like(block)
    sizes = [parameter.numel() for parameter in parameters]
    for parameter, values, gradient in zip(parameters, block.detach().split(sizes), block.grad.split(sizes), strict=True):
        parameter.data = values.view_as(parameter)
        parameter.grad = gradient.view_as(parameter)
    return block
