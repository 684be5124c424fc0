"""Pre-training a recipe's encoder and embedding bars with it, from the command line and from the functions below it."""

import json

import numpy as np
import pandas as pd
import pytest

from seawall.cli import main
from seawall.cli.embed import embed
from seawall.cli.pretrain import pretrain
from seawall.core.errors import DataError
from seawall.core.fan_out import Interrupted
from seawall.core.run_folder import RunFolder
from seawall.recipes.dataset import Dataset, load_bars
from seawall.recipes.experiment import load_run_recipe
from seawall.recipes.pretraining import create_pretraining, find_encoder, load_pretraining, pretrain_task
from seawall.training.pretraining import embedding
from seawall.training.pretraining.encoder_folder import check_unseen, load_encoder

RECIPE = """
name: small
data: {kind: regimes, timeframe: 5m, n_bars: 4000}
features: {set: price_action, options: {horizons: [1, 3, 12], realized: [32], parkinson: [32], volume: [32]}}
environment: {window: 16}
network: {kind: tcn, channels: [8, 8], embedding: 6, dropout: 0.1, shared_encoder: true}
agent: ppo
training: {n_seeds: 1}
pretraining:
  epochs: 2
  epoch_windows: 256
  validation_windows: 256
  targets:
    volatility_bars: 32
    regimes: {trend_bars: 16, volatility_bars: 32, percentile_bars: 2000}
    levels: {pivots: {window: 64, grid: 16}}
"""


@pytest.fixture(scope="module", autouse=True)
def _verbs():
    known = {command.callback for command in main.app.registered_commands}
    for verb in (pretrain, embed):
        if verb not in known:
            main.app.command()(verb)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "small.yaml"
    path.write_text(RECIPE)
    return path


class Line:
    """A line to a parent that asks to stop at some message."""

    def __init__(self, stop_at=None):
        self.stop_at, self.asked, self.told = stop_at, 0, []

    def send(self, message):
        self.told.append(message)

    def should_stop(self):
        self.asked += 1
        return self.asked == self.stop_at


