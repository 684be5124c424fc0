import numpy as np
import pytest
import torch
from torch import nn

from seawall.core.errors import ConfigError
from seawall.core.params import Params
from seawall.nets.conv import ConvEncoder
from seawall.nets.heads import ActorCritic
from seawall.nets.registry import NETWORKS, ConvParams, NetworkShape, build_network

SHAPE = NetworkShape(n_features=21, window=12, n_account=2, n_actions=3)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_encoder_has_the_parameter_counts_of_the_design():
    encoder = ConvEncoder()
    assert (count(encoder.convolution), count(encoder.first), count(encoder.second)) == (2_048, 98_560, 65_792)
    assert count(encoder) == 166_400


def test_a_head_of_three_actions_has_771_parameters_without_an_account():
    assert count(ActorCritic(ConvEncoder(), None, 0, 3).policy_head) == 771


def test_the_account_row_joins_after_the_encoder():
    network = ActorCritic(ConvEncoder(), None, 2, 3)
    assert count(network.actor_encoder) == 166_400
    assert (count(network.policy_head), count(network.value_head)) == ((256 + 2 + 1) * 3, 256 + 2 + 1)


def test_encoders_are_separate_unless_shared():
    separate = build_network("conv", ConvParams(), SHAPE, 0)
    shared = build_network("conv", ConvParams(shared_encoder=True), SHAPE, 0)
    heads = 259 * 3 + 259
    assert (count(separate), count(shared)) == (2 * 166_400 + heads, 166_400 + heads)


@pytest.mark.parametrize("shared", [True, False])
def test_values_and_preferences_are_the_same_alone_and_together(shared):
    network = build_network("conv", ConvParams(shared_encoder=shared), SHAPE, 1)
    windows, account = torch.randn(5, 12, 21), torch.randn(5, 2)
    logits, values = network(windows, account)
    assert logits.shape == (5, 3)
    assert values.shape == (5,)
    torch.testing.assert_close(network.logits(windows, account), logits)
    torch.testing.assert_close(network.values(windows, account), values)


def test_the_convolution_is_padded_over_time_and_looks_one_row_each_way():
    encoder = ConvEncoder(n_features=2, window=5)
    windows = torch.zeros(2, 5, 2)
    windows[1, 2] = 1.0
    filtered = encoder.convolution(windows.transpose(1, 2))
    assert filtered.shape == (2, 32, 5)
    changed = (filtered[1] != filtered[0]).any(0)
    assert changed.tolist() == [False, True, True, True, False]


def test_a_fresh_policy_finds_every_action_about_equally_likely_and_biases_are_zero():
    network = build_network("conv", ConvParams(), SHAPE, 2)
    probabilities = torch.softmax(network.logits(torch.randn(256, 12, 21), torch.randn(256, 2)), 1)
    assert float((probabilities.detach() - 1 / 3).abs().max()) < 0.05
    assert all(not module.bias.detach().any() for module in network.modules() if isinstance(module, (nn.Linear, nn.Conv1d)))


def test_initial_weights_are_orthogonal_with_their_gains():
    network = build_network("conv", ConvParams(), SHAPE, 3)
    encoder = network.actor_encoder
    assert isinstance(encoder, ConvEncoder)
    np.testing.assert_allclose(encoder.second.weight.detach() @ encoder.second.weight.detach().T, 2 * np.eye(256), atol=1e-4)
    head = network.policy_head.weight.detach()
    np.testing.assert_allclose(head @ head.T, 1e-4 * np.eye(3), atol=1e-9)


def test_the_seed_alone_decides_the_weights():
    torch.manual_seed(1)
    first = build_network("conv", ConvParams(), SHAPE, 7).state_dict()
    torch.manual_seed(2)
    again = build_network("conv", ConvParams(), SHAPE, 7).state_dict()
    other = build_network("conv", ConvParams(), SHAPE, 8).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["policy_head.weight"], other["policy_head.weight"])


def test_an_unknown_network_is_refused_with_the_known_ones():
    with pytest.raises(
        ConfigError, match="'convolution' is unknown; allowed: autoencoder, conv, lstm, recurrent, tcn, transformer"
    ):
        build_network("convolution", ConvParams(), SHAPE, 0)


def test_settings_of_another_network_are_refused():
    with pytest.raises(ConfigError, match="needs ConvParams; got Params"):
        build_network("conv", Params(), SHAPE, 0)


def test_an_even_kernel_is_refused():
    with pytest.raises(ValueError, match="kernel is 4; allowed: odd"):
        ConvParams(kernel=4)


def test_every_registered_network_builds_from_its_defaults():
    for name, (settings, _) in NETWORKS.items():
        network = build_network(name, settings(), SHAPE, 0)
        state = torch.zeros(2, network.state_width)
        actor, critic, _ = network.remember(*network.encode(torch.zeros(2, 12, 21)), state)
        logits, values = network.heads(actor, critic, torch.zeros(2, 2))
        assert (logits.shape, values.shape) == ((2, 3), (2,))
