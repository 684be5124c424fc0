import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from seawall.core.seeding import generator
from seawall.nets.pretraining import (
    CandleHeadParams,
    FrozenEncoder,
    HeadParams,
    HeadsParams,
    LevelHeadParams,
    PretrainingBatch,
    PretrainingNetwork,
    QuantileHead,
    QuantileHeadParams,
    RegimeHeadParams,
    TargetSizes,
)
from seawall.nets.pretraining_losses import (
    heatmap_cross_entropy,
    masked_square_error,
    pinball_losses,
    smoothed_cross_entropy,
)
from seawall.nets.pretraining_masks import span_masks
from seawall.nets.tcn import TcnEncoder
from seawall.nets.weights import initialise

SIZES = TargetSizes(candle=4, regimes=4, cells=16, horizons=2)


def encoder():
    return TcnEncoder(3, 12, (8, 8), embedding=10)


def network(params=None):
    return PretrainingNetwork(encoder(), params or HeadsParams(), SIZES, (12, 3), torch.Generator().manual_seed(1))


def batch(size=5):
    random = torch.Generator().manual_seed(2)
    masks = torch.zeros(size, 12, dtype=torch.bool)
    masks[:, 4:7] = True
    return PretrainingBatch(
        torch.randn(size, 12, 3, generator=random),
        masks,
        torch.randn(size, 12, 4, generator=random),
        torch.randint(4, (size,), generator=random),
        torch.rand(size, 16, generator=random),
        torch.randn(size, 2, generator=random),
    )


@pytest.mark.parametrize(("ratio", "mean_span"), [(0.15, 3.0), (0.4, 5.0), (0.15, 1.0)])
def test_masks_hide_a_ratio_of_bars_in_runs_of_a_mean_length(ratio, mean_span):
    masks = span_masks(generator(3, "masks"), 400, 2_000, ratio, mean_span)
    assert masks.shape == (400, 2_000)
    # 800,000 bars in some 40,000 runs: deviations of about 0.001 of the share, and 0.5 % of the mean length.
    assert masks.mean() == pytest.approx(ratio, abs=0.003)
    assert masks[:, 0].mean() == pytest.approx(ratio, abs=0.1)  # 400 windows: a deviation of 0.018
    begins = masks[:, 1:] & ~masks[:, :-1]
    assert masks[:, 1:].sum() / begins.sum() == pytest.approx(mean_span, rel=0.02)  # sampling, and the ends


def test_the_pinball_loss_by_hand():
    levels = torch.tensor([0.1, 0.5, 0.9])
    found = pinball_losses(torch.tensor([[-1.0, 0.0, 2.0]]), torch.tensor([1.0]), levels)
    # 1 − (−1) = 2 above the 0.1-quantile costs 0.1 · 2; 1 above the median 0.5; 1 below the 0.9-quantile (0.9 − 1) · (−1).
    assert found[0].tolist() == pytest.approx([0.2, 0.5, 0.1], rel=1e-6)


