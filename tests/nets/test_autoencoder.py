import pytest
import torch
from torch import nn

from seawall.core.errors import ConfigError
from seawall.nets.autoencoder import Autoencoder, AutoencoderParams, build_autoencoder, by_group
from seawall.nets.registry import NetworkShape
from seawall.nets.weights import initialise

FULL, LATENT = 134_980, 2_148


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_full_dense_autoencoder_has_883_809_292_parameters_and_none_is_allocated():
    with torch.device("meta"):
        full = Autoencoder(FULL, LATENT)
    assert full.encoder.hidden.out_features == 3_222
    assert (count(full.encoder), count(full.decoder)) == (441_838_230, 441_971_062)
    assert count(full) == 883_809_292
    assert all(parameter.is_meta for parameter in full.parameters())


def test_shared_by_its_ten_assets_it_is_39_times_smaller():
    with torch.device("meta"):
        shared = Autoencoder(FULL, LATENT, groups=10)
    assert (count(shared.encoder), count(shared.decoder)) == (11_301_011, 11_315_268)
    assert count(shared) * 39 < 883_809_292


@pytest.mark.parametrize("groups", [1, 4])
def test_shapes_go_down_and_come_back_and_the_latent_row_is_never_negative(groups):
    autoencoder, numbers = Autoencoder(24, 6, groups=groups), torch.randn(5, 24)
    latent = autoencoder.encode(numbers)
    assert latent.shape == (5, 6)
    assert float(latent.min().detach()) >= 0.0
    assert autoencoder.decode(latent).shape == (5, 24)
    assert float(autoencoder.reconstruct(numbers).min().detach()) < 0.0


def test_a_shared_layer_reads_each_group_alone_and_all_alike():
    autoencoder = Autoencoder(12, 4, 6, groups=3, norm="none", share_dropped=0.0)
    numbers = torch.randn(2, 12)
    half = autoencoder.encoder
    units = torch.cat([torch.relu(half.hidden(part)) for part in numbers.split(4, 1)], 1)
    torch.testing.assert_close(autoencoder.encode(numbers), torch.relu(half.latent(units)))
    back, latent = autoencoder.decoder, torch.rand(2, 4)
    parts = [back.output(part) for part in torch.relu(back.hidden(latent)).split(2, 1)]
    torch.testing.assert_close(autoencoder.decode(latent), torch.cat(parts, 1))


def test_a_window_is_read_asset_after_asset():
    windows = torch.arange(12.0).view(1, 3, 4)  # three rows of two assets with two columns each
    assert by_group(windows, 2).tolist() == [[0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11]]
    assert torch.equal(by_group(windows, 1), windows.flatten(1))


@pytest.mark.parametrize("groups", [1, 4])
def test_trained_to_reconstruct_it_finds_the_plane_that_its_inputs_lie_in(groups):
    source = torch.Generator().manual_seed(0)
    numbers = torch.randn(512, 3, generator=source) @ torch.randn(3, 24, generator=source)
    numbers = numbers / numbers.std()
    autoencoder = Autoencoder(24, 12, 48, groups=groups, norm="none", share_dropped=0.0)
    initialise(autoencoder, {}, torch.Generator().manual_seed(1))
    optimiser = torch.optim.Adam(autoencoder.parameters(), lr=3e-3)
    for _ in range(400):
        optimiser.zero_grad()
        loss = nn.functional.mse_loss(autoencoder(numbers), numbers)
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.01


def test_the_window_encoder_is_the_encoding_half():
    params = AutoencoderParams(latent=8, reducer="shared", groups=2)
    encoder = build_autoencoder(params, NetworkShape(4, 3, 0, 3))
    windows = torch.randn(5, 3, 4)
    assert encoder.width == 8
    torch.testing.assert_close(encoder(windows), encoder.compressor(by_group(windows, 2)))


@pytest.mark.parametrize(("reducer", "groups"), [("dense", 2), ("shared", 1)])
def test_groups_that_the_reducer_does_not_take_are_refused(reducer, groups):
    with pytest.raises(ValueError, match=f"reducer is {reducer} and groups is {groups}"):
        AutoencoderParams(reducer=reducer, groups=groups)


def test_groups_that_do_not_divide_what_is_read_are_refused():
    with pytest.raises(ConfigError, match="groups is 5 and there are 24 inputs"):
        Autoencoder(24, 6, groups=5)
    with pytest.raises(ConfigError, match="groups is 3 and there are 4 features"):
        build_autoencoder(AutoencoderParams(reducer="shared", groups=3), NetworkShape(4, 3, 0, 3))
