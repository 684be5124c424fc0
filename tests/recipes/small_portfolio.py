"""A recipe of a portfolio that trains in seconds, and its run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seawall.core.run_folder import RunFolder
from seawall.recipes.portfolio_run import create_run, train_run
from seawall.recipes.portfolio_schema import PortfolioRecipe, validate_portfolio

MAPPING: dict[str, Any] = {
    "kind": "portfolio",
    "name": "small-portfolio",
    "data": {"kind": "regimes", "n_bars": 1_200, "timeframe": "5m", "assets": {"symbols": ["A", "B", "C"], "correlation": 0.5}},
    "features": {"set": "ichimoku", "timeframes": ["15m"], "scaling": "zscore"},
    "environment": {"windows": [4, 3], "episode_bars": 64},
    "simulator": {"rebalance_every": 3},
    "network": {"preset": "tiny", "hidden": 16, "latent": 12, "code": 4, "wide": 16, "narrow": 12, "token": 6, "heads": 2},
    "agent": {"total_steps": 512, "n_envs": 4, "n_steps": 32, "minibatch": 64, "n_epochs": 2},
    "training": {"n_seeds": 2, "evaluate_every": 1, "workers": 1},
    "evaluation": {"bootstrap": {"n_resamples": 100}},
}


def recipe(**changes: Any) -> PortfolioRecipe:
    return validate_portfolio({**MAPPING, **changes}, "small-portfolio")


def trained(folder: Path) -> RunFolder:
    run = create_run(recipe(), folder / "runs", folder / "data")
    train_run(run)
    return run
