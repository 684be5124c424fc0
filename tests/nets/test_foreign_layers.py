"""Layers that are not known here, as those of a plugin's network: the seed alone decides how they begin."""

import torch
from torch import nn

from seawall.nets.registry import weights_generator
from seawall.nets.weights import initialise


def begun(seed):
    network = nn.Sequential(nn.GRU(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    initialise(network, {}, weights_generator(seed))
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def test_a_foreign_layer_begins_by_the_seed_and_not_by_what_torch_drew_before():
    torch.manual_seed(1)
    first = begun(0)
    torch.manual_seed(2)
    again, other = begun(0), begun(1)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["0.weight_ih_l0"], other["0.weight_ih_l0"])


def test_drawing_a_foreign_layer_leaves_torchs_own_source_alone():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    network = nn.Sequential(nn.GRU(3, 4))
    state = torch.get_rng_state()
    initialise(network, {}, weights_generator(0))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(3)
    assert torch.equal(torch.rand(4), expected)
