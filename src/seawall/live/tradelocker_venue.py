"""Look at TradeLocker over its REST interface: log in and list the accounts.

The public Python client is not used: it sends an order again when a reply is lost, and logs the password.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seawall.core.errors import ConfigError, SeawallError, TransientError
from seawall.live.credentials import base_url, without_secrets

KEYS = ("TRADELOCKER_USERNAME", "TRADELOCKER_PASSWORD", "TRADELOCKER_SERVER")
_SERVERS = {"demo": "https://demo.tradelocker.com", "live": "https://live.tradelocker.com"}


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
        ConfigError: A setting or a key is wrong.
        TransientError: The venue could not be reached, or did not answer in time.
        SeawallError: The venue refused for another reason.
    """
    import httpx

    choice = environment.get("TRADELOCKER_ENVIRONMENT", "").strip() or "demo"
    server = _SERVERS.get(choice.lower()) or base_url(environment, "TRADELOCKER_ENVIRONMENT")
    login = dict(zip(("email", "password", "server"), keys, strict=True))
    try:
        with httpx.Client(base_url=f"{server}/backend-api", timeout=timeout_seconds) as client:
            token = _answer(client.post("/auth/jwt/token", json=login), keys)["accessToken"]
            bearer = {"Authorization": f"Bearer {token}"}
            accounts = _answer(client.get("/auth/jwt/all-accounts", headers=bearer), (*keys, token))["accounts"]
    except httpx.TimeoutException:
        raise TransientError(
            f"tradelocker did not answer within {timeout_seconds:g} s: check the network, then try again"
        ) from None
    except httpx.HTTPError as error:
        raise TransientError(
            f"tradelocker could not be reached ({type(error).__name__}): check the network, then try again"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise SeawallError(f"tradelocker answered something else than its documented reply ({type(error).__name__})") from None
    where = f"the {choice.lower()} server" if choice.lower() in _SERVERS else "the given server"
    return f"logged in to {where}, {len(accounts)} account{'' if len(accounts) == 1 else 's'}"


def _answer(response: Any, secrets: tuple[str, ...]) -> Any:
    status = response.status_code
    if status in (400, 401, 403):
        raise ConfigError(f"tradelocker refused the login (HTTP {status}): check {', '.join(KEYS)} and TRADELOCKER_ENVIRONMENT")
    if status == 429 or status >= 500:
        raise TransientError(f"tradelocker cannot answer now (HTTP {status}): try again in a few minutes")
    if status >= 300:
        raise SeawallError(f"tradelocker refused (HTTP {status}: {without_secrets(response.text, secrets)})")
    return response.json()
