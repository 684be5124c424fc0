"""What a recipe of a portfolio knows too early."""

from __future__ import annotations

import numpy as np

from recipes.small_portfolio import recipe
from seawall.recipes import portfolio_leakcheck
from seawall.recipes.portfolio_dataset import FeaturedPanel
from seawall.recipes.portfolio_leakcheck import PARTS, check_portfolio


def test_the_recipe_is_clean(tmp_path):
    told: list[str] = []
    judgements = check_portfolio(recipe(), tmp_path, n_bars=1_000, done=told.append)
    assert told == list(PARTS)
    assert [(judgement.kind, judgement.verdict) for judgement in judgements] == [(part, "clean") for part in PARTS]
    assert judgements[-1].name == "201 decisions of an untrained network"
    assert judgements[-1].advice == ()


def test_a_feature_that_looks_one_bar_ahead_changes_a_decision(tmp_path, monkeypatch):
    honest = portfolio_leakcheck.anchored_block

    def ahead(*arguments):
        block = honest(*arguments).copy()
        block[:-1] = block[1:]
        return block

    monkeypatch.setattr(portfolio_leakcheck, "anchored_block", ahead)
    decisions = check_portfolio(recipe(), tmp_path, n_bars=1_000, parts=("decisions",))[0]
    assert decisions.verdict == "leak"
    assert {finding.bars_ahead for finding in decisions.findings if finding.column.startswith("target.")} == {1}


def test_a_scaler_that_is_fitted_on_later_rows_is_found(tmp_path, monkeypatch):
    honest = FeaturedPanel.scaler

    def late(self, chosen):
        return honest(
            type(self)(**{**vars(self), "split": type(self.split)(**{**vars(self.split), "train": self.split.test})}), chosen
        )

    monkeypatch.setattr(FeaturedPanel, "scaler", late)
    scaler = check_portfolio(recipe(), tmp_path, n_bars=1_000, parts=("scaler",))[0]
    assert scaler.verdict == "leak"
    assert np.all([finding.to_the_end for finding in scaler.findings])
