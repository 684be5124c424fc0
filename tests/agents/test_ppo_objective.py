from functools import partial

import numpy as np
import pytest
import torch

from seawall.agents.distributions import Numbered
from seawall.agents.losses import clipped_surrogate, clipped_value_loss, value_loss
from seawall.agents.ppo.batches import Batch
from seawall.agents.ppo.objective import Weights, objective

SHAPES = [(64,), (16, 4)]


def drawn(shape, seed=0):
    """Preferences, values and a batch in which many ratios and values have left their ranges."""
    source = torch.Generator().manual_seed(seed)

    def normal(*extra):
        return torch.randn(*shape, *extra, generator=source)

    actions, old = torch.randint(3, shape, generator=source), torch.log_softmax(normal(3), -1)
    logs = old.gather(-1, actions[..., None])[..., 0]
    blocks = {"rows": actions.int(), "account": normal(1), "starts": actions > 3, "memory": torch.zeros(shape[-1], 0)}
    batch = Batch(**blocks, actions=actions, log_probabilities=logs, advantages=normal(), returns=normal(), values=normal())
    return normal(3).requires_grad_(), normal().requires_grad_(), batch


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("value_clip", [None, 0.3])
def test_the_compiled_loss_and_its_gradient_are_those_of_the_parts_in_double_precision(shape, value_clip):
    preferences, values, batch = drawn(shape)
    loss, parts, log_ratio = objective(preferences, values, batch, Numbered(3), Weights(0.2, 0.03, 0.5, value_clip))
    loss.backward()

    wide, wide_values = (block.detach().double().requires_grad_() for block in (preferences, values))
    logs, entropies = Numbered(3).evaluate(wide, batch.actions)
    ratios = logs - batch.log_probabilities
    surrogate = clipped_surrogate(ratios, batch.advantages, 0.2)
    if value_clip is None:
        squares = value_loss(wide_values, batch.returns)
    else:
        squares = clipped_value_loss(wide_values, batch.values.double(), batch.returns.double(), value_clip)
    expected = surrogate + 0.5 * squares - 0.03 * entropies.mean()
    expected.backward()

    # Single precision: seven digits of numbers near 1.
    close = partial(np.testing.assert_allclose, rtol=2e-6, atol=2e-7)
    close(loss.item(), expected.item())
    close(parts, [part.item() for part in (surrogate, squares, entropies.mean())])
    close(log_ratio, ratios.detach().flatten())
    for own, other in ((preferences, wide), (values, wide_values)):
        assert own.grad is not None
        assert other.grad is not None
        close(own.grad, other.grad)
    assert (ratios.exp() - 1).abs().gt(0.2).float().mean() > 0.3


def test_a_ratio_that_left_its_range_for_the_better_pulls_no_more():
    preferences, values, batch = drawn((1,))
    gained = Batch(**(vars(batch) | {"advantages": torch.ones(1), "log_probabilities": torch.full((1,), -9.0)}))
    objective(preferences, values, gained, Numbered(3), Weights(0.2, 0.0, 0.5, None))[0].backward()
    assert preferences.grad is not None
    assert preferences.grad.tolist() == [[0.0, 0.0, 0.0]]


@pytest.mark.parametrize("name", ["advantages", "returns", "log_probabilities"])
def test_what_is_no_number_makes_no_finite_loss(name):
    preferences, values, batch = drawn((8,))
    getattr(batch, name)[3] = float("nan")
    loss, parts, _ = objective(preferences, values, batch, Numbered(3), Weights(0.2, 0.01, 0.5, 0.3))
    assert loss.isnan()
    assert parts.isnan().any()


def test_a_preference_that_is_no_number_makes_no_finite_loss():
    preferences, values, batch = drawn((8,))
    with torch.no_grad():
        preferences[2, 1] = float("nan")
    assert objective(preferences, values, batch, Numbered(3), Weights(0.2, 0.01, 0.5, None))[0].isnan()


def test_a_value_that_is_no_number_makes_no_finite_loss():
    preferences, values, batch = drawn((8,))
    with torch.no_grad():
        values[2] = float("nan")
    assert objective(preferences, values, batch, Numbered(3), Weights(0.2, 0.01, 0.5, 0.3))[0].isnan()
