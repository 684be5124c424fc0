"""What a portfolio's network reads, how large it is, and where its gradients go."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seawall.core.errors import DataError
from seawall.nets.portfolio import PortfolioNetwork, PortfolioNetworkParams, PortfolioShape, build_portfolio_network
from seawall.nets.portfolio_reducer import DenseReducer
from seawall.nets.portfolio_windows import Frame, Look, PanelGatherer

TIMES, STRIDES = (48, 64, 48, 24, 3), (1, 3, 12, 48, 288)
SMALL = PortfolioShape(assets=3, rows=20, features=4, state=13)


def size(assets: int, times: tuple[int, ...], features: int) -> int:
    """The published formula: N (ΣT F + 3 N + 4)."""
    return assets * (sum(times) * features + 3 * assets + 4)


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_full_preset_reads_134980_numbers_and_has_the_published_size():
    look = Look.of(72, TIMES, STRIDES)
    shape = PortfolioShape(assets=10, rows=look.rows, features=look.columns, state=3 * 10 + 4)
    assert shape.size == size(10, TIMES, 72) == 134_980
    with torch.device("meta"):
        network = PortfolioNetwork(PortfolioNetworkParams(), shape)
    assert isinstance(network.reducer, DenseReducer)
    assert count(network.reducer.encoder) == 441_838_230
    assert count(network.reducer.decoder) == 441_971_062
    assert sum(p.numel() for p in network.policy_parameters()) == count(network) - 883_809_292
    outlook = network(torch.empty(2, 10, 187, 72, device="meta"), torch.empty(2, 34, device="meta"))
    assert outlook.logits.shape == (2, 11)
    assert outlook.inputs.flatten(1).shape == (2, 134_980)
    assert outlook.latent.shape == (2, 2_148)


@pytest.mark.parametrize(("assets", "times", "features"), [(3, (12, 8), 24), (2, (5,), 1), (11, (4, 4, 4), 7)])
def test_the_formula_of_the_inputs_holds_for_other_sizes(assets, times, features):
    assert PortfolioShape(assets, sum(times), features, 3 * assets + 4).size == size(assets, times, features)


@pytest.mark.parametrize("reducer", ["dense", "shared"])
@pytest.mark.parametrize("tokens", ["latent", "assets"])
def test_every_reducer_and_kind_of_token_gives_logits_values_and_a_reconstruction(reducer, tokens):
    network = build_portfolio_network(PortfolioNetworkParams(preset="tiny", reducer=reducer, tokens=tokens), SMALL, 0)
    windows, state = torch.randn(5, 3, 20, 4), torch.randn(5, 13)
    outlook = network(windows, state)
    assert outlook.logits.shape == (5, 4)
    assert outlook.values.shape == (5,)
    assert network.reducer.decode(outlook.latent).shape == outlook.inputs.shape == (5, 3, 93)
    assert torch.equal(outlook.inputs[:, 1], torch.cat((windows[:, 1].flatten(1), state), 1))
    outlook.logits.square().sum().backward()
    encoder = {name for name, p in network.reducer.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert encoder
    assert not any(name.startswith(("decoder", "part", "asset_decoder")) for name in encoder)


def test_weights_follow_the_seed_and_leave_the_global_one_alone():
    params = PortfolioNetworkParams(preset="tiny")
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, same, other = (build_portfolio_network(params, SMALL, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["trunk.0.weight"], other["trunk.0.weight"])


def test_blocks_start_with_weights_of_their_own():
    network = build_portfolio_network(PortfolioNetworkParams(preset="tiny", blocks=2), SMALL, 0)
    assert not torch.equal(network.blocks[0].linear1.weight, network.blocks[1].linear1.weight)


@pytest.mark.parametrize(
    ("settings", "words"), [({"heads": 7}, "heads 7 does not divide token 192"), ({"narrow": 200}, "does not divide narrow 200")]
)
def test_sizes_that_do_not_fit_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        PortfolioNetworkParams(**settings)


def test_a_preset_fills_what_is_not_given_and_its_numbers_are_told():
    tiny = PortfolioNetworkParams(preset="tiny", blocks=3)
    assert (tiny.blocks, tiny.token, tiny.reducer) == (3, 24, "shared")
    assert PortfolioNetworkParams(**tiny.model_dump()) == tiny


def test_a_look_in_two_clocks_shows_every_so_many_th_row_of_the_longer_ones_columns():
    features = np.arange(2 * 30 * 4, dtype=np.float32).reshape(2, 30, 4)  # two columns of the base clock, two of the longer
    look = Look(2, (Frame(3, 1, 0), Frame(2, 4, 2)))
    gathered = PanelGatherer(torch.from_numpy(features), look)(torch.tensor([10, 29]))
    assert (look.rows, look.reach) == (5, 5)
    for place, row in enumerate((10, 29)):
        expected = np.concatenate([features[:, row - 2 : row + 1, :2], features[:, [row - 4, row], 2:]], axis=1)
        np.testing.assert_array_equal(gathered[place].numpy(), expected)


def test_rows_without_a_whole_look_and_blocks_that_are_too_small_are_refused():
    gather = PanelGatherer(torch.zeros(2, 30, 4), Look(2, (Frame(3, 1, 0), Frame(2, 4, 2))))
    with pytest.raises(IndexError):
        gather(torch.tensor([3]))
    with pytest.raises(DataError, match="needs as many"):
        PanelGatherer(torch.zeros(2, 4, 4), gather.look)
    with pytest.raises(DataError, match="needs as many"):
        PanelGatherer(torch.zeros(2, 30, 3), gather.look)
