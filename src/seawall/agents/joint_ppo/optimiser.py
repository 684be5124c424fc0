"""Two step sizes, one for the autoencoder and one for the rest, under one bound of the gradient's norm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from seawall.core.errors import DataError
from seawall.nets.portfolio import PortfolioNetwork


class JointOptimiser:
    """Adam for everything, or Adafactor for the autoencoder.

    Source of Adafactor: Shazeer and Stern 2018, arXiv 1804.04235: of the second moments of a matrix a row and a column are kept.
    """

    def __init__(self, network: PortfolioNetwork, encoder: str) -> None:
        """Take over a network's parameters.

        Args:
            network: Whose parameters are trained.
            encoder: ``adam`` or ``adafactor``, for the autoencoder.
        """
        reducer, rest = list(network.encoder_parameters()), list(network.policy_parameters())
        self._groups = (reducer, rest)
        self._every = [*reducer, *rest]
        own = torch.optim.Adafactor(reducer) if encoder == "adafactor" else torch.optim.Adam(reducer)
        self._optimisers: tuple[torch.optim.Optimizer, ...] = (own, torch.optim.Adam(rest))

    def step(self, loss: Tensor, rates: tuple[float, float], max_norm: float) -> Tensor:
        """Go one step down a loss.

        Args:
            loss: A number that depends on the parameters.
            rates: Step sizes of the autoencoder and of the rest.
            max_norm: The gradient of all parameters together is scaled down to this norm.

        Returns:
            That norm before it was scaled.
        """
        for optimiser, rate in zip(self._optimisers, rates, strict=True):
            optimiser.param_groups[0]["lr"] = rate
            optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self._every, max_norm)
        for optimiser in self._optimisers:
            optimiser.step()
        return norm

    def state(self, prefix: str) -> dict[str, Tensor]:
        """Return the moments by path; none before the first step."""
        found: dict[str, Tensor] = {}
        for number, (optimiser, parameters) in enumerate(zip(self._optimisers, self._groups, strict=True)):
            for place, parameter in enumerate(parameters):
                moments: dict[str, Any] = optimiser.state.get(parameter, {})
                found |= {
                    f"{prefix}/{number}/{place}/{key}": value.detach().cpu().clone()
                    for key, value in moments.items()
                    if isinstance(value, Tensor)
                }
        return found

    def load_state(self, tensors: Mapping[str, Tensor], prefix: str) -> None:
        """Undo `state`.

        Raises:
            DataError: The moments are of other parameters.
        """
        for path, value in tensors.items():
            if not path.startswith(f"{prefix}/"):
                continue
            number, place, key = path[len(prefix) + 1 :].split("/")
            if int(number) > 1 or int(place) >= len(self._groups[int(number)]):
                raise DataError(f"saved moments {path} are of a parameter that the network does not have")
            parameter = self._groups[int(number)][int(place)]
            if key.startswith("exp_avg") and value.shape != parameter.shape:
                raise DataError(f"saved moments {path} have shape {tuple(value.shape)}; the parameter has {tuple(parameter.shape)}")
            kept = value.clone() if key == "step" else value.to(parameter.device, copy=True)
            self._optimisers[int(number)].state[parameter][key] = kept
