"""Each venue, started on this machine for one test, and an environment that points at it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from fakes.alpaca import FakeAlpaca
from fakes.binance import FakeBinance
from fakes.server import FakeVenue
from fakes.tradelocker import FakeTradeLocker
from seawall.live.venues import VENUES


@dataclass
class Setting:
    """A running venue and what a user would have in the environment for it."""

    name: str
    shown_as: str
    venue: FakeVenue
    environment: dict[str, str]
    secret_name: str
    module: str

    @property
    def secrets(self) -> tuple[str, ...]:
        return tuple(value for name, value in self.environment.items() if "URL" not in name and "ENVIRONMENT" not in name)


def start(name: str) -> Setting:
    if name == "ccxt":
        binance = FakeBinance()
        keys = {"BINANCE_API_KEY": binance.key, "BINANCE_API_SECRET": binance.secret, "SEAWALL_BINANCE_URL": binance.url}
        return Setting(name, "binance", binance, keys, "BINANCE_API_SECRET", "ccxt")
    if name == "alpaca":
        alpaca = FakeAlpaca()
        keys = {"ALPACA_API_KEY_ID": alpaca.key, "ALPACA_API_SECRET_KEY": alpaca.secret, "SEAWALL_ALPACA_URL": alpaca.url}
        return Setting(name, name, alpaca, keys, "ALPACA_API_SECRET_KEY", "alpaca.trading.client")
    locker = FakeTradeLocker()
    keys = {
        "TRADELOCKER_USERNAME": locker.username,
        "TRADELOCKER_PASSWORD": locker.password,
        "TRADELOCKER_SERVER": locker.server,
        "TRADELOCKER_ENVIRONMENT": locker.url,
    }
    return Setting(name, name, locker, keys, "TRADELOCKER_PASSWORD", "httpx")


@pytest.fixture(params=VENUES)
def setting(request: pytest.FixtureRequest) -> Iterator[Setting]:
    setting = start(request.param)
    with setting.venue:
        yield setting
