import numpy as np
import pytest

from seawall.core.errors import ConfigError, DataError
from seawall.core.market import Market, RowRange
from seawall.core.timeframe import Timeframe


def _market(rows=10, **changes):
    blocks = {
        "symbols": ("BTCUSDT",),
        "starts": (0, rows),
        "timeframe": Timeframe(3_600),
        "timestamps": np.arange(rows) * 3_600_000,
        "prices": np.random.default_rng(0).random((rows, 5)),
        "features": np.random.default_rng(1).random((rows, 2)).astype(np.float32),
        "feature_names": ("rsi", "adx"),
        "ready": (3,),
    }
    return Market(**{**blocks, **changes})


def test_a_saved_market_is_the_same_when_mapped(tmp_path):
    market = _market()
    market.save(tmp_path / "market")
    loaded = Market.load(tmp_path / "market")
    assert loaded.content_hash() == market.content_hash()
    assert isinstance(loaded.features, np.memmap)
    assert loaded.timeframe == market.timeframe
    with pytest.raises(ValueError, match="read-only"):
        loaded.prices[0, 0] = 1.0


@pytest.mark.parametrize(
    "changes",
    [
        {"symbols": ("ETHUSDT",)},
        {"feature_names": ("rsi", "cci")},
        {"timeframe": Timeframe(60)},
        {"ready": (4,)},
        {"timestamps": np.arange(10) * 60_000},
    ],
)
def test_every_part_of_a_market_counts_in_its_hash(changes):
    assert _market(**changes).content_hash() != _market().content_hash()


def test_blocks_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match=r"'features' has shape \(9, 2\); \(10, 2\)"):
        _market(features=np.zeros((9, 2), np.float32))
    with pytest.raises(DataError, match="do not fit together"):
        _market(starts=(0, 9))


def test_half_a_market_is_refused(tmp_path):
    _market().save(tmp_path / "market")
    (tmp_path / "market" / "prices.npy").write_bytes(b"")
    with pytest.raises(DataError, match="cannot be read"):
        Market.load(tmp_path / "market")


@pytest.mark.parametrize(("start", "stop"), [(3, 3), (4, 3), (-1, 3)])
def test_an_empty_row_range_is_refused(start, stop):
    with pytest.raises(ConfigError, match="is empty"):
        RowRange(start, stop)
