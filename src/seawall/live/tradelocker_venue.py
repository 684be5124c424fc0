"""Look at TradeLocker: log in and list the accounts."""

from __future__ import annotations

from collections.abc import Mapping

from seawall.market.sources.tradelocker_client import KEYS, TradeLockerClient

__all__ = ["KEYS", "look"]


def look(environment: Mapping[str, str], keys: tuple[str, ...], timeout_seconds: float) -> str:
    """Log in and count the accounts.

    Args:
        environment: Holds ``TRADELOCKER_ENVIRONMENT``: demo, live, or a server's address.
        keys: User name, password and server name.
        timeout_seconds: How long one request may take.

    Returns:
        What was found, in a few words; no amounts.

    Raises:
        ImportError: httpx is not installed.
        ConfigError: A setting or a key is wrong, or the venue refused for another reason.
        TransientError: The venue could not be reached, did not answer in time, or answered nonsense.
    """
    with TradeLockerClient(environment, keys, timeout_seconds) as client:
        count = len(client.accounts())
        return f"logged in to {client.where}, {count} account{'' if count == 1 else 's'}"
