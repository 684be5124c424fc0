"""Look at Alpaca through alpaca-py: read the account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seawall.core.credentials import base_url, switch, without_secrets
from seawall.core.errors import SeawallError
from seawall.market.sources.alpaca_client import KEYS, alpaca_errors, restrain


def look(environment: Mapping[str, str], keys: tuple[str, ...], timeout_seconds: float) -> str:
    """Read the account, on paper unless ``ALPACA_PAPER`` is false, and say which it is.

    Args:
        environment: Holds ``ALPACA_PAPER`` and, if any, ``SEAWALL_ALPACA_URL``.
        keys: The key's id and the secret.
        timeout_seconds: How long one request may take.

    Returns:
        What was found, in a few words; no amounts.

    Raises:
        ImportError: alpaca-py is not installed.
        ConfigError: A setting or a key is wrong, or the venue refused for another reason.
        TransientError: The venue could not be reached, or did not answer in time.
        SeawallError: The venue answered something that is no account.
    """
    from alpaca.trading.client import TradingClient

    paper = switch(environment, "ALPACA_PAPER", default=True)
    kind = "paper" if paper else "real-money"
    client = TradingClient(*keys, paper=paper, url_override=base_url(environment, "SEAWALL_ALPACA_URL"))
    restrain(client, timeout_seconds)
    try:
        with alpaca_errors(keys, timeout_seconds, f"{KEYS[0]} and {KEYS[1]} of a {kind} account, and ALPACA_PAPER"):
            account: Any = client.get_account()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SeawallError(f"alpaca answered something that is no account ({type(error).__name__})") from None
    status = getattr(account.status, "value", account.status)
    return f"{kind} account read, status {without_secrets(status, keys)}"
