"""Look at an exchange through ccxt: read the balance."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from seawall.core.credentials import base_url, switch, without_secrets
from seawall.core.errors import ConfigError, SeawallError, TransientError

_SPOT_ONLY: dict[str, dict[str, Any]] = {
    "binance": {"fetchMarkets": {"types": ["spot"]}, "fetchMargins": False},
}


def exchange_name(environment: Mapping[str, str]) -> str:
    """Return the exchange that ``SEAWALL_CCXT_EXCHANGE`` names, in ccxt's spelling; binance by default."""
    return environment.get("SEAWALL_CCXT_EXCHANGE", "").strip().lower() or "binance"


def key_names(exchange: str) -> tuple[str, str]:
    """Return the names of an exchange's key and secret in the environment, as in ``BINANCE_API_KEY``."""
    return f"{exchange.upper()}_API_KEY", f"{exchange.upper()}_API_SECRET"


def look(environment: Mapping[str, str], keys: tuple[str, ...], timeout_seconds: float) -> str:
    """Read the account's balance and say what kind of account answered.

    Args:
        environment: Holds the exchange's name and, if any, its passphrase, address and test network.
        keys: The key and the secret.
        timeout_seconds: How long one request may take.

    Returns:
        What was found, in a few words; no amounts.

    Raises:
        ImportError: ccxt is not installed.
        ConfigError: A setting or a key is wrong.
        TransientError: The exchange could not be reached, or did not answer in time.
        SeawallError: The exchange refused for another reason.
    """
    import ccxt

    name = exchange_name(environment)
    password = environment.get(f"{name.upper()}_API_PASSWORD", "").strip()
    secrets = (*keys, password)
    try:
        exchange = _exchange(ccxt, name, environment, (*keys, password), timeout_seconds)
        balance = exchange.fetch_balance()
    except ccxt.BaseError as error:
        raise _translated(ccxt, name, error, secrets, timeout_seconds) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SeawallError(f"{name} answered something that is no account ({type(error).__name__})") from None
    # ccxt reads an answer that it does not understand as an empty account.
    if not exchange.markets or not isinstance(balance.get("info"), (dict, list)):
        raise SeawallError(f"{name} answered something that is no account and no list of markets")
    held = sum(1 for amount in balance.get("total", {}).values() if amount)
    return f"account read, {held} asset{'' if held == 1 else 's'} held"


def _exchange(ccxt: Any, name: str, environment: Mapping[str, str], keys: tuple[str, ...], timeout_seconds: float) -> Any:
    if name not in ccxt.exchanges:
        raise ConfigError(
            f"SEAWALL_CCXT_EXCHANGE is {name!r}, which ccxt does not know; allowed: {len(ccxt.exchanges)} names such as binance"
        )
    key, secret, password = keys
    options = {"fetchCurrencies": False, **_SPOT_ONLY.get(name, {})}
    settings = {"apiKey": key, "secret": secret, "password": password, "timeout": int(timeout_seconds * 1000), "options": options}
    exchange = getattr(ccxt, name)(settings)
    if switch(environment, f"{name.upper()}_SANDBOX", default=False):
        exchange.set_sandbox_mode(True)
    override = base_url(environment, f"SEAWALL_{name.upper()}_URL")
    if override is not None:
        exchange.urls["api"] = _redirected(exchange.urls["api"], override)
    return exchange


def _redirected(urls: Any, override: str) -> Any:
    """Send every address, also those no call here uses, to the override; paths stay."""
    if isinstance(urls, dict):
        return {name: _redirected(url, override) for name, url in urls.items()}
    path = urlsplit(str(urls)).path
    socket = str(urls).startswith("ws")
    return (re.sub(r"^http", "ws", override) if socket else override) + path


def _translated(ccxt: Any, name: str, error: Exception, secrets: tuple[str, ...], timeout_seconds: float) -> SeawallError:
    said = without_secrets(_venue_words(error), secrets)
    key, secret = key_names(name)
    if isinstance(error, ccxt.AuthenticationError):
        return ConfigError(f"{name} refused the keys ({said}): check {key} and {secret}, their permissions and allowed addresses")
    if isinstance(error, ccxt.RequestTimeout):
        return TransientError(f"{name} did not answer within {timeout_seconds:g} s: check the network, then try again")
    if isinstance(error, ccxt.InvalidNonce):
        return ConfigError(f"{name} refused the request's time ({said}): set this machine's clock")
    if isinstance(error, (ccxt.DDoSProtection, ccxt.RateLimitExceeded)):
        return TransientError(f"{name} is limiting requests: try again in a few minutes")
    if isinstance(error, ccxt.NetworkError):
        return TransientError(f"{name} could not be reached ({type(error).__name__}): check the network, then try again")
    return SeawallError(f"{name} refused ({type(error).__name__}: {said})")


def _venue_words(error: Exception) -> str:
    """Keep the venue's own message and leave out the address, which carries a signature."""
    text = str(error)
    quoted = re.search(r'"(?:msg|message|error)"\s*:\s*"([^"]*)"', text)
    return quoted.group(1) if quoted else re.sub(r"\w+://\S+", "", text)
