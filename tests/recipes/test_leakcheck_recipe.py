"""A whole recipe is judged part by part; a fault planted in a part is found in that part."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seawall.core.errors import ConfigError
from seawall.core.market import RowRange
from seawall.features import registry
from seawall.features.scaling.scaler import Scaler
from seawall.market.splits import Split
from seawall.recipes import leakcheck
from seawall.recipes.dataset import Featured
from seawall.recipes.leakcheck import PARTS, check_recipe
from seawall.recipes.schema import load_recipe

BARS = 1_500


def judged(*overrides):
    found = check_recipe(load_recipe("tradernet", [f"data.n_bars={BARS}", *overrides]), Path("data"), BARS)
    return {judgement.kind: judgement for judgement in found}


def only(monkeypatch, *parts):
    """Judge some parts alone, the others taking time and nothing else."""
    for name in PARTS:
        if name not in parts:
            monkeypatch.setattr(leakcheck, f"_{name}", lambda recipe, made, world, name=name: leakcheck.Judgement(name, name))


def test_a_shipped_recipe_is_clean_in_every_part():
    found = judged()
    assert list(found) == list(PARTS)
    assert {judgement.verdict for judgement in found.values()} == {"clean"}
    assert found["scaler"].name == "zscore, fitted on rows 384 to 1150"
    assert found["split"].name == "12 rows purged"
    assert found["decisions"].name == "401 decisions of an untrained network"


def test_features_that_look_ahead_are_found_by_column(monkeypatch):
    honest = registry.FEATURE_SETS["technical"]

    def leaking(omit, options):
        made = honest.make(omit, options)

        def compute(bars: pd.DataFrame) -> np.ndarray:
            block = np.array(made.compute(bars))
            block[:-3, 2] = block[3:, 2]
            return block

        return replace(made, compute=compute)

    monkeypatch.setitem(registry.FEATURE_SETS, "technical", replace(honest, make=leaking))
    only(monkeypatch, "features")
    found = judged()
    columns = honest.make(("trades", "trends"), None).columns
    assert [(finding.column, finding.bars_ahead) for finding in found["features"].findings] == [(columns[2], 3)]


def test_a_declared_lookahead_is_a_finding(monkeypatch):
    honest = registry.FEATURE_SETS["technical"]
    late = replace(honest, make=lambda omit, options: replace(honest.make(omit, options), lookahead=26))
    monkeypatch.setitem(registry.FEATURE_SETS, "technical", late)
    only(monkeypatch, "features")
    [finding] = judged()["features"].findings
    assert finding.bars_ahead == 26
    assert finding.words.startswith("feature set technical declares to look 26 bars ahead")


def test_a_scaler_of_all_rows_is_found_by_its_rows_and_by_what_it_does(monkeypatch):
    def on_all_rows(self, kind):
        return Scaler.fit(self.block, RowRange(self.warmup, len(self.block)), self.columns.columns, kind)

    monkeypatch.setattr(Featured, "scaler", on_all_rows)
    only(monkeypatch, "scaler")
    found = judged()["scaler"]
    assert found.findings[0].words == "the scaler was fitted on rows 384 to 1499, and training ends at row 1150"
    assert len(found.findings) == 1 + 19


def test_a_scaler_that_says_training_rows_and_uses_all_is_found_by_what_it_does(monkeypatch):
    def claims(self, kind):
        made = Scaler.fit(self.block, RowRange(self.warmup, len(self.block)), self.columns.columns, kind)
        return replace(made, fitted_rows=(self.warmup, self.split.train.stop))

    monkeypatch.setattr(Featured, "scaler", claims)
    only(monkeypatch, "scaler")
    assert len(judged()["scaler"].findings) == 19


def test_a_split_without_a_purge_is_found(monkeypatch):
    def unpurged(first_row, n_rows, params, purge):
        return Split(RowRange(first_row, 1_000), RowRange(1_000, 1_200), RowRange(1_200, n_rows), purge)

    monkeypatch.setattr("seawall.recipes.dataset.chronological_split", unpurged)
    only(monkeypatch, "split")
    [finding] = judged()["split"].findings
    assert (finding.row, finding.bars_ahead) == (1_000, 12)


def test_decisions_that_know_the_future_are_found_by_row(monkeypatch):
    honest = leakcheck.anchored_block

    def leaking(bars, columns, timeframe):
        block = honest(bars, columns, timeframe)
        block[:-30] = block[30:]
        return block

    monkeypatch.setattr(leakcheck, "anchored_block", leaking)
    only(monkeypatch, "decisions")
    found = {finding.column: finding for finding in judged()["decisions"].findings}
    assert 1 <= found["action"].bars_ahead <= 30 + 12


def test_profit_of_a_seen_bar_is_found(monkeypatch):
    honest = leakcheck.replay
    monkeypatch.setattr(
        leakcheck,
        "replay",
        lambda market, rows, targets, *rest: honest(market, rows, np.vstack([targets[1:], targets[-1:]]), *rest),
    )
    only(monkeypatch, "reward")
    [finding] = judged()["reward"].findings
    assert (finding.column, finding.bars_ahead) == ("position", 1)


def test_fewer_bars_than_the_warmup_are_refused(tmp_path):
    from seawall.market.synthetic.known import PlantedEdgeParams, planted_edge_bars

    planted_edge_bars(PlantedEdgeParams(n_bars=2_000), 0).bars.to_parquet(tmp_path / "bars.parquet")
    recipe = load_recipe("tradernet", [f"data={tmp_path / 'bars.parquet'}"])
    with pytest.raises(ConfigError, match="bars is 300; the recipe's features alone need 385 to warm up"):
        check_recipe(recipe, Path("data"), 300)