@pytest.fixture(scope="module")
def run(small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretrained")
    recipe, params = load_pretraining(str(small))
    made = create_pretraining(recipe, params, folder / "runs", folder / "data")
    pretrain_task(str(made.path), Line())
    return made


def test_an_encoder_sees_the_training_rows_and_none_that_judge(run):
    dataset, manifest = Dataset.load(run), load_encoder(run.path / "encoder").manifest
    last = int(dataset.market.timestamps[dataset.split.train.stop - 1])
    assert manifest["seen"]["last_seen_ms"] == last
    check_unseen(manifest, int(dataset.market.timestamps[dataset.split.validation.start]))
    assert set(manifest["judgement"]["heads"]) == {"candles", "regimes", "levels", "quantiles"}
    assert all({"loss", "baseline", "skill"} <= set(found) for found in manifest["judgement"]["heads"].values())
    assert (run.path.parent.name, manifest["network"]["kind"], manifest["window"]) == ("small-encoder", "tcn", 16)


def test_a_stopped_pretraining_goes_on_to_the_same_encoder(run, small, tmp_path):
    recipe, params = load_pretraining(str(small))
    again = create_pretraining(recipe, params, tmp_path / "runs", tmp_path / "data")
    with pytest.raises(Interrupted, match="stopped after 3 of 8 steps"):
        pretrain_task(str(again.path), Line(stop_at=3))
    assert not (again.path / "encoder").exists()
    pretrain_task(str(again.path), Line())
    hashes = [load_encoder(each.path / "encoder").manifest["weights_hash"] for each in (run, again)]
    assert hashes[0] == hashes[1]


def test_the_verbs_make_an_encoder_and_a_table_of_embeddings(seawall, small, tmp_path):
    made = seawall("pretrain", small, "pretraining.epochs=1", "--runs", tmp_path / "runs", "--data-dir", tmp_path, "--json")
    assert made.code == 0
    assert made.json["history"] == [pytest.approx(made.json["history"][0])]
    output = tmp_path / "embeddings.parquet"
    told = seawall("embed", "latest", "--output", output, "--runs", tmp_path / "runs", "--data-dir", tmp_path, "--json")
    table = pd.read_parquet(output)
    assert (told.json["rows"], told.json["width"]) == (len(table), 6)
    assert list(table.columns) == ["timestamp", "close", "symbol", "timeframe", *(f"embedding_{place}" for place in range(6))]
    found = RunFolder.find(tmp_path / "runs", "latest")
    dataset = Dataset.load(found)
    # Row 500 of the market stands where its timestamp does, and holds what the encoder makes of its window.
    market = dataset.market
    encoder = find_encoder("latest", tmp_path / "runs")
    row = table[table["timestamp"] == pd.Timestamp(int(market.timestamps[500]), unit="ms", tz="UTC")].iloc[0]
    wanted = embedding.embed(encoder.frozen(), market.features, np.array([500]), 16)[0]
    np.testing.assert_allclose(row.iloc[4:].to_numpy(np.float32), wanted, rtol=1e-4, atol=1e-5)
    assert (row["close"], row["symbol"], row["timeframe"]) == (market.prices[500, 3], "REGIMES", "5m")
    assert len(table) == len(market) - market.ready[0] - 15
    refused = seawall("embed", "latest", "--output", output, "--runs", tmp_path / "runs")
    assert (refused.code, "exists; allowed: another name, or --force" in refused.err) == (2, True)


def test_other_bars_are_embedded_as_those_of_the_training(seawall, run, tmp_path):
    bars, _ = load_bars(load_run_recipe(run), tmp_path)
    bars.iloc[:3_500].to_parquet(tmp_path / "cut.parquet")
    for name, words in (("whole", ()), ("cut", (f"data={tmp_path / 'cut.parquet'}",))):
        assert seawall("embed", run.path, *words, "-o", tmp_path / f"{name}-out.parquet", "--data-dir", tmp_path).code == 0
    whole, cut = (pd.read_parquet(tmp_path / f"{name}-out.parquet") for name in ("whole", "cut"))
    assert (whole["timestamp"][: len(cut)] == cut["timestamp"]).all()
    columns = [f"embedding_{place}" for place in range(6)]
    # The last batch is shorter, and adds up in another order.
    np.testing.assert_allclose(whole[columns][: len(cut)], cut[columns], rtol=1e-4, atol=1e-5)
    assert cut.attrs["last_seen_ms"] == json.loads((run.path / "encoder" / "encoder.json").read_text())["seen"]["last_seen_ms"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("network={kind: conv, shared_encoder: true}",),
            "network 'conv' does not tell what it sees at each bar, which hidden candles need; allowed: network=tcn",
        ),
        (("pretraining.epoch=3",), "unknown key pretraining.epoch (value 3)"),
        (("pretraining.embargo=0.7",), "pretraining.embargo is 0.7: input should be less than 0.5"),
    ],
)
def test_what_cannot_be_pretrained_is_refused(seawall, small, tmp_path, words, message):
    refused = seawall("pretrain", small, *words, "--runs", tmp_path / "runs", "--data-dir", tmp_path)
    assert refused.code == 2
    assert message in refused.err


def test_too_few_bars_for_their_targets_are_refused(small, tmp_path):
    recipe, params = load_pretraining(str(small), ("pretraining.targets.levels.pivots.window=3900",))
    made = create_pretraining(recipe, params, tmp_path / "runs", tmp_path / "data")
    with pytest.raises(
        DataError, match="0 rows with whole windows of 16 bars and 15 bars after them are too few to learn and to judge"
    ):
        pretrain_task(str(made.path), Line())


def test_a_network_without_bars_serves_without_that_head(small, tmp_path):
    recipe, params = load_pretraining(
        str(small), ("network={kind: conv, shared_encoder: true}", "pretraining.heads.candles.weight=0", "pretraining.epochs=1")
    )
    made = create_pretraining(recipe, params, tmp_path / "runs", tmp_path / "data")
    pretrain_task(str(made.path), Line())
    assert set(load_encoder(made.path / "encoder").manifest["judgement"]["heads"]) == {"regimes", "levels", "quantiles"}


def test_what_an_encoder_sees_cannot_be_changed_and_other_runs_are_no_pretraining(seawall, run, tmp_path):
    refused = seawall("embed", run.path, "environment.window=8", "-o", tmp_path / "out.parquet")
    assert refused.code == 2
    assert "override 'environment.window=8' would change what the encoder sees; allowed sections: data, quality" in refused.err
    other = tmp_path / "runs" / "small" / "20260101T000000-00000000"
    other.mkdir(parents=True)
    (other / "recipe.yaml").write_text("name: small\n")
    refused = seawall("pretrain", other, "--resume")
    assert (refused.code, "is no pre-training: it has no pretraining.json" in refused.err) == (2, True)
    refused = seawall("embed", other, "-o", tmp_path / "out.parquet")
    assert (refused.code, "holds no encoder" in refused.err) == (2, True)
