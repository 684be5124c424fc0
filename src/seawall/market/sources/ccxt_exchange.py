"""One ccxt exchange: how it is built, where its requests go, and what its errors mean."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from seawall.core.credentials import base_url, switch, without_secrets
from seawall.core.errors import ConfigError, FailureKind, SeawallError, TransientError
from seawall.market.sources.answers import retry_after

# Exchanges whose list of markets is cut to spot, as their contracts take several requests more.
SPOT_ONLY: dict[str, dict[str, Any]] = {
    "binance": {"fetchMarkets": {"types": ["spot"]}, "fetchMargins": False},
}
_SERVER_ERROR = 500
# Some venues refuse a place so, others a client that asked too often.
_LASTING = {403: "; where that does not help, it may not serve this place: another exchange may, as binanceus or kraken"}
_FOR_GOOD = {
    404: ": it offers no such thing under this address",
    451: ": it does not serve this place; another exchange may, as binanceus or kraken",
}


@dataclass
class LastReply:
    """Status and headers of the latest reply; ccxt's errors tell neither.

    Attributes:
        status: HTTP status, or None where no reply came.
        retry_after: Seconds that the venue asked to be left alone, or None.
    """

    status: int | None = None
    retry_after: float | None = None

    def clear(self) -> None:
        """Forget the reply before a request is made."""
        self.status = self.retry_after = None

    def __call__(self, response: Any, *_: Any, **__: Any) -> None:
        """Note a reply; `requests` calls this."""
        self.status = int(response.status_code)
        self.retry_after = retry_after(response.headers)


def exchange_name(environment: Mapping[str, str]) -> str:
    """Return the exchange that ``SEAWALL_CCXT_EXCHANGE`` names, in ccxt's spelling; binance by default."""
    return environment.get("SEAWALL_CCXT_EXCHANGE", "").strip().lower() or "binance"


def key_names(exchange: str) -> tuple[str, str]:
    """Return the names of an exchange's key and secret in the environment, as in ``BINANCE_API_KEY``."""
    return f"{exchange.upper()}_API_KEY", f"{exchange.upper()}_API_SECRET"


def build_exchange(name: str, environment: Mapping[str, str], settings: Mapping[str, Any], *, sandbox: bool) -> Any:
    """Build an exchange; nothing is asked of it yet.

    Args:
        name: In ccxt's spelling.
        environment: Holds ``SEAWALL_<NAME>_URL``, which every request is sent to instead, and ``<NAME>_SANDBOX``.
        settings: Further settings of ccxt, as keys and the time limit.
        sandbox: Whether the switch for the venue's test network is heeded.

    Raises:
        ImportError: ccxt is not installed.
        ConfigError: ccxt knows no such exchange, or a setting is wrong.
    """
    import ccxt  # pyright: ignore[reportMissingTypeStubs]

    if name not in ccxt.exchanges:
        near = difflib.get_close_matches(name, ccxt.exchanges, n=3)
        hint = f", as in {', '.join(near)}" if near else " such as binance"
        raise ConfigError(f"exchange {name!r} is one that ccxt does not know; allowed: {len(ccxt.exchanges)} names{hint}")
    override = base_url(environment, f"SEAWALL_{name.upper()}_URL")
    # A server on this machine has no rate limit to keep.
    paced = override is None or not override.startswith("http://")
    options = {"fetchCurrencies": False, **SPOT_ONLY.get(name, {})}
    exchange: Any = getattr(ccxt, name)({"options": options, "enableRateLimit": paced, **settings})
    if sandbox and switch(environment, f"{name.upper()}_SANDBOX", default=False):
        exchange.set_sandbox_mode(True)
    if override is not None:
        exchange.urls["api"] = _redirected(exchange.urls["api"], override)
    return exchange


def translated(name: str, error: Exception, secrets: tuple[str, ...], timeout_seconds: float, reply: LastReply) -> SeawallError:
    """Return what an error of ccxt means in this project's words, without a secret or an address in it.

    Args:
        name: The exchange.
        error: What ccxt raised.
        secrets: Values that may not be shown.
        timeout_seconds: The time limit of a request, for the message.
        reply: The reply that the error is about.
    """
    import ccxt  # pyright: ignore[reportMissingTypeStubs]

    said = without_secrets(_venue_words(error), secrets)
    if isinstance(error, ccxt.AuthenticationError):
        key, secret = key_names(name)
        return ConfigError(f"{name} refused the keys ({said}): check {key} and {secret}, their permissions and allowed addresses")
    if isinstance(error, ccxt.InvalidNonce):
        return ConfigError(f"{name} refused the request's time ({said}): set this machine's clock")
    if reply.status in _FOR_GOOD:
        return ConfigError(f"{name} refused the request (HTTP {reply.status}: {said}){_FOR_GOOD[reply.status]}")
    found = _transient(ccxt, name, error, timeout_seconds, reply)
    return found or SeawallError(f"{name} refused ({type(error).__name__}: {said})")


def _transient(ccxt: Any, name: str, error: Exception, timeout_seconds: float, reply: LastReply) -> TransientError | None:
    wait, status = reply.retry_after, reply.status
    if isinstance(error, ccxt.RequestTimeout) and status is None:
        words = f"{name} did not answer within {timeout_seconds:g} s: check the network, then try again"
        return TransientError(words, kind="timeout")
    if status == 418:
        return TransientError(f"{name} has banned this address for a while: it asked too often", kind="banned", retry_after=wait)
    if isinstance(error, (ccxt.DDoSProtection, ccxt.RateLimitExceeded)):
        return TransientError(f"{name} is limiting requests: try again in a few minutes", kind="rate_limit", retry_after=wait)
    broken = status is not None and status >= _SERVER_ERROR
    # What ends a reply too early, or packs it wrongly, is told by requests alone.
    torn = type(error.__cause__ or error.__context__).__name__ in ("ChunkedEncodingError", "ContentDecodingError")
    if broken or torn or isinstance(error, ccxt.OperationFailed):
        kind: FailureKind = "server" if status is not None and not torn else "network"
        what = f"HTTP {status}, " if status is not None and status >= 400 else ""
        words = (
            f"{name} could not answer now ({what}{type(error).__name__}): try again in a few minutes{_LASTING.get(status or 0, '')}"
        )
        if status is None:
            words = f"{name} could not be reached ({type(error).__name__}): check the network, then try again"
        return TransientError(words, kind=kind, retry_after=wait if broken else None)
    if isinstance(error, ccxt.NullResponse):
        return TransientError(f"{name} answered nothing", kind="malformed")
    return None


def _redirected(urls: Any, override: str) -> Any:
    """Send every address, also those no call here uses, to the override; paths stay."""
    if isinstance(urls, dict):
        return {name: _redirected(url, override) for name, url in cast("dict[str, Any]", urls).items()}
    path = urlsplit(str(urls)).path
    socket = str(urls).startswith("ws")
    return (re.sub(r"^http", "ws", override) if socket else override) + path


def _venue_words(error: Exception) -> str:
    """Keep the venue's own message and leave out the address, which carries a signature."""
    text = str(error)
    quoted = re.search(r'"(?:msg|message|error|errmsg)"\s*:\s*"([^"]*)"', text)
    return quoted.group(1) if quoted else re.sub(r"\w+://\S+", "", text)