def test_the_pinball_loss_of_an_exponential_is_least_at_its_quantile():
    # E ρ_q(X − a) for X ~ Exp(1) is q (1 − a) + e^(−a) + a − 1, least at a = −ln(1 − q).
    even = (torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000
    draws = -torch.log1p(-even)
    for level in (0.1, 0.5, 0.9):
        best = -np.log(1.0 - level)
        at = torch.tensor([0.7 * best, best, 1.3 * best], dtype=torch.float64)
        losses = pinball_losses(at.expand(len(draws), 3), draws, torch.tensor(level)).mean(0)
        wanted = [level * (1.0 - a) + np.exp(-a) + a - 1.0 for a in at.tolist()]
        # The sum over 200,000 even draws stands for the integral: its tail beyond 1 − 1 / 400,000 is about 1e-5.
        assert losses.tolist() == pytest.approx(wanted, abs=1e-4)
        assert losses[1] == losses.min()


def test_hidden_bars_alone_are_scored():
    forecasts, values = torch.zeros(1, 3, 2), torch.tensor([[[9.0, 9.0], [1.0, 3.0], [9.0, 9.0]]])
    masks = torch.tensor([[False, True, False]])
    assert masked_square_error(forecasts, values, masks) == 5.0
    assert masked_square_error(forecasts, values, torch.zeros_like(masks)) == 0.0


def test_smoothing_gives_the_wrong_classes_their_share_together():
    logits = torch.tensor([[2.0, 0.0, -1.0, 0.5]])
    logs = torch.log_softmax(logits, -1)[0]
    wanted = -(0.9 * logs[0] + 0.1 / 3 * (logs[1] + logs[2] + logs[3]))
    assert smoothed_cross_entropy(logits, torch.tensor([0]), 0.1) == pytest.approx(float(wanted), rel=1e-6)


def test_a_heatmap_passes_one_sigmoid():
    logits = torch.tensor([[-2.0, 0.0, 3.0]], requires_grad=True)
    wanted = torch.tensor([[0.0, 1.0, 0.5]])
    heatmap_cross_entropy(logits, wanted).backward()
    # The gradient of one sigmoid with its cross-entropy is sigmoid − target, here over 3 cells. A second sigmoid would give other.
    torch.testing.assert_close(logits.grad, (torch.sigmoid(logits.detach()) - wanted) / 3)


def test_the_level_head_can_say_empty_and_full():
    # After two sigmoids in a row every cell lies between 0.5 and 0.73.
    head = network().heads["levels"]
    assert not any(isinstance(part, nn.Sigmoid) for part in head)
    optimiser = torch.optim.Adam(head.parameters(), 0.01)
    wanted = torch.tensor([0.0, 1.0]).repeat(8)[None]
    for _ in range(200):
        loss = heatmap_cross_entropy(head(torch.ones(1, 10)), wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert torch.sigmoid(head(torch.ones(1, 10))).sub(wanted).abs().max() < 0.01


def test_quantiles_never_cross():
    head = QuantileHead(10, QuantileHeadParams(hidden=16), 3)
    for parameter in head.parameters():
        nn.init.normal_(parameter, std=3.0, generator=torch.Generator().manual_seed(4))
    found = head(torch.randn(500, 10, generator=torch.Generator().manual_seed(5)))
    assert found.shape == (500, 3, 9)
    assert (found.diff(dim=-1) >= 0).all()


@pytest.mark.parametrize("n_quantiles", [2, 9])
def test_quantiles_begin_near_those_of_a_normal_distribution(n_quantiles):
    head = QuantileHead(10, QuantileHeadParams(n_quantiles=n_quantiles), 2)
    head.draw(torch.Generator().manual_seed(1))
    found = head(torch.zeros(1, 10))[0]
    wanted = torch.distributions.Normal(0.0, 1.0).icdf(torch.tensor(head.levels))
    torch.testing.assert_close(found, wanted.expand(2, -1), rtol=1e-4, atol=1e-5)


def test_quantiles_begin_where_they_are_told_to():
    head = QuantileHead(10, QuantileHeadParams(n_quantiles=4), 2)
    head.draw(torch.Generator().manual_seed(1))
    wanted = torch.tensor([[-2.0, -0.5, 0.1, 3.0], [0.0, 0.001, 0.5, 40.0]])
    head.begin_at(wanted)
    torch.testing.assert_close(head(torch.zeros(1, 10))[0], wanted, rtol=1e-4, atol=1e-5)


def test_levels_of_quantiles_are_even():
    assert QuantileHeadParams().levels == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9], rel=1e-12)


def test_heads_have_their_shapes_and_the_losses_their_weights():
    made, taught = network(), batch()
    outputs = made(taught)
    shapes = {name: tuple(output.shape) for name, output in outputs.items()}
    assert shapes == {"candles": (5, 12, 4), "regimes": (5, 4), "levels": (5, 16), "quantiles": (5, 2, 9)}
    losses = made.losses(outputs, taught)
    total = losses["candles"] + 0.5 * losses["regimes"] + 0.8 * losses["levels"] + losses["quantiles"]
    torch.testing.assert_close(made.total(losses), total)


@pytest.mark.parametrize("name", ["candles", "regimes", "levels", "quantiles"])
def test_each_head_can_be_left_out(name):
    settings = {
        "candles": CandleHeadParams,
        "regimes": RegimeHeadParams,
        "levels": LevelHeadParams,
        "quantiles": QuantileHeadParams,
    }
    made = network(HeadsParams(**{name: settings[name](weight=0.0)}))
    assert set(made(batch())) == set(settings) - {name}
    assert not any(name in each for each in made.state_dict())
    alone = network(HeadsParams(**{other: kind(weight=0.0) for other, kind in settings.items() if other != name}))
    assert set(alone(batch())) == {name}
    losses = alone.losses(alone(batch()), batch())
    alone.total(losses).backward()
    # Every head teaches the whole encoder, its last layer included.
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in alone.encoder.parameters())


def test_without_any_head_there_is_nothing_to_learn():
    off = {"candles": CandleHeadParams, "regimes": RegimeHeadParams, "levels": LevelHeadParams, "quantiles": QuantileHeadParams}
    with pytest.raises(ValidationError, match="every head has weight 0; allowed: at least one above 0"):
        HeadsParams(**{name: kind(weight=0.0) for name, kind in off.items()})
    assert issubclass(RegimeHeadParams, HeadParams)


def test_what_is_hidden_is_not_seen():
    made, taught = network(), batch()
    changed = taught._replace(windows=torch.where(taught.masks[..., None], 7.0, taught.windows))
    torch.testing.assert_close(made(changed)["candles"], made(taught)["candles"], rtol=0, atol=0)
    assert not torch.equal(made(changed)["regimes"], made(taught)["regimes"])


def test_a_frozen_encoder_learns_nothing_whatever_its_owner_does():
    inner = TcnEncoder(3, 12, (8,), norm="batch")
    frozen = FrozenEncoder(inner)
    owner = nn.Sequential(frozen, nn.Linear(8, 1))
    before = {name: tensor.clone() for name, tensor in frozen.state_dict().items()}
    initialise(owner, {}, torch.Generator().manual_seed(9))
    owner.train()
    owner(batch().windows).sum().backward()
    assert frozen.width == 8
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in frozen.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in frozen.state_dict().items())
