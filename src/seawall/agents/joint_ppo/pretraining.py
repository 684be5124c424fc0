"""Teaching the autoencoder to give back what it is shown, before any policy learns."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 (the name that torch users know)
from torch import Tensor

from seawall.agents.joint_ppo.optimiser import JointOptimiser
from seawall.agents.joint_ppo.params import JointPPOParams
from seawall.core.market import RowRange
from seawall.core.seeding import derived_seed
from seawall.nets.portfolio import PortfolioNetwork
from seawall.nets.portfolio_windows import PanelGatherer


def pretrain(
    network: PortfolioNetwork,
    gather: PanelGatherer,
    params: JointPPOParams,
    rows: RowRange | Sequence[RowRange],
    account: Tensor,
    seed: int,
) -> float:
    """Pass over rows in random order and lower the error of what the autoencoder gives back; nothing else is changed.

    Args:
        network: Changed in place.
        gather: Shows what is known of all assets at a row.
        params: Epochs, step size, size of a batch and bound of the gradient.
        rows: Training rows, one range or several, each with a whole look before it.
        account: Account row of a portfolio that is all in cash, shape (S,), shown with every row.
        seed: The run's seed.

    Returns:
        The mean squared error over the last epoch.
    """
    optimiser = JointOptimiser(network, params.encoder_optimiser)
    order = torch.Generator().manual_seed(derived_seed(seed, "pretraining"))
    errors: list[Tensor] = []
    ranges = [rows] if isinstance(rows, RowRange) else rows
    places = torch.cat([torch.arange(each.start, each.stop) for each in ranges])
    for _ in range(params.pretrain_epochs):
        errors.clear()
        shuffled = places[torch.randperm(len(places), generator=order)].to(account.device)
        for batch in shuffled.split(params.minibatch):
            inputs = network.inputs(gather(batch), account.expand(len(batch), -1))
            loss = F.mse_loss(network.reducer.decode(network.reducer.encode(inputs)[0]), inputs)
            optimiser.step(loss, (params.pretrain_learning_rate, 0.0), params.max_gradient_norm)
            errors.append(loss.detach())
    return float(torch.stack(errors).mean())
