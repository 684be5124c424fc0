import pytest
import torch
from torch import nn

from seawall.core.errors import ConfigError
from seawall.nets.dropout import Dropout
from seawall.nets.registry import NetworkShape, build_network
from seawall.nets.transformer import TransformerBlock, TransformerEncoder, TransformerParams, TransformerStack, build_transformer
from seawall.nets.weights import initialise

SMALL = TransformerParams(token_width=8, heads=2, layers=2, feed_forward=16)
SHAPE = NetworkShape(n_features=3, window=6, n_account=1, n_actions=3)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_stack_of_the_design_has_the_parameters_of_the_formula():
    width, hidden = 192, 768
    with torch.device("meta"):
        encoder = build_transformer(TransformerParams(), NetworkShape(20, 12, 0, 3))
    block = 4 * width**2 + 2 * width * hidden + 9 * width + hidden
    assert (len(encoder.stack.blocks), encoder.stack.blocks[0].self_attn.num_heads) == (8, 12)
    assert count(encoder.stack.blocks) == 8 * block == 3_558_912
    assert count(encoder) == 8 * block + 2 * width + (20 + 1) * width + 12 * width


def test_the_encoding_is_the_mean_and_the_largest_of_each_number():
    encoder, windows = TransformerEncoder(3, 6, 8, 2, 1, 16), torch.randn(2, 6, 3)
    seen = encoder.stack(encoder.positions(encoder.projection(windows)))
    assert encoder.width == 16
    torch.testing.assert_close(encoder(windows), torch.cat((seen.mean(1), seen.max(1).values), 1))


def test_every_row_matters_and_so_does_its_place():
    encoder = TransformerEncoder(3, 6, 8, 2, 1, 16)
    initialise(encoder, {}, torch.Generator().manual_seed(0))
    windows = torch.randn(1, 6, 3, requires_grad=True)
    encoder(windows).square().sum().backward()
    assert windows.grad is not None
    assert (windows.grad[0] != 0).any(1).all()
    swapped = windows.detach()[:, [1, 0, 2, 3, 4, 5]]
    assert not torch.allclose(encoder(windows), encoder(swapped), atol=1e-4)
    with torch.no_grad():
        encoder.positions.places.zero_()
    torch.testing.assert_close(encoder(windows), encoder(swapped))


@pytest.mark.parametrize("norm_first", [True, False])
def test_a_block_normalises_before_its_parts_or_after(norm_first):
    block = TransformerBlock(8, 2, 16, norm_first=norm_first)
    initialise(block, {}, torch.Generator().manual_seed(0))
    tokens = 5.0 * torch.randn(2, 4, 8)
    attend = lambda x: block.self_attn(x, x, x, need_weights=False)[0]
    think = lambda x: block.linear2(nn.functional.gelu(block.linear1(x)))
    if norm_first:
        middle = tokens + attend(block.norm1(tokens))
        expected = middle + think(block.norm2(middle))
    else:
        middle = block.norm1(tokens + attend(tokens))
        expected = block.norm2(middle + think(middle))
    torch.testing.assert_close(block(tokens), expected)


def test_what_is_added_begins_small_enough_for_the_number_of_blocks():
    stack = TransformerStack(16, 4, 32, 8)
    initialise(stack, {}, torch.Generator().manual_seed(0))
    for block in stack.blocks:
        for weight in (block.self_attn.out_proj.weight.detach(), block.linear2.weight.detach()):
            torch.testing.assert_close(weight @ weight.T, torch.eye(16) / 16, atol=1e-6, rtol=0)


def test_all_weights_follow_from_the_seed():
    torch.manual_seed(1)
    first = build_network("transformer", SMALL, SHAPE, 5).state_dict()
    torch.manual_seed(2)
    again = build_network("transformer", SMALL, SHAPE, 5).state_dict()
    other = build_network("transformer", SMALL, SHAPE, 6).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    attention = "actor_encoder.stack.blocks.0.self_attn.in_proj_weight"
    assert not torch.equal(first[attention], other[attention])


def test_dropout_is_ours_alone_and_attention_itself_drops_nothing():
    block = TransformerBlock(8, 2, 16, share_dropped=0.5)
    assert [type(part) for part in (block.dropout, block.dropout1, block.dropout2)] == [Dropout] * 3
    assert block.self_attn.dropout == 0.0
    tokens = torch.randn(2, 4, 8)
    assert not torch.equal(block(tokens), block(tokens))
    with torch.no_grad():
        assert torch.equal(block(tokens), block(tokens))


def test_heads_that_do_not_divide_a_token_are_refused_with_those_that_do():
    message = "heads is 5, which does not divide tokens of width 12; allowed: 1, 2, 3, 4, 6, 12"
    with pytest.raises(ValueError, match=message):
        TransformerParams(token_width=12, heads=5)
    with pytest.raises(ConfigError, match=message):
        TransformerStack(12, 5, 16, 1)
