"""Look at Alpaca through alpaca-py: read the account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seawall.core.errors import ConfigError, SeawallError, TransientError
from seawall.live.credentials import base_url, switch, without_secrets

KEYS = ("ALPACA_API_KEY_ID", "ALPACA_API_SECRET_KEY")


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
        ConfigError: A setting or a key is wrong.
        TransientError: The venue could not be reached, or did not answer in time.
        SeawallError: The venue refused for another reason.
    """
    import requests
    from alpaca.common.exceptions import APIError
    from alpaca.trading.client import TradingClient

    paper = switch(environment, "ALPACA_PAPER", default=True)
    client = TradingClient(*keys, paper=paper, url_override=base_url(environment, "SEAWALL_ALPACA_URL"))
    _limit_time(client, timeout_seconds)
    try:
        account: Any = client.get_account()
    except APIError as error:
        raise _translated(error, keys, paper) from None
    except requests.Timeout:
        raise TransientError(f"alpaca did not answer within {timeout_seconds:g} s: check the network, then try again") from None
    except requests.RequestException as error:
        raise TransientError(f"alpaca could not be reached ({type(error).__name__}): check the network, then try again") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SeawallError(f"alpaca answered something that is no account ({type(error).__name__})") from None
    status = getattr(account.status, "value", account.status)
    return f"{'paper' if paper else 'real-money'} account read, status {without_secrets(status, keys)}"


def _limit_time(client: Any, timeout_seconds: float) -> None:
    """Give every request a time limit; alpaca-py itself waits for ever."""
    send = client._session.send

    def send_with_limit(request: Any, **options: Any) -> Any:
        return send(request, **{**options, "timeout": timeout_seconds})

    client._session.send = send_with_limit


def _translated(error: Any, keys: tuple[str, ...], paper: bool) -> SeawallError:
    status = error.status_code
    if status in (401, 403):
        kind = "paper" if paper else "real-money"
        return ConfigError(
            f"alpaca refused the keys of a {kind} account (HTTP {status}): check {KEYS[0]} and {KEYS[1]}, and ALPACA_PAPER"
        )
    if status == 429 or (status or 0) >= 500:
        return TransientError(f"alpaca cannot answer now (HTTP {status}): try again in a few minutes")
    return SeawallError(f"alpaca refused (HTTP {status}: {without_secrets(_message(error), keys)})")


def _message(error: Any) -> str:
    try:
        return str(error.message)
    except (ValueError, KeyError, TypeError):
        return "no reason given"
