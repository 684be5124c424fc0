"""What every network over a window must do, whatever is in it."""

import pytest
import torch

from seawall.nets.autoencoder import AutoencoderParams
from seawall.nets.conv import ConvParams
from seawall.nets.lstm import LstmParams
from seawall.nets.q_network import build_q_network
from seawall.nets.registry import NETWORKS, NetworkShape, build_network
from seawall.nets.tcn import TcnParams
from seawall.nets.transformer import TransformerParams

SHAPE = NetworkShape(n_features=6, window=10, n_account=2, n_actions=3)
CASES = {
    "conv": ("conv", ConvParams(filters=4, hidden=16)),
    "lstm": ("lstm", LstmParams(units=8, dropout=0.2, head_units=8, head_dropout=0.2)),
    "lstm both ways": ("lstm", LstmParams(units=8, bidirectional=True)),
    "tcn": ("tcn", TcnParams(channels=(8, 12), dropout=0.2)),
    "tcn of the long / short design": ("tcn", TcnParams(channels=(8, 8), norm="weight", pool="flatten", head_units=8)),
    "tcn of the two-stage design": ("tcn", TcnParams(channels=(8, 12), activation="gelu", embedding=16)),
    "transformer": ("transformer", TransformerParams(token_width=12, heads=3, layers=2, feed_forward=24, dropout=0.1)),
    "transformer, norm after": (
        "transformer",
        TransformerParams(token_width=12, heads=3, layers=2, feed_forward=24, norm_first=False),
    ),
    "autoencoder": ("autoencoder", AutoencoderParams(latent=8, dropout=0.1)),
    "autoencoder, shared": ("autoencoder", AutoencoderParams(latent=8, reducer="shared", groups=3)),
}
every_network = pytest.mark.parametrize(("name", "params"), CASES.values(), ids=CASES)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def with_shared(params, shared):
    return params.model_copy(update={"shared_encoder": shared})


def test_every_registered_network_over_a_window_is_among_the_cases():
    windowed = {name for name, (settings, _) in NETWORKS.items() if not settings().memory_units()}
    assert windowed == {name for name, _ in CASES.values()}


@every_network
@pytest.mark.parametrize("shared", [False, True])
def test_an_actor_critic_has_one_encoder_or_two(name, params, shared):
    network = build_network(name, with_shared(params, shared), SHAPE, 0)
    encoders = count(network.actor_encoder) * (1 if shared else 2)
    assert count(network) == encoders + count(network.policy_head) + count(network.value_head)
    preferences, values = network(torch.randn(5, 10, 6), torch.randn(5, 2))
    assert (preferences.shape, values.shape) == ((5, 3), (5,))


@every_network
def test_the_encoding_has_the_width_that_is_told(name, params):
    encoder = build_network(name, params, SHAPE, 0).actor_encoder
    assert encoder(torch.randn(3, 10, 6)).shape == (3, encoder.width)


@every_network
def test_the_seed_alone_decides_the_weights(name, params):
    torch.manual_seed(1)
    first = build_network(name, params, SHAPE, 7).state_dict()
    torch.manual_seed(2)
    again = build_network(name, params, SHAPE, 7).state_dict()
    other = build_network(name, params, SHAPE, 8).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first if "weight" in key)


@every_network
def test_two_encoders_of_one_network_begin_different(name, params):
    network = build_network(name, params, SHAPE, 7)
    assert network.critic_encoder is not None
    pairs = zip(network.actor_encoder.parameters(), network.critic_encoder.parameters(), strict=True)
    assert not all(torch.equal(actor, critic) for actor, critic in pairs)


@every_network
def test_a_decision_does_not_depend_on_the_rows_beside_it(name, params):
    network = build_network(name, params, SHAPE, 0)
    windows, account = torch.randn(64, 10, 6), torch.randn(64, 2)
    with torch.inference_mode():
        actor, _ = network.encode(windows)
        preferences, values = network(windows, account)
        for row in (0, 31, 63):
            one = slice(row, row + 1)
            # Single precision with sums in another order: some 1e-7 of numbers of size 1, a few dozen times.
            torch.testing.assert_close(network.encode(windows[one])[0], actor[one], atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(network(windows[one], account[one]), (preferences[one], values[one]), atol=1e-5, rtol=1e-5)


@every_network
def test_the_whole_window_of_every_column_can_matter(name, params):
    network = build_network(name, params, SHAPE, 0).eval()
    windows = torch.randn(8, 10, 6, requires_grad=True)
    network.encode(windows)[0].square().sum().backward()
    assert windows.grad is not None
    assert (windows.grad != 0).any(0).any(0).all()
    assert (windows.grad != 0).any(0).any(1).all()


@every_network
def test_a_q_network_values_every_action(name, params):
    network = build_q_network(name, params, SHAPE, 0, dueling=True, quantiles=5)
    assert network(torch.randn(4, 10, 6), torch.randn(4, 2)).shape == (4, 3, 5)


@every_network
def test_settings_survive_being_written_and_read(name, params):
    assert type(params)(**params.model_dump(mode="json")) == params
