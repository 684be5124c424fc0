import numpy as np
import pandas as pd
import pytest

from seawall.core.errors import DataError
from seawall.core.run_folder import RunFolder
from seawall.market.synthetic.known import PlantedEdgeParams, planted_edge_bars
from seawall.market.trends.relative import TrendsSeries
from seawall.market.trends.storage import store_trends
from seawall.recipes.dataset import Dataset, prepare
from seawall.recipes.schema import load_recipe


@pytest.fixture
def bars():
    return planted_edge_bars(PlantedEdgeParams(n_bars=2_500), 0).bars


def _prepared(bars, tmp_path, *overrides):
    path = tmp_path / "bars.parquet"
    bars.to_parquet(path)
    return prepare(load_recipe("tradernet", [f"data={path}", "features.omit=[trends]", *overrides]), tmp_path)


def test_nothing_after_the_training_rows_reaches_the_scaler(bars, tmp_path):
    first = _prepared(bars, tmp_path)
    later = bars.copy()
    later.loc[first.split.train.stop :, ["volume", "trades"]] *= 50.0
    second = _prepared(later, tmp_path)
    assert second.scaler.to_dict() == first.scaler.to_dict()
    train = slice(0, first.split.train.stop)
    np.testing.assert_array_equal(second.market.features[train], first.market.features[train])
    earlier = bars.copy()
    earlier.loc[1_000:1_100, "volume"] *= 50.0
    assert _prepared(earlier, tmp_path).scaler.to_dict() != first.scaler.to_dict()


def test_parts_are_apart_by_a_window_and_a_row_of_one_is_never_in_a_window_of_another(bars, tmp_path):
    split = _prepared(bars, tmp_path, "environment.window=24").split
    assert split.purge == 24
    assert split.validation.start - 24 >= split.train.stop - 1
    assert split.test.start - 24 >= split.validation.stop - 1


def test_a_hole_is_refused_bridged_or_filled_as_the_recipe_says(bars, tmp_path):
    holed = bars.drop(index=range(1_000, 1_010)).reset_index(drop=True)
    with pytest.raises(DataError, match=r"gap.*quality\.gaps"):
        _prepared(holed, tmp_path, "quality.gaps=refuse")
    bridged = _prepared(holed, tmp_path)
    filled = _prepared(holed, tmp_path, "quality.gaps=fill")
    assert (len(bridged.market), bridged.facts["quality"]["gaps"]) == (2_490, 1)
    assert (len(filled.market), filled.facts["quality"]["filled"]) == (2_500, 10)
    assert filled.market.prices[1_000:1_010, 4].sum() == 0


def test_the_facts_name_what_was_left_out(bars, tmp_path):
    facts = _prepared(bars.drop(columns="trades"), tmp_path, "features.omit=[trades,trends]").facts
    assert facts["omitted"] == ["trades", "trends"]
    assert len(facts["features"]) == 19


def _with_interest(bars, tmp_path, *overrides, days=200):
    """A dataset with daily search interest in a file beside the bars, whose first day is the day before them."""
    first = bars["timestamp"].iloc[0].floor("D") - pd.Timedelta(days=1)
    rows = [f"{first + pd.Timedelta(days=day):%Y-%m-%d},{20 + day % 7}" for day in range(days)]
    file = tmp_path / "interest.csv"
    file.write_text("\n".join(["Day,coin: (Worldwide)", *rows]))
    path = tmp_path / "bars.parquet"
    bars.to_parquet(path)
    return prepare(load_recipe("tradernet", [f"data={path}", f"data.trends.path={file}", *overrides]), tmp_path).facts


def test_stale_search_interest_is_told_in_the_notes(bars, tmp_path):
    notes = _with_interest(bars, tmp_path, "data.trends.downloaded=2026-01-01", "features.omit=[]", days=15)["notes"]
    assert len(notes) == 1
    assert "search interest in 'coin' is stale in" in notes[0]
    assert "it ends long before the bars" in notes[0]
    assert _with_interest(bars, tmp_path, "data.trends.downloaded=2026-01-01", "features.omit=[]")["notes"] == []


