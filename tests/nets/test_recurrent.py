import pytest
import torch

from seawall.core.errors import ConfigError, InvariantError
from seawall.nets.recurrent import LstmMemory
from seawall.nets.registry import NetworkShape, RecurrentParams, build_encoder, build_network

STEPS, N, WIDTH, UNITS = 9, 4, 5, 6
SHAPE = NetworkShape(n_features=3, window=4, n_account=1, n_actions=3)


@pytest.fixture
def sequence():
    source = torch.Generator().manual_seed(0)
    encodings = torch.randn(STEPS, N, WIDTH, generator=source, dtype=torch.float64)
    state = torch.randn(N, 2 * UNITS, generator=source, dtype=torch.float64)
    starts = torch.zeros(STEPS, N, dtype=torch.bool)
    starts[0, 1] = starts[3, 0] = starts[3, 2] = starts[8, 1] = True
    return LstmMemory(WIDTH, UNITS, source).double(), encodings, state, starts


def test_a_sequence_equals_its_steps_one_by_one_with_the_memory_emptied_at_starts(sequence):
    memory, encodings, state, starts = sequence
    told, final = memory(encodings, state, starts)
    for step in range(STEPS):
        state = torch.where(starts[step][:, None], 0.0, state)
        single, state = memory(encodings[step][None], state)
        torch.testing.assert_close(single[0], told[step], rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(state, final, rtol=1e-10, atol=1e-12)


def test_starts_matter(sequence):
    memory, encodings, state, starts = sequence
    assert not torch.allclose(memory(encodings, state, starts)[0], memory(encodings, state)[0])


def test_no_gradient_crosses_the_start_of_an_episode(sequence):
    memory, encodings, state, starts = sequence
    encodings.requires_grad_()
    memory(encodings, state, starts)[0][3:8, 0].sum().backward()
    assert encodings.grad is not None
    reached = (encodings.grad != 0).any(2)
    assert not reached[:3].any()
    assert reached[3:8, 0].all()
    assert not reached[:, 1:].any()


def test_without_a_start_the_gradient_goes_back_to_the_first_bar(sequence):
    memory, encodings, state, _ = sequence
    encodings.requires_grad_()
    memory(encodings, state)[0][-1].sum().backward()
    assert encodings.grad is not None
    assert (encodings.grad[0] != 0).any(1).all()


def test_it_has_as_many_parameters_as_it_says_and_starts_with_open_forget_gates():
    memory = LstmMemory(WIDTH, UNITS)
    assert sum(parameter.numel() for parameter in memory.parameters()) == 4 * UNITS * (WIDTH + UNITS + 2)
    biases = dict(memory.lstm.named_parameters())["bias_ih_l0"].detach()
    assert biases.tolist() == [0.0] * UNITS + [1.0] * UNITS + [0.0] * 2 * UNITS


@pytest.mark.parametrize(("shared", "rows"), [(True, 2 * 8), (False, 4 * 8)])
def test_a_recurrent_network_remembers_for_each_encoder(shared, rows):
    network = build_network("recurrent", RecurrentParams(hidden=7, memory=8, shared_encoder=shared), SHAPE, 0)
    windows, account = torch.randn(5 * 2, 4, 3), torch.randn(5, 2, 1)
    assert network.state_width == rows
    actor, critic = (block.view(5, 2, -1) for block in network.encode(windows))
    seen_actor, seen_critic, state = network.remember(actor, critic, torch.zeros(2, rows))
    preferences, values = network.heads(seen_actor, seen_critic, account)
    assert (preferences.shape, values.shape, state.shape) == ((5, 2, 3), (5, 2), (2, rows))
    state = torch.zeros(2, rows)
    for step in range(5):
        one, other, state = network.remember(actor[step], critic[step], state)
        torch.testing.assert_close(network.heads(one, other, account[step]), (preferences[step], values[step]))


def test_a_recurrent_network_refuses_bars_out_of_their_order():
    network = build_network("recurrent", RecurrentParams(), SHAPE, 0)
    for ask in (network, network.logits, network.values):
        with pytest.raises(InvariantError, match="encode, remember and heads"):
            ask(torch.zeros(2, 4, 3), torch.zeros(2, 1))


def test_an_agent_with_heads_of_its_own_is_refused_a_recurrent_network():
    with pytest.raises(
        ConfigError, match="'recurrent' remembers earlier bars, which this agent cannot train; allowed: autoencoder, conv, lstm"
    ):
        build_encoder("recurrent", RecurrentParams(), SHAPE)


def test_a_continuous_head_makes_a_mean_and_a_log_deviation_that_is_the_same_for_all_states():
    network = build_network("recurrent", RecurrentParams(), NetworkShape(3, 4, 1, 0), 0)
    actor, critic, _ = network.remember(*network.encode(torch.randn(6, 4, 3)), torch.zeros(6, network.state_width))
    preferences, _ = network.heads(actor, critic, torch.randn(6, 1))
    assert preferences.shape == (6, 2)
    assert preferences[:, 1].unique().tolist() == [-0.5]
