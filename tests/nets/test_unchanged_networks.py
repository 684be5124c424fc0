"""Networks of before there were hidden heads: their weights, their names and their settings are what bundles of that time hold."""

import pytest
import torch

from seawall.core.errors import ConfigError
from seawall.nets.q_network import build_q_network
from seawall.nets.registry import ConvParams, NetworkShape, RecurrentParams, TcnParams, build_network

SHAPE = NetworkShape(n_features=21, window=12, n_account=2, n_actions=3)


def fingerprint(network):
    """One number of all weights. Orthogonal draws differ in the sixth digit with the number of threads, so no hash of them."""
    weights = (tensor.double().flatten() for tensor in network.state_dict().values())
    return sum(float(each @ torch.cos(torch.arange(each.numel(), dtype=torch.float64))) for each in weights)


@pytest.mark.parametrize(
    ("name", "params", "n_actions", "expected"),
    [
        ("conv", ConvParams(), 3, -19.027728),
        ("conv", ConvParams(shared_encoder=True), 3, -8.028179),
        ("conv", ConvParams(), 0, -19.598325),
        ("recurrent", RecurrentParams(), 3, 22.852037),
        ("recurrent", RecurrentParams(shared_encoder=True), 3, -10.243129),
    ],
)
def test_a_seed_gives_the_weights_that_it_gave_before(name, params, n_actions, expected):
    network = build_network(name, params, NetworkShape(21, 12, 2, n_actions), 7)
    assert fingerprint(network) == pytest.approx(expected, abs=1e-3)


def test_a_seed_gives_the_q_network_that_it_gave_before():
    network = build_q_network("conv", ConvParams(), SHAPE, 7, dueling=True, quantiles=5)
    assert fingerprint(network) == pytest.approx(-6.281612, abs=1e-3)


def test_names_of_weights_are_those_of_older_bundles():
    names = set(build_network("conv", ConvParams(shared_encoder=True), SHAPE, 0).state_dict())
    layers = ("actor_encoder.convolution", "actor_encoder.first", "actor_encoder.second", "policy_head", "value_head")
    assert names == {f"{layer}.{part}" for layer in layers for part in ("weight", "bias")}


def test_settings_of_linear_heads_are_written_as_older_bundles_hold_them():
    assert ConvParams().model_dump() == {"shared_encoder": False, "filters": 32, "kernel": 3, "hidden": 256}


def test_settings_of_hidden_heads_are_written_whole_and_read_back():
    params = TcnParams(head_units=64, head_dropout=0.1, channels=(8, 16))
    written = params.model_dump(mode="json")
    assert (written["head_units"], written["head_activation"], written["head_dropout"]) == (64, "relu", 0.1)
    assert TcnParams(**written) == params
    assert TcnParams(**params.model_dump()) == params


def test_settings_of_a_hidden_layer_that_is_not_there_are_refused():
    with pytest.raises(ValueError, match="head_dropout set and head_units is 0"):
        ConvParams(head_dropout=0.2)


@pytest.mark.parametrize("build", [build_network, build_q_network])
def test_an_agent_is_refused_a_network_that_normalises_by_its_batch(build):
    with pytest.raises(ConfigError, match="'tcn' normalises by the statistics of a batch"):
        build("tcn", TcnParams(norm="batch"), SHAPE, 0)
