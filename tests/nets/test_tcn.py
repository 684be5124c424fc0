import pytest
import torch
from torch import nn

from seawall.core.errors import ConfigError
from seawall.nets.registry import NetworkShape, build_encoder
from seawall.nets.tcn import StepNorm, TcnEncoder, TcnParams, build_tcn
from seawall.nets.weights import initialise

LONG_SHORT = TcnParams(norm="weight", pool="flatten", dropout=0.2)
TWO_STAGE = TcnParams(channels=(64, 128, 256, 256, 256, 256), activation="gelu", embedding=256)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def drawn(*sizes, **settings):
    encoder = TcnEncoder(*sizes, **settings).double()
    initialise(encoder, {}, torch.Generator().manual_seed(0))
    return encoder


@pytest.mark.parametrize(
    ("levels", "kernel", "dilation", "expected"),
    [(4, 3, 2, 61), (6, 3, 2, 253), (7, 3, 2, 509), (1, 3, 2, 5), (3, 2, 3, 27), (3, 4, 1, 19)],
)
def test_the_receptive_field_is_that_of_the_formula(levels, kernel, dilation, expected):
    assert TcnEncoder(2, 8, [4] * levels, kernel, dilation=dilation).receptive_field == expected


@pytest.mark.parametrize(("levels", "norm"), [(4, "weight"), (4, "layer"), (6, "none")])
def test_the_last_row_sees_exactly_its_receptive_field(levels, norm):
    field = TcnEncoder(2, 8, [4] * levels).receptive_field
    encoder = drawn(2, field + 3, [4] * levels, norm=norm, activation="gelu")
    windows = torch.randn(1, field + 3, 2, dtype=torch.float64, requires_grad=True)
    encoder(windows).square().sum().backward()
    assert windows.grad is not None
    reached = (windows.grad[0] != 0).any(1)
    assert reached.nonzero()[0].item() == 3
    assert reached[3:].all()


@pytest.mark.parametrize("offset", [0, 1])
def test_the_bar_at_the_edge_of_the_field_matters_and_the_one_before_does_not(offset):
    encoder = drawn(2, 70, activation="gelu")
    windows = torch.randn(1, 70, 2, dtype=torch.float64)
    changed = windows.clone()
    changed[0, 69 - (encoder.receptive_field - 1) - offset] += 10.0
    assert torch.equal(encoder(windows), encoder(changed)) == bool(offset)


@pytest.mark.parametrize("norm", ["layer", "weight", "none"])
def test_what_is_seen_at_a_row_depends_on_no_later_row(norm):
    encoder = drawn(3, 20, [5, 6], norm=norm)
    windows = torch.randn(2, 20, 3, dtype=torch.float64)
    changed = windows.clone()
    changed[:, 12:] = torch.randn(2, 8, 3, dtype=torch.float64)
    before, after = encoder.sequence(windows), encoder.sequence(changed)
    assert before.shape == (2, 20, 6)
    assert torch.equal(before[:, :12], after[:, :12])
    assert not torch.isclose(before[:, 12:], after[:, 12:]).any(2).all()


def test_a_single_bar_reaches_the_filters_of_its_own_column_at_its_own_row():
    encoder = TcnEncoder(3, 6, [1], kernel=2, norm="none")
    block = encoder.blocks[0]
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.zero_()
        # The first convolution passes on column 1 of a row, and ten times column 1 of the row before; the second all of it.
        block.first.filters.weight[0, 1] = torch.tensor([10.0, 1.0])
        block.second.filters.weight[0, 0, 1] = 1.0
    windows = torch.zeros(2, 6, 3)
    windows[0, 3, 1] = windows[1, 3, 2] = 1.0
    seen = encoder.sequence(windows)[..., 0]
    assert seen.tolist() == [[0, 0, 0, 1, 10, 0], [0] * 6]


def test_flattening_puts_whole_rows_side_by_side_and_last_takes_the_newest():
    flat, last = drawn(3, 5, [4], pool="flatten"), drawn(3, 5, [4])
    windows = torch.randn(2, 5, 3, dtype=torch.float64)
    seen = flat.sequence(windows)
    assert (flat.width, last.width) == (20, 4)
    assert torch.equal(flat(windows)[:, 8:12], seen[:, 2])
    torch.testing.assert_close(last(windows), seen[:, -1])


def test_the_networks_of_the_two_designs_have_their_sizes():
    policy = build_tcn(LONG_SHORT, NetworkShape(32, 60, 2, 4))
    assert (policy.width, policy.receptive_field) == (64 * 60, 61)
    # Two convolutions of 3 rows a level, length, direction and bias of each filter, and a skip from 32 to 64 channels.
    assert count(policy) == 3 * 64 * (32 + 7 * 64) + 8 * 2 * 64 + 64 * 33
    encoder = build_tcn(TWO_STAGE, NetworkShape(20, 256, 3, 15))
    assert (encoder.width, encoder.receptive_field, encoder.channels) == (256, 253, 256)
    assert (
        build_tcn(TWO_STAGE.model_copy(update={"channels": (64, 128, 256, 256)}), NetworkShape(20, 256, 3, 15)).receptive_field
        == 61
    )


@pytest.mark.parametrize(("norm", "more"), [("none", 0), ("weight", 2), ("layer", 4), ("batch", 4)])
def test_a_level_has_the_parameters_of_the_docstring(norm, more):
    first, second = 3 * 5 * 7 + 3 * 7 * 7 + 2 * 7 + (5 * 7 + 7), 2 * 3 * 7 * 7 + 2 * 7
    assert count(TcnEncoder(5, 8, [7, 7], norm=norm)) == first + second + 2 * more * 7


def test_layer_normalisation_sees_one_row_of_one_sample():
    norm, sequences = StepNorm(6), torch.randn(3, 6, 4)
    alone = torch.cat([norm(sequences[:, :, [row]]) for row in range(4)], 2)
    torch.testing.assert_close(norm(sequences), alone)
    assert float(norm(sequences).mean(1).abs().max().detach()) < 1e-6


def test_normalised_weights_begin_orthogonal_and_both_their_parts_are_learned():
    encoder = drawn(8, 5, [4], norm="weight")
    filters = encoder.blocks[0].first.filters
    rows = filters.weight.detach().flatten(1)
    torch.testing.assert_close(rows @ rows.T, 2 * torch.eye(4, dtype=torch.float64))
    encoder(torch.randn(2, 5, 8, dtype=torch.float64)).sum().backward()
    assert all(parameter.grad is not None for parameter in filters.parameters())
    assert len(list(filters.parameters())) == 3


def test_batch_normalisation_is_there_for_supervised_training():
    encoder = build_encoder("tcn", TcnParams(norm="batch"), NetworkShape(2, 8, 0, 3))
    assert sum(isinstance(module, nn.BatchNorm1d) for module in encoder.modules()) == 8


def test_no_level_is_refused():
    with pytest.raises(ConfigError, match="channels is empty"):
        TcnEncoder(2, 8, [])
