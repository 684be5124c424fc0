import copy

import pytest
import torch
from torch import nn

from seawall.nets.dropout import Dropout, dropout
from seawall.nets.weights import initialise


def seeded(share=0.25, seed=0):
    module = Dropout(share)
    module.draw(torch.Generator().manual_seed(seed))
    return module


def test_a_share_is_dropped_and_the_mean_stays():
    numbers = seeded()(torch.ones(100_000))
    dropped = float((numbers == 0).double().mean())
    # Four deviations of a share of 100,000 draws: 4 √(0.25 · 0.75 / 100,000) = 0.0055.
    assert dropped == pytest.approx(0.25, abs=0.0055)
    assert numbers.unique().tolist() == pytest.approx([0.0, 1 / 0.75])


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_what_asks_for_no_gradient_sees_the_whole_network_in_training_mode_too(mode):
    module, numbers = seeded(), torch.randn(50)
    with mode():
        assert torch.equal(module(numbers), numbers)


def test_evaluation_mode_drops_nothing():
    numbers = torch.randn(50)
    assert torch.equal(seeded().eval()(numbers), numbers)


def test_masks_differ_from_step_to_step_and_follow_from_the_seed():
    first, again, other = seeded(), seeded(), seeded(seed=1)
    numbers = torch.ones(200)
    masks = [first(numbers) for _ in range(2)]
    assert not torch.equal(*masks)
    torch.manual_seed(99)
    assert all(torch.equal(again(numbers), mask) for mask in masks)
    assert not torch.equal(other(numbers), masks[0])


def test_the_global_generator_is_neither_read_nor_moved():
    module = seeded()
    before = torch.get_rng_state()
    module(torch.ones(200))
    assert torch.equal(torch.get_rng_state(), before)


def test_where_the_masks_stand_is_saved_with_the_weights():
    going, numbers = nn.Sequential(nn.Linear(8, 8), Dropout(0.5)), torch.randn(4, 8)
    going(numbers)
    saved = {name: tensor.clone() for name, tensor in going.state_dict().items()}
    expected = going(numbers)
    resumed = nn.Sequential(nn.Linear(8, 8), Dropout(0.5))
    resumed.load_state_dict(saved)
    assert torch.equal(resumed(numbers), expected)


def test_a_copy_goes_its_own_way_from_where_it_was_taken():
    module, numbers = seeded(), torch.ones(100)
    twin = copy.deepcopy(module)
    assert torch.equal(module(numbers), twin(numbers))


def test_two_modules_of_one_network_draw_different_masks_and_the_same_again_from_the_same_generator():
    def masks():
        network = nn.ModuleList([Dropout(0.5), Dropout(0.5)])
        initialise(network, {}, torch.Generator().manual_seed(3))
        return [module(torch.ones(100)) for module in network]

    first, second = masks()
    assert not torch.equal(first, second)
    assert all(torch.equal(left, right) for left, right in zip(masks(), (first, second), strict=True))


def test_no_share_leaves_nothing_to_save():
    assert not dropout(0.0).state_dict()
    assert list(dropout(0.5).state_dict()) == ["_extra_state"]
