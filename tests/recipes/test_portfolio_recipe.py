"""A recipe of a portfolio: what it refuses, and the market that it makes."""

from __future__ import annotations

import numpy as np
import pytest

from recipes.small_portfolio import MAPPING, recipe
from seawall.core.errors import ConfigError, DataError
from seawall.features.pipeline import anchored_block
from seawall.recipes.portfolio_dataset import PortfolioDataset, featured_panel, prepare_portfolio
from seawall.recipes.portfolio_parts import PortfolioParts
from seawall.recipes.portfolio_schema import validate_portfolio
from seawall.recipes.schema import is_portfolio


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"agent": {"clip_rang": 0.2}}, r"unknown key agent.clip_rang"),
        ({"agent": "ppo"}, "agent.kind is 'ppo'"),
        ({"environment": {"windows": [4]}}, r"environment.windows is \[4\]; allowed: one number for each clock, base, 15m"),
        ({"environment": {"windows": [4, 3], "account_columns": ["exposure"]}}, "account columns"),
        ({"costs": {"funding": {"rate_bps": 1.0}}}, "portfolios do not charge"),
        (
            {"features": {"set": "own", "columns": ["my_column"]}, "environment": {"windows": [4]}},
            "names my_column of the bars' own",
        ),
        ({"training": {"start_from": "latest"}}, "a portfolio starts from fresh weights"),
        ({"data": {"kind": "file", "path": "a/{symbol}.csv"}}, "has a place for symbols"),
        ({"network": {"heads": 5, "token": 6}}, "heads 5 does not divide token 6"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(changes, words):
    with pytest.raises(ConfigError, match=words):
        recipe(**changes)


def test_a_resolved_recipe_is_its_own_and_says_what_kind_it_is():
    made = recipe()
    again = validate_portfolio(made.model_dump(mode="json"), "again")
    assert again == made
    assert again.digest() == made.digest() != recipe(costs={"taker_bps": 5.0}).digest()
    assert is_portfolio(made.model_dump())
    assert not is_portfolio({"name": "tradernet"})


def test_the_market_of_a_recipe_has_an_asset_a_series_and_one_scaler_of_the_training_rows(tmp_path):
    chosen = recipe()
    data, made = prepare_portfolio(chosen, tmp_path), featured_panel(chosen, tmp_path)
    market, split = data.dataset.market, data.dataset.split
    assert market.symbols == ("A", "B", "C")
    assert market.starts == (0, 1_200, 2_400, 3_600)
    assert made.look.reach == 3 * 2 + 1
    assert split.validation.start - split.train.stop == split.purge == made.look.reach
    features = market.features.reshape(3, 1_200, 12)
    training = features[:, made.warmup : split.train.stop].reshape(-1, 12)
    np.testing.assert_allclose(training.mean(axis=0), 0.0, atol=1e-4)
    np.testing.assert_allclose(training.std(axis=0), 1.0, atol=1e-4)
    alone = anchored_block(made.panel.bars("B"), made.columns, made.panel.timeframe)
    scaled = data.dataset.scaler.transform(alone[700:720], made.columns.columns)
    np.testing.assert_allclose(features[1, 700:720], scaled, rtol=1e-5, atol=1e-6)


def test_bars_of_files_are_those_of_the_made_panel(tmp_path):
    chosen = recipe()
    panel = featured_panel(chosen, tmp_path).panel
    for symbol in panel.symbols:
        panel.bars(symbol).drop(columns="stale").to_parquet(tmp_path / f"venue_{symbol}_5m.parquet")
    for path, symbols in ((f"{tmp_path}/venue_*_5m.parquet", []), (f"{tmp_path}/venue_{{symbol}}_5m.parquet", ["C", "A"])):
        found = featured_panel(recipe(data={"kind": "file", "path": path, "symbols": symbols}), tmp_path).panel
        assert found.symbols == tuple(symbols or "ABC")
        place = panel.symbols.index(found.symbols[-1])
        np.testing.assert_array_equal(found.prices[-1], panel.prices[place])
    short = recipe(data={"kind": "file", "path": f"{tmp_path}/venue_*_5m.parquet", "symbols": ["B"], "last_bars": 600})
    assert len(featured_panel(short, tmp_path).panel) == 600
    with pytest.raises(DataError, match="has no file of Z"):
        featured_panel(recipe(data={"kind": "file", "path": f"{tmp_path}/venue_*_5m.parquet", "symbols": ["Z"]}), tmp_path)


def test_the_published_recipe_reads_134980_numbers(tmp_path):
    published = {
        **MAPPING,
        "data": {"kind": "regimes", "n_bars": 60, "timeframe": "5m", "assets": {"symbols": list("ABCDEFGHIJ")}},
        "features": {"set": "wide", "timeframes": ["15m", "1h", "4h", "1d"]},
        "environment": {"windows": [48, 64, 48, 24, 3]},
    }
    chosen = validate_portfolio(published, "published")
    assert chosen.environment.account_columns == ("weights", "entries", "profits", "log_equity", "benchmark", "excess")

    class Panel:
        symbols = tuple("ABCDEFGHIJ")
        timeframe = featured_panel(recipe(), tmp_path).panel.timeframe

    parts = PortfolioParts(chosen, PortfolioDataset(None, Panel()))
    assert parts.shape.size == 134_980
    assert parts.look.reach == 23 * 48 + 1
