import json

import numpy as np
import pytest
import torch
from planted_lessons import WINDOW, planted_market, pretrainer, small_params
from safetensors.torch import save_file

from seawall.agents.optimiser import BlockAdamW
from seawall.core.errors import DataError
from seawall.core.market import RowRange
from seawall.nets.heads import ActorCritic
from seawall.nets.params import NetworkShape
from seawall.nets.pretraining import FrozenEncoder
from seawall.nets.registry import build_encoder
from seawall.nets.tcn import TcnEncoder, TcnParams
from seawall.training.pretraining.embedding import embed
from seawall.training.pretraining.encoder_folder import check_unseen, encoder_network, load_encoder, save_encoder
from seawall.training.pretraining.lessons import Lessons

NETWORK = {"kind": "tcn", "channels": [16, 16, 16, 16], "embedding": 16, "dropout": 0.1}


@pytest.fixture(scope="module")
def market():
    return planted_market(1_200)


@pytest.fixture(scope="module")
def saved(market, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "encoder"
    lessons = Lessons(market, [RowRange(32, 900)], WINDOW, small_params())
    learner = pretrainer(lessons)
    learner.step()
    save_encoder(folder, learner.weights(), manifest(market, lessons))
    return folder, learner


def manifest(market, lessons):
    features = {"names": market.feature_names, "hash": "f" * 64, "scaling": "none"}
    return {"network": NETWORK, "features": features, "window": WINDOW, "timeframe": "1h", "seen": lessons.facts}


def features(**changed):
    named = {"names": ["return", "high", "low", "volatility", "from_top", "from_bottom"], "hash": "f" * 64, "scaling": "none"}
    return {**named, **changed}


def test_a_saved_encoder_comes_back_and_encodes_alike(saved, market):
    folder, learner = saved
    rows = np.arange(100, 140)
    before = embed(learner.network.encoder, market.features, rows, WINDOW)
    loaded = load_encoder(folder)
    np.testing.assert_array_equal(embed(loaded.frozen(), market.features, rows, WINDOW), before)
    assert loaded.manifest["seen"]["train_windows"] > 0
    loaded.check(features=features(), window=WINDOW, timeframe="1h")


def test_the_weights_go_into_a_built_encoder_and_rest_there(saved):
    loaded = load_encoder(saved[0])
    name, params = encoder_network(NETWORK)
    encoder = build_encoder(name, params, NetworkShape(6, WINDOW, 0, 0))
    loaded.copy_into(encoder)
    assert not encoder.training
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    assert all(torch.equal(value, loaded.weights[name]) for name, value in encoder.state_dict().items())


def test_an_actor_critic_leaves_its_frozen_encoder_alone(saved, market):
    frozen = load_encoder(saved[0]).frozen()
    before = {name: value.clone() for name, value in frozen.state_dict().items()}
    network = ActorCritic(frozen, None, 2, 3, torch.Generator().manual_seed(1))
    network.train()
    windows = torch.from_numpy(np.stack([market.features[row - WINDOW + 1 : row + 1] for row in (200, 300)]))
    preferences, values = network(windows, torch.zeros(2, 2))
    (preferences.sum() + values.sum()).backward()
    assert network.policy_head.weight.grad is not None
    assert all(torch.equal(value, before[name]) for name, value in frozen.state_dict().items())
    assert all(parameter.grad is None for parameter in frozen.parameters())


def test_the_agents_optimiser_does_not_pull_frozen_weights_to_zero(saved):
    frozen = load_encoder(saved[0]).frozen()
    before = {name: value.clone() for name, value in frozen.state_dict().items()}
    network = ActorCritic(frozen, None, 2, 3, torch.Generator().manual_seed(1))
    optimiser = BlockAdamW(network, weight_decay=0.5)
    optimiser.learning_rate = 0.1
    head = network.policy_head.weight.clone()
    preferences, values = network(torch.randn(4, WINDOW, 6), torch.zeros(4, 2))
    optimiser.step(preferences.square().sum() + values.square().sum(), 1.0)
    assert not torch.equal(network.policy_head.weight, head)
    assert all(torch.equal(value, before[name]) for name, value in frozen.state_dict().items())


def test_another_network_is_refused(saved):
    loaded = load_encoder(saved[0])
    with pytest.raises(DataError, match=r"weights of the pre-trained encoder do not fit the network:\n.*blocks"):
        loaded.copy_into(TcnEncoder(6, WINDOW, (8, 8)))
    with pytest.raises(DataError, match="do not fit"):
        loaded.copy_into(FrozenEncoder(TcnEncoder(7, WINDOW, (16, 16, 16, 16), embedding=16, share_dropped=0.1)))
    with pytest.raises(DataError, match=r"network 'cortex' is unknown; allowed: .*tcn"):
        encoder_network({"kind": "cortex"})
    assert encoder_network(NETWORK) == ("tcn", TcnParams(channels=(16, 16, 16, 16), embedding=16, dropout=0.1))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"features": features(names=["return", "high", "low", "volatility", "from_top", "rsi"])},
            r"names\[5\]: .*from_bottom.*rsi",
        ),
        ({"features": features(scaling="zscore")}, r"scaling: bundle 'none', here 'zscore'"),
        ({"window": 64}, "window: bundle 32, here 64"),
        ({"timeframe": "5m"}, "timeframe: bundle '1h', here '5m'"),
    ],
)
def test_other_inputs_are_refused_with_the_difference(saved, changed, message):
    with pytest.raises(DataError, match=message):
        load_encoder(saved[0]).check(**{"features": features(), "window": WINDOW, "timeframe": "1h", **changed})


