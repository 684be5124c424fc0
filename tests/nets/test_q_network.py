import pytest
import torch

from seawall.core.errors import ConfigError
from seawall.nets.conv import ConvEncoder
from seawall.nets.q_network import QNetwork, build_q_network
from seawall.nets.registry import ConvParams, NetworkShape, RecurrentParams

SHAPE = NetworkShape(n_features=21, window=12, n_account=2, n_actions=3)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def network(seed=0, shape=SHAPE, **options):
    return build_q_network("conv", ConvParams(filters=4, hidden=16), shape, seed, **options)


def test_the_reference_network_has_the_parameter_count_of_its_docstring():
    built = QNetwork(ConvEncoder(), 1, 3)
    assert count(built.encoder) == 166_400
    assert count(built) == 166_400 + 32 + (256 + 16 + 1) * 3


def test_quantiles_of_every_action_come_out_and_their_mean_times_the_scale_is_the_value_in_reward():
    built = network(quantiles=5, dueling=True)
    built.reward_scale.fill_(0.25)
    windows, account = torch.randn(7, 12, 21), torch.randn(7, 2)
    quantiles = built(windows, account)
    assert quantiles.shape == (7, 3, 5)
    torch.testing.assert_close(built.values(windows, account), quantiles.mean(2) / 4)


def test_dueling_values_have_the_state_value_as_their_mean_over_actions():
    built = network(dueling=True, quantiles=2)
    assert built.value_head is not None
    with torch.no_grad():
        built.value_head.weight.zero_()
        built.value_head.bias.copy_(torch.tensor([3.0, 5.0]))
        built.advantage_head.weight.zero_()
        built.advantage_head.bias.copy_(torch.tensor([1.0, 0.0, 2.0, 0.0, 6.0, 3.0]))
    found = built(torch.randn(1, 12, 21), torch.randn(1, 2))[0]
    # Advantages less their mean: (1, 2, 6) - 3 and (0, 0, 3) - 1.
    torch.testing.assert_close(found, torch.tensor([[1.0, 4.0], [2.0, 4.0], [6.0, 7.0]]))


def test_a_value_may_bend_at_the_position_held():
    built = network(1)
    seen = torch.tensor([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    windows = torch.randn(1, 12, 21).expand(3, -1, -1)
    below, at, above = built(windows, seen)[:, 0, 0].tolist()
    assert abs(below + above - 2 * at) > 1e-4


def test_a_fresh_network_finds_every_action_worth_about_nothing():
    assert float(network(2)(torch.randn(64, 12, 21), torch.randn(64, 2)).abs().max().detach()) < 0.1


def test_an_account_without_columns_is_no_obstacle():
    built = network(shape=NetworkShape(21, 12, 0, 3))
    assert built(torch.randn(4, 12, 21), torch.zeros(4, 0)).shape == (4, 3, 1)


def test_the_seed_alone_decides_the_weights():
    torch.manual_seed(1)
    first = network(4).advantage_head.weight
    torch.manual_seed(2)
    assert torch.equal(network(4).advantage_head.weight, first)
    assert not torch.equal(network(5).advantage_head.weight, first)


def test_the_scale_of_rewards_is_saved_with_the_weights():
    built = network()
    built.reward_scale.fill_(0.125)
    other = network(9)
    other.load_state_dict(built.state_dict())
    assert float(other.reward_scale) == 0.125


def test_a_scheme_without_numbered_actions_is_refused_with_what_to_choose_instead():
    with pytest.raises(ConfigError, match=r"0 numbered actions .* or the agent ppo"):
        network(shape=NetworkShape(21, 12, 2, 0))


def test_no_quantile_is_refused():
    with pytest.raises(ConfigError, match="quantiles is 0"):
        network(quantiles=0)


def test_a_network_that_remembers_earlier_bars_is_refused():
    with pytest.raises(ConfigError, match="remembers earlier bars"):
        build_q_network("recurrent", RecurrentParams(), SHAPE, 0)
