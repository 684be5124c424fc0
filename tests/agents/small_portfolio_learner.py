"""A learner of portfolios over a small random panel."""

from __future__ import annotations

from typing import Any

from envs.small_panels import READY, bars, batch, features
from seawall.agents.joint_ppo import JointPPO, JointPPOParams
from seawall.core.market import Market
from seawall.envs.portfolio_market import panel_market
from seawall.nets.portfolio import PortfolioNetworkParams, PortfolioShape, build_portfolio_network
from seawall.nets.portfolio_windows import Look

LOOK = Look.of(2, (4,), (1,))
STATE = 8
SMALL = PortfolioNetworkParams(preset="tiny", hidden=16, latent=12, code=4, wide=16, narrow=12, token=6, heads=2, feed_forward=8)


def small_market() -> Market:
    return panel_market(bars(), features(), ("x", "y"), READY)


def learner(seed: int = 0, network: dict[str, Any] | None = None, **settings: Any) -> JointPPO:
    """Four portfolios of three assets, eight steps an update."""
    params = JointPPOParams(**{"n_envs": 4, "n_steps": 8, "minibatch": 16, "n_epochs": 2, "total_steps": 128} | settings)
    sizes = PortfolioNetworkParams(**{**SMALL.model_dump(), **(network or {})})
    net = build_portfolio_network(sizes, PortfolioShape(3, LOOK.rows, LOOK.columns, STATE), seed)
    return JointPPO(batch(params.n_envs), net, params, market=small_market(), look=LOOK, seed=seed)