def test_an_encoder_that_has_seen_the_judging_bars_is_refused(saved, market):
    seen = load_encoder(saved[0]).manifest
    check_unseen(seen, int(market.timestamps[900]))
    # Row 899 is the last of its bars, 899 hours after 1970 began: 37 days and 11 hours.
    with pytest.raises(DataError, match=r"seen bars up to 1970-02-07T11:00:00Z, and the test bars begin at 1970-02-07T11:00:00Z"):
        check_unseen(seen, int(market.timestamps[899]), "the test bars")


def copied(folder, to):
    to.mkdir()
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    return to


def test_a_changed_or_damaged_encoder_is_refused(saved, tmp_path):
    with pytest.raises(DataError, match=r"holds no encoder: it has no encoder\.json; make one with: seawall pretrain"):
        load_encoder(tmp_path)
    lying = copied(saved[0], tmp_path / "lying")
    document = json.loads((lying / "encoder.json").read_text())
    document["seen"]["last_seen_ms"] = 0
    (lying / "encoder.json").write_text(json.dumps(document))
    with pytest.raises(DataError, match="is not what was saved"):
        load_encoder(lying)
    other = copied(saved[0], tmp_path / "other")
    save_file({"weight": torch.zeros(1)}, other / "encoder.safetensors")
    with pytest.raises(DataError, match="the file was changed"):
        load_encoder(other)
    newer = copied(saved[0], tmp_path / "newer")
    document["schema_version"] = 2
    (newer / "encoder.json").write_text(json.dumps(document))
    with pytest.raises(DataError, match=r"schema version 2; this seawall .* reads 1"):
        load_encoder(newer)


def test_an_encoder_without_what_it_saw_is_not_saved(tmp_path, saved):
    with pytest.raises(DataError, match="without features, seen"):
        save_encoder(tmp_path / "encoder", saved[1].weights(), {"network": NETWORK, "window": WINDOW, "timeframe": "1h"})
    assert not (tmp_path / "encoder").exists()


def test_embeddings_are_those_of_single_windows_and_dropout_is_off(saved, market):
    encoder = saved[1].network.encoder.train()
    rows = np.array([31, 500, 1_199])
    found = embed(encoder, market.features, rows, WINDOW, batch=2)
    assert (found.dtype, found.shape) == (np.float32, (3, 16))
    assert encoder.training
    encoder.eval()
    single = [encoder(torch.from_numpy(market.features[row - WINDOW + 1 : row + 1])[None]).detach().numpy()[0] for row in rows]
    # Batches of 2 and of 1 add up in another order.
    np.testing.assert_allclose(found, single, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(found, embed(encoder, market.features, rows, WINDOW, batch=2))


def test_embedding_leaves_running_statistics_alone(market):
    encoder = TcnEncoder(6, WINDOW, (8,), norm="batch").train()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    embed(encoder, market.features, np.arange(100, 130), WINDOW)
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


def test_an_embedding_knows_no_later_bar(saved, market):
    changed = market.features.copy()
    changed[501:] += 5.0
    rows = np.arange(480, 501)
    before = embed(saved[1].network.encoder, market.features, rows, WINDOW)
    np.testing.assert_array_equal(embed(saved[1].network.encoder, changed, rows, WINDOW), before)


def test_windows_that_are_not_whole_or_no_numbers_are_refused(saved, market):
    encoder = saved[1].network.encoder
    with pytest.raises(DataError, match="rows 30 to 40 are to be embedded; allowed: 31 to 1199, as a window has 32 bars"):
        embed(encoder, market.features, np.arange(30, 41), WINDOW)
    with pytest.raises(DataError, match="rows 1190 to 1200 are to be embedded"):
        embed(encoder, market.features, np.arange(1_190, 1_201), WINDOW)
    broken = market.features.copy()
    broken[50, 2] = np.nan
    with pytest.raises(DataError, match="the embedding of row 50 is not finite"):
        embed(encoder, broken, np.arange(40, 60), WINDOW)
    assert embed(encoder, market.features, np.empty(0, np.int64), WINDOW).shape == (0, 16)
