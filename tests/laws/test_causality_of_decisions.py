"""From bars to decision, nothing may change when the future does: the whole path of a recipe, truncated and compared."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seawall.agents.policy import NetworkPolicy
from seawall.core.market import RowRange
from seawall.evaluation.backtest import backtest
from seawall.features import registry
from seawall.market.synthetic.known import PlantedEdgeParams, planted_edge_bars
from seawall.recipes.assembly import Parts
from seawall.recipes.dataset import prepare
from seawall.recipes.schema import load_recipe

CUT = 1_700
ROWS = RowRange(1_200, 1_900)


def _with_another_future(bars):
    """Return bars whose rows after the cut are another market's."""
    other = bars.copy()
    future = slice(CUT + 1, None)
    factor = np.exp(np.random.default_rng(0).normal(0, 0.2, len(bars) - CUT - 1))
    for name in ("open", "high", "low", "close"):
        other.loc[future, name] = other.loc[future, name].to_numpy() * factor
    high = other[["open", "high", "low", "close"]].max(axis=1)
    low = other[["open", "high", "low", "close"]].min(axis=1)
    other.loc[future, "high"], other.loc[future, "low"] = high[future], low[future]
    other.loc[future, ["volume", "trades"]] *= 7.0
    return other


def _decisions(path, scaler=None):
    """Let an untrained network of the recipe trade the file's bars; return its ledger up to the cut, and the scaler."""
    recipe = load_recipe("tradernet", [f"data={path}", "features.omit=[trends]", "guards.n_consecutive.mode=confirm"])
    dataset = prepare(recipe, Path("data"), scaler)
    parts = Parts(recipe, dataset)
    policy = NetworkPolicy(parts.network(seed=3), recipe.environment.window)
    columns = recipe.environment.account_columns
    frame = backtest(policy, dataset.market, ROWS, parts.desk(1), recipe.costs, recipe.simulator, columns).frame
    return frame[frame["row"] <= CUT], dataset.scaler


@pytest.fixture
def bars():
    return planted_edge_bars(PlantedEdgeParams(n_bars=2_000), 0).bars


def _compare(bars, tmp_path):
    """Return the columns that differ between the true future and another one."""
    bars.to_parquet(tmp_path / "true.parquet")
    _with_another_future(bars).to_parquet(tmp_path / "other.parquet")
    true, scaler = _decisions(tmp_path / "true.parquet")
    other, _ = _decisions(tmp_path / "other.parquet", scaler)
    decided = ["row", "timestamp", "close", "action", "signal", "proposed", "allowed", "guard", "reason"]
    changed = [name for name in decided if not true[name].equals(other[name])]
    assert len(set(true["action"])) > 1, "a policy that never changes its mind proves nothing"
    settled = true["row"] < CUT
    return changed + [name for name in ("equity", "quantity", "fee") if not true[name][settled].equals(other[name][settled])]


def test_no_decision_up_to_a_bar_depends_on_what_comes_after_it(bars, tmp_path):
    assert _compare(bars, tmp_path) == []


def test_features_that_look_ahead_are_caught_in_the_decisions(bars, tmp_path, monkeypatch):
    honest = registry.FEATURE_SETS["technical"]

    def leaking(omit, options):
        found = honest.make(omit, options)

        def compute(frame: pd.DataFrame) -> np.ndarray:
            block = found.compute(frame)
            block[:-30] = block[30:]
            return block

        return replace(found, compute=compute)

    monkeypatch.setitem(registry.FEATURE_SETS, "technical", replace(honest, make=leaking))
    assert "action" in _compare(bars, tmp_path)
