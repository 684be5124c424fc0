import pytest
import torch
from torch import nn

from seawall.nets.head import HiddenHead
from seawall.nets.lstm import LstmEncoder, LstmParams, build_lstm
from seawall.nets.registry import NetworkShape, build_network

SYSTEM = NetworkShape(n_features=6, window=30, n_account=0, n_actions=3)
DESIGN = LstmParams(shared_encoder=True, head_units=64, head_dropout=0.2, dropout=0.2)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_design_has_218_500_parameters():
    network = build_network("lstm", DESIGN, SYSTEM, 0)
    assert count(network.actor_encoder) == 69_632 + 132_096
    assert (count(network.policy_head), count(network.value_head)) == (8_451, 8_321)
    assert count(network) == 218_500


def test_the_design_drops_a_fifth_between_its_layers_and_in_its_heads_and_maps_thirty_rows_to_three_actions():
    network = build_network("lstm", DESIGN, SYSTEM, 0)
    assert sum("dropout" in type(module).__name__.lower() for module in network.modules()) == 3
    preferences, values = network(torch.randn(5, 30, 6), torch.zeros(5, 0))
    assert (preferences.shape, values.shape) == ((5, 3), (5,))
    assert isinstance(network.policy_head, HiddenHead)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_it_equals_torchs_own_stack_with_the_same_weights(bidirectional):
    encoder = LstmEncoder(3, units=5, layers=2, bidirectional=bidirectional)
    whole = nn.LSTM(3, 5, num_layers=2, batch_first=True, bidirectional=bidirectional)
    with torch.no_grad():
        for number, layer in enumerate(encoder.layers):
            for name, block in layer.named_parameters():
                whole.get_parameter(name.replace("_l0", f"_l{number}")).copy_(block)
    windows = torch.randn(4, 7, 3)
    told, (last, _) = whole(windows)
    expected = torch.cat((last[-2], last[-1]), 1) if bidirectional else told[:, -1]
    torch.testing.assert_close(encoder(windows), expected)
    assert encoder.width == expected.shape[1]


def test_every_call_starts_with_nothing_remembered():
    encoder, windows = LstmEncoder(3, units=5), torch.randn(4, 7, 3)
    assert torch.equal(encoder(windows), encoder(windows))


def test_read_both_ways_the_backward_half_has_seen_the_whole_window():
    encoder = LstmEncoder(2, units=3, layers=1, bidirectional=True)
    windows = torch.randn(1, 6, 2, requires_grad=True)
    encoder(windows)[0, 3:].sum().backward()
    assert windows.grad is not None
    assert (windows.grad[0] != 0).any(1).all()


def test_weights_begin_orthogonal_with_open_forget_gates_from_the_seed_alone():
    first, again = (build_network("lstm", LstmParams(units=6), SYSTEM, 3).actor_encoder for _ in range(2))
    layer = first.get_submodule("layers.0")
    assert isinstance(layer, nn.LSTM)
    gate = dict(layer.named_parameters())["weight_hh_l0"].detach()[:6]
    torch.testing.assert_close(gate @ gate.T, torch.eye(6), atol=1e-5, rtol=0)
    assert dict(layer.named_parameters())["bias_ih_l0"].tolist() == [0.0] * 6 + [1.0] * 6 + [0.0] * 12
    assert all(torch.equal(one, other) for one, other in zip(first.parameters(), again.parameters(), strict=True))


def test_its_settings_reach_it():
    encoder = build_lstm(LstmParams(units=4, layers=3, bidirectional=True, dropout=0.5), SYSTEM)
    assert (encoder.width, len(encoder.layers), len(encoder.between)) == (8, 3, 2)
    assert encoder.between[0].share == 0.5
