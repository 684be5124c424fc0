"""Made datasets: settings under either name, cuts in time, labels apart, the same bytes for the same seed."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from seawall.core.bars import bars_digest, timestamps_ms
from seawall.core.errors import ConfigError, DataError
from seawall.core.timeframe import Timeframe
from seawall.market.resample import resample
from seawall.market.synthetic.config import SynthConfig, load_config, resolve
from seawall.market.synthetic.dataset import write_dataset
from seawall.market.synthetic.facts import regime_facts
from seawall.market.synthetic.labels import label_table, price_direction
from seawall.market.synthetic.regimes import RegimeParams, regime_bars

PUBLISHED = {
    "num_samples": 20_000,
    "base_price": 250.0,
    "base_volatility": 0.003,
    "regime_distribution": {
        "uptrend": 0.4,
        "downtrend": 0.2,
        "ranging": 0.2,
        "volatility_expansion": 0.1,
        "volatility_contraction": 0.1,
    },
    "regimes": {
        "uptrend": {
            "drift": 0.0007,
            "volatility": 1.1,
            "mean_reversion_strength": 0.02,
            "volume_factor": 1.4,
            "duration_range": [30, 60],
        }
    },
    "transition_matrix": {"volatility_contraction": {"volatility_expansion": 0.9, "ranging": 0.1}},
    "include_indicators": False,
    "train_ratio": 0.8,
    "val_ratio": 0.1,
    "test_ratio": 0.1,
    "shuffle": False,
    "seed": 42,
    "start_date": "2012-01-01",
}


def settings(**changes):
    return resolve(SynthConfig(), {"n_bars": 20_000, **changes})


def written(tmp_path, document, name="generation.json"):
    path = tmp_path / name
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return path


def test_a_published_file_of_settings_is_understood_whole(tmp_path):
    config = load_config(written(tmp_path, PUBLISHED))
    assert (config.n_bars, config.start_price, config.base_volatility, config.seed, config.start) == (
        20_000,
        250.0,
        0.003,
        42,
        "2012-01-01",
    )
    assert config.first_regime == (0.4, 0.2, 0.2, 0.1, 0.1)
    assert (config.split.train, config.split.validation, config.split.test) == (0.8, 0.1, 0.1)
    up, down = config.uptrend, config.downtrend
    assert (up.drift, up.volatility, up.reversion, up.volume, up.shortest, up.longest) == (0.0007, 1.1, 0.02, 1.4, 30, 60)
    assert down == SynthConfig().downtrend
    assert config.transitions[4] == (0.0, 0.0, 0.1, 0.9, 0.0)
    assert config.transitions[:4] == SynthConfig().transitions[:4]


def test_comments_and_unquoted_days_are_understood(tmp_path):
    path = written(tmp_path, {"comments": {"num_samples": "two weeks"}, "num_samples": 1_344})
    assert load_config(path).n_bars == 1_344
    (tmp_path / "days.yaml").write_text("start_date: 2021-03-04\n")
    assert load_config(tmp_path / "days.yaml").timestamps().iloc[0].isoformat() == "2021-03-04T00:00:00+00:00"
    (tmp_path / "odd.yaml").write_text("1: 3\n")
    with pytest.raises(ConfigError, match="the key 1, a int"):
        load_config(tmp_path / "odd.yaml")


def test_yaml_and_json_say_the_same(tmp_path):
    from ruamel.yaml import YAML

    with open(tmp_path / "generation.yaml", "w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(PUBLISHED, file)
    assert load_config(tmp_path / "generation.yaml") == load_config(written(tmp_path, PUBLISHED))


def test_the_command_line_wins_over_the_file(tmp_path):
    path = written(tmp_path, PUBLISHED)
    config = load_config(path, {"num_samples": 5_000, "seed": None, "output_dir": "elsewhere", "process": "gbm"})
    assert (config.n_bars, config.seed, config.output_dir, config.process) == (5_000, 42, "elsewhere", "gbm")
    assert load_config(path, {"years": 2}).n_bars == 2 * 365 * 96
    assert load_config(written(tmp_path, {"years": 1}, "years.json"), {"timeframe": "1h"}).n_bars == 365 * 24
    assert load_config(written(tmp_path, {"years": 1}, "years.json"), {"num_samples": 700}).n_bars == 700


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"num_sample": 5}, r"unknown key num_sample \(value 5\); did you mean num_samples"),
        ({"num_samples": 5, "n_bars": 6}, "n_bars is given twice"),
        ({"shuffle": True}, "shuffle is True; allowed: false"),
        ({"num_samples": -5}, "n_bars is -5"),
        ({"num_samples": "many"}, "n_bars is 'many'"),
        ({"years": "long"}, "years is 'long'"),
        ({"years": 0}, "years is 0"),
        ({"train_ratio": 0.9}, "sum to 1.2; they must sum to 1"),
        ({"regime_distribution": {"up": 1.0}}, r"unknown key regime_distribution\.up"),
        ({"regime_distribution": {"uptrend": 0.5}}, "no probabilities"),
        ({"transition_matrix": [[1, 0], [0, 1]]}, "transitions"),
        ({"regimes": {"sideways": {}}}, r"unknown key regimes\.sideways"),
        ({"regimes": {"uptrend": {"drifts": 1}}}, r"unknown key uptrend\.drifts \(value 1\); did you mean drift"),
        ({"regimes": {"uptrend": {"mu": 0.001, "drift": 0.002}}}, "drift is given twice"),
        ({"regimes": {"uptrend": {"duration": [5]}}}, r"uptrend\.duration is \[5\]"),
        ({"regimes": {"uptrend": {"duration": [50, 20]}}}, "shortest must be below longest"),
        ({"uptrend": 3}, "uptrend is 3"),
        ({"timeframes": ["1h", "7m"]}, "timeframes holds 7m; allowed: whole multiples of the timeframe, 15m"),
        ({"timeframes": ["1h", "60m"]}, "holds one length twice"),
        ({"include_labels": True, "timeframes": ["2h"]}, "labels have no horizon for 2h"),
        ({"process": "levy"}, "process is 'levy'"),
        ({"correlation": 2.0, "symbols": ["AAA", "BBB"]}, "not positive definite"),
        ({"base_volatility": float("nan")}, "base_volatility"),
        ({"base_price": float("inf")}, "start_price is inf"),
        ({"base_price": True}, "start_price is true, which is no number"),
        ({"transition_matrix": [[float("nan"), 0, 0, 0, 0], *[[0, 1, 0, 0, 0]] * 4]}, r"transitions\.0\.0 is nan"),
        ({"regimes": {"uptrend": {"duration": [5, 99_999_999_999]}}}, r"uptrend\.longest is 99999999999"),
        ({"start_date": "now"}, "start: 'now' is no day or time"),
        ({"start_date": ""}, "start: '' is no day or time"),
        ({"start_date": "2020-01-01T00:07"}, "start is '2020-01-01T00:07'; allowed: an opening time of bars of 15m"),
        ({"start_date": "0005-01-01"}, "from 1970 on"),
        ({"output_dir": "a\0b"}, "no NUL character"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(tmp_path, document, message):
    with pytest.raises(ConfigError, match=message):
        load_config(written(tmp_path, document))


def tables(folder, name, key):
    return pd.read_hdf(folder / f"{name}_data.h5", key)


def test_parts_are_cut_at_the_same_moments_on_every_timeframe_and_nothing_is_lost(tmp_path):
    config = settings(seed=3)
    metadata = write_dataset(tmp_path / "made", config, "hdf5")
    market = regime_bars(config, 3)
    cut = {name: pd.Timestamp(moment) for name, moment in metadata["cuts"].items()}
    for label in ("15m", "4h", "1d"):
        parts = [tables(tmp_path / "made", name, f"/{label}") for name in ("train", "val", "test")]
        whole = pd.read_hdf(tmp_path / "made" / "synthetic_dataset.h5", f"/{label}")
        pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), whole)
        assert parts[0]["timestamp"].iloc[-1] < cut["validation"] <= parts[1]["timestamp"].iloc[0]
        assert parts[1]["timestamp"].iloc[-1] < cut["test"] <= parts[2]["timestamp"].iloc[0]
        length = Timeframe.parse(label)
        wanted = market.bars if label == "15m" else resample(market.bars, Timeframe.parse("15m"), length, partial="drop")[0]
        assert bars_digest(whole) == bars_digest(wanted)
    shares = [rows / 20_000 for part, rows in metadata["rows_per_timeframe"]["15m"].items() if part != "synthetic_dataset"]
    # Cuts lie where a day begins, at or before the share: up to 96 of 20,000 bars off.
    np.testing.assert_allclose(shares, [0.70, 0.15, 0.15], atol=0.005)


def test_the_same_seed_makes_the_same_bytes_and_another_seed_others(tmp_path):
    for format in ("parquet", "hdf5"):
        runs = [
            write_dataset(tmp_path / f"{format}{run}", settings(seed=seed), format)["hashes"] for run, seed in enumerate((1, 1, 2))
        ]
        tables_of = [{name: file["tables"] for name, file in run.items()} for run in runs]
        assert tables_of[0] == tables_of[1] != tables_of[2]
        assert runs[0] == runs[1]


def test_labels_stand_in_tables_of_their_own_and_end_where_their_part_ends(tmp_path):
    write_dataset(tmp_path / "made", settings(include_labels=True), "hdf5")
    for name in ("train", "val", "test"):
        bars, labels = tables(tmp_path / "made", name, "/15m"), tables(tmp_path / "made", name, "/15m_labels")
        assert not [column for column in bars.columns if column.startswith("label_")]
        assert labels["timestamp"].equals(bars["timestamp"])
        assert labels["label_price_direction"].isna().to_numpy().nonzero()[0].tolist() == list(range(len(bars) - 16, len(bars)))
        assert set(labels["label_regime"]) <= set(range(5))


def test_several_assets_have_keys_and_files_of_their_own(tmp_path):
    config = settings(symbols=("AAA", "BBB"), correlation=0.7, timeframes=("15m", "1h"))
    write_dataset(tmp_path / "h5", config, "hdf5")
    write_dataset(tmp_path / "parquet", config, "parquet")
    for symbol in ("AAA", "BBB"):
        for label in ("15m", "1h"):
            from_parquet = pd.read_parquet(tmp_path / "parquet" / "val" / f"synthetic_{symbol}_{label}.parquet")
            assert bars_digest(from_parquet) == bars_digest(tables(tmp_path / "h5", "val", f"/{symbol}/{label}"))


def test_a_dataset_is_replaced_only_where_asked_for_and_nothing_else_ever(tmp_path):
    write_dataset(tmp_path / "made", settings(), "parquet")
    with pytest.raises(DataError, match="holds a made dataset already; allowed: another folder, or --force"):
        write_dataset(tmp_path / "made", settings(seed=2), "parquet")
    write_dataset(tmp_path / "made", settings(seed=2), "parquet", force=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="exists and holds no made dataset"):
        write_dataset(tmp_path / "other", settings(), "parquet", force=True)
    assert (tmp_path / "other" / "thesis.txt").read_text() == "years of work"


def test_too_few_bars_for_three_parts_are_refused_by_number(tmp_path):
    with pytest.raises(DataError, match=r"300 bars of 15m leave 0 bars of 15m for val.*more bars or shorter timeframes"):
        write_dataset(tmp_path / "made", settings(n_bars=300), "parquet")
    assert not (tmp_path / "made").exists()


def test_indicators_stand_beside_the_bars_and_may_not_take_their_names(tmp_path):
    def twice_the_close(bars, _timeframe):
        return pd.DataFrame({"twice": 2.0 * bars["close"]})

    write_dataset(tmp_path / "made", settings(include_indicators=True), "parquet", twice_the_close)
    bars = pd.read_parquet(tmp_path / "made" / "train" / "synthetic_REGIMES_4h.parquet")
    assert (bars["twice"] == 2.0 * bars["close"]).all()
    for name in ("close", "label_close"):
        with pytest.raises(ConfigError, match=f"indicators hold {name}"):
            write_dataset(
                tmp_path / name,
                settings(include_indicators=True),
                "parquet",
                lambda bars, _t, name=name: pd.DataFrame({name: bars["close"]}),
            )


def test_price_direction_looks_exactly_as_far_ahead_as_said():
    closes = np.array([100.0, 101.0, 103.0, 100.0, 98.0])
    # Over two bars: +3 %, -0.99 %, -4.85 %; the last two have no future.
    np.testing.assert_array_equal(price_direction(closes, 2, 0.015), [1.0, 0.0, -1.0, np.nan, np.nan])
    np.testing.assert_array_equal(price_direction(closes[:1], 2, 0.015), [np.nan])


def test_the_regime_of_a_longer_bar_is_that_in_which_it_closes():
    config = settings(timeframes=("15m", "1h"))
    market = regime_bars(config, 0)
    hours, _ = resample(market.bars, Timeframe.parse("15m"), Timeframe.parse("1h"))
    labels = config.labels.model_copy(update={"horizons": {"1h": 4}})
    table = label_table(hours, Timeframe.parse("1h"), labels, timestamps_ms(market.bars), market.regimes)
    np.testing.assert_array_equal(table["label_regime"].to_numpy(), market.regimes[3::4])


@pytest.mark.parametrize("seed", range(10))
def test_every_acceptance_test_is_passed_by_every_seed(seed):
    facts = regime_facts(regime_bars(RegimeParams(n_bars=100_000), seed), RegimeParams(n_bars=100_000))
    assert facts["accepted"] == dict.fromkeys(facts["accepted"], True)
    assert set(facts["accepted"]) == {
        "fat_tails", "clustered_volatility", "uncorrelated_returns", "transitions_as_stated", "volume_in_order", "valid_prices",
    }  # fmt: skip


def test_markets_that_are_not_like_real_ones_fail_the_acceptance_test_that_says_so():
    def accepted(**changes):
        params = RegimeParams(n_bars=100_000, **changes)
        return regime_facts(regime_bars(params, 0), params)["accepted"]

    assert not accepted(shock_weight=0.0, memory=0.0, uptrend={**steady(), "shortest": 20, "longest": 100}, **others())[
        "clustered_volatility"
    ]
    assert not accepted(
        tail_freedom=1_000.0, shock_weight=0.0, memory=0.0, gap_chance=0.0, daily_gap_chance=0.0, uptrend=steady(), **others()
    )["fat_tails"]
    pulled = {"drift": 0.0, "volatility": 1.0, "reversion": 0.5, "volume": 1.0, "shortest": 20, "longest": 21}
    assert not accepted(uptrend=pulled, downtrend=pulled, ranging=pulled, mean_span=2)["uncorrelated_returns"]
    params = RegimeParams(n_bars=100_000)
    other = RegimeParams(n_bars=100_000, transitions=tuple((0.2,) * 5 for _ in range(5)))
    assert not regime_facts(regime_bars(other, 0), params)["accepted"]["transitions_as_stated"]


def steady():
    return {"drift": 0.0, "volatility": 1.0, "reversion": 0.0, "volume": 1.2, "shortest": 20, "longest": 100}


def others():
    names = ("downtrend", "ranging", "volatility_expansion", "volatility_contraction")
    return {name: {**steady(), "volume": 1.0} for name in names}
