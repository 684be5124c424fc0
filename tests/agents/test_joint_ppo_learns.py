"""Joint PPO learns what there is to learn, and nothing where there is nothing."""

from __future__ import annotations

import numpy as np
import pytest

from seawall.agents.joint_ppo import JointPPO, JointPPOParams
from seawall.core.market import RowRange
from seawall.core.timeframe import Timeframe
from seawall.envs.portfolio_market import panel_market
from seawall.envs.portfolio_params import PortfolioEnvironmentParams
from seawall.envs.portfolio_vector import PortfolioVectorEnv
from seawall.evaluation.portfolio_backtest import PortfolioSetting, portfolio_backtest
from seawall.market.panel import Panel
from seawall.nets.portfolio import PortfolioNetworkParams, PortfolioShape, build_portfolio_network
from seawall.nets.portfolio_windows import Look
from seawall.simulator.costs.params import CostParams

ROWS, SPLIT, COLUMNS = 1_500, 1_000, ("weights",)
FREE = CostParams(taker_bps=0.0, spread_bps=0.0)


def planted(edge: float) -> tuple[Panel, np.ndarray]:
    """Two assets; the sign of a feature says which of them gains `edge` at the next bar and which loses it, amid noise."""
    source = np.random.default_rng(5)
    sign = np.where(source.random(ROWS) < 0.5, 1.0, -1.0)
    moves = edge * np.stack([np.roll(sign, 1), -np.roll(sign, 1)]) + source.normal(0.0, 0.004, (2, ROWS))
    close = 100.0 * np.exp(np.cumsum(moves, axis=1))
    opening = np.concatenate([close[:, :1], close[:, :-1]], axis=1)
    prices = np.stack([opening, np.maximum(opening, close), np.minimum(opening, close), close, np.ones_like(close)], axis=-1)
    panel = Panel(("A", "B"), Timeframe.parse("1h"), np.arange(ROWS) * 3_600_000, prices, np.zeros((2, ROWS), dtype=bool))
    features = np.stack([sign, -sign])[..., None].astype(np.float32)
    return panel, features


def out_of_sample(edge: float, updates: int = 12) -> tuple[float, float]:
    """Return the total log growth of a trained policy on rows that it never saw, and of equal weights held there."""
    panel, features = planted(edge)
    market, look = panel_market(panel, features, ("sign",), 0), Look.of(1, (2,), (1,))
    params = JointPPOParams(n_envs=16, n_steps=32, minibatch=128, learning_rate=3e-3, encoder_learning_rate=1e-3, gamma=0.5)
    shown = PortfolioEnvironmentParams(window=look.reach, account_columns=COLUMNS, costs=FREE, episode_bars=64)
    env = PortfolioVectorEnv(panel, RowRange(0, SPLIT), 16, params=shown)
    sizes = PortfolioNetworkParams(preset="tiny", hidden=16, latent=16, code=6, wide=32, narrow=24, token=12, heads=2)
    network = build_portfolio_network(sizes, PortfolioShape(2, look.rows, look.columns, 3), 0)
    learner = JointPPO(env, network, params, market=market, look=look, seed=0)
    for _ in range(updates):
        learner.update()
    setting = PortfolioSetting(panel, market, RowRange(SPLIT, ROWS), FREE, account_columns=COLUMNS)
    ledger = portfolio_backtest(learner.policy(), setting)
    held = float(np.log(ledger.column("benchmark")[-1] / ledger.initial_equity))
    return float(ledger.log_returns().sum()), held


def test_it_finds_a_planted_edge_out_of_sample():
    growth, held = out_of_sample(edge=0.004)
    # All in the right asset earns 499 times the edge; weights of a Dirichlet mean never are all in one.
    assert growth - held > 0.4 * 499 * 0.004


@pytest.mark.slow
def test_it_finds_nothing_in_noise():
    growth, held = out_of_sample(edge=0.0)
    # Five standard errors of a difference of at most one whole weight between two assets of that noise.
    assert abs(growth - held) < 5 * 0.004 * np.sqrt(2 * 499) / 2