def test_search_interest_that_no_feature_uses_is_told(bars, tmp_path):
    notes = _with_interest(bars, tmp_path, "features.omit=[trends]")["notes"]
    assert len(notes) == 1
    assert notes[0].startswith(
        "data.trends.path names search interest in 'coin' that no feature uses: features.omit leaves trends out"
    )


@pytest.mark.parametrize("named", ["trends/coin/1d", "stored/trends/coin/1d"])
def test_stored_search_interest_is_named_by_its_reference_or_its_folder(bars, tmp_path, monkeypatch, named):
    starts = np.arange(200) * 86_400_000 + int(bars["timestamp"].iloc[0].floor("D").timestamp() * 1_000) - 86_400_000
    values = 20.0 + np.arange(200) % 7
    store_trends(tmp_path / "stored", TrendsSeries("coin", "1d", starts, starts + 86_400_000, values, {}))
    bars.to_parquet(tmp_path / "bars.parquet")
    monkeypatch.chdir(tmp_path)
    recipe = load_recipe("tradernet", ["data=bars.parquet", f"data.trends.path={named}", "features.omit=[]"])
    assert prepare(recipe, tmp_path / "stored").facts["trends"]["keyword"] == "coin"


def test_when_a_file_of_search_interest_was_downloaded_is_told_as_a_guess_unless_named(bars, tmp_path):
    facts = _with_interest(bars, tmp_path, "features.omit=[]")
    assert facts["trends"]["downloaded_from"] == "the file's time of change"
    assert "its time of change, which tells whether its last period is whole; data.trends.downloaded=DATE" in facts["notes"][0]
    named = _with_interest(bars, tmp_path, "data.trends.downloaded=2026-01-01")["trends"]
    assert (named["downloaded"], named["downloaded_from"]) == ("2026-01-01T00:00:00Z", "named")


def test_a_saved_dataset_loads_the_same_and_an_altered_one_does_not(bars, tmp_path):
    dataset = _prepared(bars, tmp_path)
    run = RunFolder(tmp_path / "run")
    dataset.save(run)
    loaded = Dataset.load(run)
    assert (loaded.split, loaded.scaler.to_dict(), loaded.facts) == (dataset.split, dataset.scaler.to_dict(), dataset.facts)
    features = np.load(run.market / "features.npy")
    features[-1, 0] += 1.0
    np.save(run.market / "features.npy", features)
    with pytest.raises(DataError, match="content hash differs"):
        Dataset.load(run)


def test_stored_bars_and_their_file_make_the_same_market(bars, tmp_path):
    from seawall.market.checks.quality import QualityParams, apply_quality
    from seawall.market.storage.store import Store

    checked, report = apply_quality(bars, QualityParams())
    Store(tmp_path / "store").import_bars(checked, report, source="made", symbol="X", origin="bars.parquet")
    from_file = _prepared(bars, tmp_path)
    recipe = load_recipe("tradernet", ["data=made/X/1h", "features.omit=[trends]"])
    stored = prepare(recipe, tmp_path / "store")
    assert stored.facts["data_hash"] == from_file.facts["data_hash"]
    pd.testing.assert_series_equal(pd.Series(stored.market.features[-1]), pd.Series(from_file.market.features[-1]))


def test_fewer_bars_than_warm_up_and_a_window_are_refused_with_both_numbers(bars, tmp_path):
    # technical warms up in 384 bars, and a window of tradernet has 12.
    bars.iloc[:395].to_parquet(tmp_path / "short.parquet")
    with pytest.raises(DataError, match=r"395 bars of 1h are too few for .*: at least 396 are required \(384 to warm up, 12 for"):
        prepare(load_recipe("tradernet", [f"data={tmp_path / 'short.parquet'}"]), tmp_path)
