import pytest
import torch
from torch import nn

from seawall.nets.head import HeadShape, HiddenHead
from seawall.nets.q_network import build_q_network
from seawall.nets.registry import ConvParams, NetworkShape, build_network

SHAPE = NetworkShape(n_features=5, window=4, n_account=2, n_actions=3)
PARAMS = ConvParams(filters=4, hidden=16, head_units=8)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_a_hidden_head_has_the_parameters_of_its_docstring():
    assert count(HiddenHead(18, 3, HeadShape(8))) == 8 * (18 + 1 + 3) + 3


@pytest.mark.parametrize(("name", "bend"), [("relu", nn.ReLU()), ("gelu", nn.GELU()), ("tanh", nn.Tanh())])
def test_it_is_two_layers_with_the_named_bend_between(name, bend):
    head = HiddenHead(6, 2, HeadShape(4, name))
    seen = torch.randn(3, 7, 6)
    torch.testing.assert_close(head(seen), head.output(bend(head.hidden(seen))))


def test_the_account_row_joins_before_the_hidden_layer():
    network = build_network("conv", PARAMS, SHAPE, 0)
    for head in (network.policy_head, network.value_head):
        assert isinstance(head, HiddenHead)
        assert (head.in_features, tuple(head.weight.shape)) == (16 + 2, (8, 18))


def test_a_preference_may_bend_at_the_position_held():
    network = build_network("conv", PARAMS, SHAPE, 1)
    account = torch.tensor([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    below, at, above = network.logits(torch.randn(1, 4, 5).expand(3, -1, -1), account)[:, 0].tolist()
    assert abs(below + above - 2 * at) > 1e-4


def test_a_fresh_policy_finds_every_action_about_equally_likely():
    network = build_network("conv", PARAMS, SHAPE, 2)
    probabilities = torch.softmax(network.logits(torch.randn(256, 4, 5), torch.randn(256, 2)), 1)
    assert float((probabilities.detach() - 1 / 3).abs().max()) < 0.05


def test_a_hidden_layer_begins_as_any_other_and_the_last_one_small():
    head = build_network("conv", PARAMS, SHAPE, 3).policy_head
    assert isinstance(head, HiddenHead)
    first, last = head.hidden.weight.detach(), head.output.weight.detach()
    torch.testing.assert_close(first @ first.T, 2 * torch.eye(8), atol=1e-5, rtol=0)
    torch.testing.assert_close(last @ last.T, 1e-4 * torch.eye(3), atol=1e-9, rtol=0)


def test_a_q_network_has_hidden_heads_too_and_begins_at_about_nothing():
    network = build_q_network("conv", PARAMS, SHAPE, 0, dueling=True, quantiles=5)
    assert isinstance(network.advantage_head, HiddenHead)
    assert isinstance(network.value_head, HiddenHead)
    values = network(torch.randn(64, 4, 5), torch.randn(64, 2))
    assert values.shape == (64, 3, 5)
    assert float(values.abs().max().detach()) < 0.2
