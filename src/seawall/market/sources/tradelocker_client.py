"""TradeLocker over its REST interface: log in, stay logged in, instruments and price history. Nothing here can order.

The public Python client is not used: it sends an order again when a reply is lost, and logs the password.
"""

from __future__ import annotations

import base64
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from seawall.core.credentials import base_url, fits_header, header_value, without_secrets
from seawall.core.errors import ConfigError, TransientError
from seawall.core.interrupts import pause
from seawall.market.sources.answers import VenueClock, retry_after
from seawall.market.sources.deadline import whole_reply_seconds

KEYS = ("TRADELOCKER_USERNAME", "TRADELOCKER_PASSWORD", "TRADELOCKER_SERVER")
_SERVERS = {"demo": "https://demo.tradelocker.com", "live": "https://live.tradelocker.com"}
_RENEW_SECONDS = 60.0
_DEFAULT_BARS, _DEFAULT_PAUSE = 5_000, 1.0
_UNIT_SECONDS = {"SECONDS": 1.0, "MINUTES": 60.0}
# The body is unpacked already.
_PACKED = ("content-encoding", "content-length", "transfer-encoding")
_SHAPE_ERRORS = (KeyError, TypeError, ValueError, AttributeError, IndexError)


@dataclass(frozen=True)
class Instrument:
    """One tradable instrument of an account.

    Attributes:
        name: As in ``BTCUSD``.
        id: Its number in requests.
        info_route: The route that quotes and history are asked on.
        bar_side: Which price its bars are made of, in the server's words, as in ``BID``; empty where it does not say.
        intraday: Whether it has bars shorter than a day.
        daily: Whether it has bars of a day and longer.
    """

    name: str
    id: int
    info_route: str
    bar_side: str
    intraday: bool
    daily: bool


@dataclass(frozen=True)
class HistoryLimits:
    """What one account may ask of the price history.

    Attributes:
        bars: Most bars that the span of one request may hold.
        pause_seconds: Least time between two requests.
    """

    bars: int
    pause_seconds: float


def server_of(environment: Mapping[str, str]) -> tuple[str, str]:
    """Return the address that ``TRADELOCKER_ENVIRONMENT`` names, demo by default, and a word for it.

    Raises:
        ConfigError: It is neither demo nor live nor an address that keys may be sent to.
    """
    choice = environment.get("TRADELOCKER_ENVIRONMENT", "").strip() or "demo"
    if choice.lower() in _SERVERS:
        return _SERVERS[choice.lower()], f"the {choice.lower()} server"
    if "://" not in choice:
        raise ConfigError(f"TRADELOCKER_ENVIRONMENT is {choice!r}; allowed: demo, live, or the address of a server, https://…")
    return str(base_url(environment, "TRADELOCKER_ENVIRONMENT")), "the given server"


class TradeLockerClient:
    """A session with a TradeLocker server.

    It asks once: who calls it decides whether to ask again. The token is renewed a minute before it ends, and once where
    the server says that it has ended. Password, tokens and developer key are in no message and no log.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        keys: tuple[str, ...],
        timeout_seconds: float,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare a session; nothing is asked yet.

        Args:
            environment: Holds, if any, ``TRADELOCKER_ENVIRONMENT``, ``TRADELOCKER_ACCOUNT`` (an account's accNum or id; the
                first by default) and ``TRADELOCKER_DEVELOPER_API_KEY``.
            keys: User name, password and server name.
            timeout_seconds: How long one request may take.
            seconds: A clock that only runs forward.

        Raises:
            ImportError: httpx is not installed.
            ConfigError: A setting is wrong.
        """
        import httpx

        server, self.where = server_of(environment)
        developer_key = header_value(environment, "TRADELOCKER_DEVELOPER_API_KEY")
        headers = {"developer-api-key": developer_key} if developer_key else {}
        self.clock = VenueClock()
        self._httpx = httpx
        self._http = httpx.Client(base_url=f"{server}/backend-api", timeout=timeout_seconds, headers=headers)
        self._login = dict(zip(("email", "password", "server"), keys, strict=True))
        self._wanted_account = environment.get("TRADELOCKER_ACCOUNT", "").strip()
        self._timeout, self._seconds = timeout_seconds, seconds
        self._secrets = [*keys, developer_key]
        self._access = self._refresh = ""
        self._renew_at = math.inf
        self._account: tuple[str, str] | None = None
        self._next_history = -math.inf
        self._limits: HistoryLimits | None = None

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> TradeLockerClient:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def accounts(self) -> list[dict[str, Any]]:
        """Return the user's accounts, each with its ``id`` and ``accNum``, after logging in.

        Raises:
            ConfigError: The login is refused.
            TransientError: The server could not be asked, did not answer in time, or answered nonsense.
        """
        document = self._get("/auth/jwt/all-accounts", account=False)
        return self._read(lambda: [{**account} for account in document["accounts"]])

    def instruments(self) -> list[Instrument]:
        """Return what the account can trade, in the server's order.

        Raises:
            ConfigError: The login or the account is refused.
            TransientError: As for `accounts`.
        """
        account_id, _ = self._chosen_account()
        data = self._trade(f"/trade/accounts/{account_id}/instruments")
        return self._read(lambda: [_instrument(row) for row in data["instruments"]])

    def history_limits(self) -> HistoryLimits:
        """Return what the account may ask of the history, from the server's configuration; it is asked once.

        Raises:
            ConfigError: The login or the account is refused.
            TransientError: As for `accounts`.
        """
        limits = self._limits
        if limits is None:
            config = self._trade("/trade/config")
            limits = self._limits = self._read(lambda: _history_limits(config))
        return limits

    def history(self, instrument: Instrument, resolution: str, first_ms: int, last_ms: int) -> list[Any]:
        """Return bars that open in ``first_ms <= t <= last_ms``; it waits first where the rate limit asks for it.

        Args:
            instrument: One of `instruments`.
            resolution: 1m, 5m, 15m, 30m, 1H, 4H, 1D or 1W.
            first_ms: Milliseconds since 1970.
            last_ms: Milliseconds since 1970; the span may hold `HistoryLimits.bars` bars.

        Returns:
            One mapping ``{t, o, h, l, c, v}`` a bar; none where the server has no data.

        Raises:
            ConfigError: The login, the account or the request is refused.
            TransientError: As for `accounts`.
        """
        between = self.history_limits().pause_seconds
        pause(max(0.0, self._next_history - self._seconds()))
        self._next_history = self._seconds() + between
        asked = {"tradableInstrumentId": instrument.id, "routeId": instrument.info_route, "resolution": resolution}
        data = self._trade("/trade/history", {**asked, "from": first_ms, "to": last_ms})
        return [] if data is None else self._read(lambda: list(data["barDetails"]))

    def _chosen_account(self) -> tuple[str, str]:
        """Return the account's id and accNum."""
        if self._account is not None:
            return self._account
        accounts = self.accounts()
        pairs: list[tuple[str, str]] = self._read(lambda: [(str(one["id"]), _for_header(one["accNum"])) for one in accounts])
        if not pairs:
            raise ConfigError(
                "tradelocker has no account of this user; open one, demo or live, and look at TRADELOCKER_ENVIRONMENT"
            )
        chosen = [pair for pair in pairs if self._wanted_account in ("", *pair)]
        if not chosen:
            numbers = ", ".join(number for _, number in pairs)
            raise ConfigError(
                f"TRADELOCKER_ACCOUNT is {self._wanted_account!r}; allowed: an account's id, or its accNum: {numbers}"
            )
        self._account = chosen[0]
        return chosen[0]

    def _trade(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """Return the answer's data, or None where the server has none."""
        document = self._get(path, params)
        state = document.get("s")
        if state == "no_data":
            return None
        if state != "ok" or document.get("d") is None:
            said = without_secrets(document.get("errmsg", "no reason given"), self._secrets)
            raise TransientError(f"tradelocker answered {path} with s = {state!r} ({said})", kind="server")
        return document["d"]

    def _get(self, path: str, params: Mapping[str, Any] | None = None, *, account: bool = True) -> dict[str, Any]:
        headers = {"accNum": self._chosen_account()[1]} if account else {}
        if not self._access:
            self._log_in()
        elif self._seconds() >= self._renew_at:
            self._renew()
        response = self._send("GET", path, params=params, headers={**headers, **self._bearer()})
        if response.status_code == 401:
            self._renew()
            response = self._send("GET", path, params=params, headers={**headers, **self._bearer()})
        return self._document(response)

    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._access}"}

    def _log_in(self) -> None:
        self._keep(self._send("POST", "/auth/jwt/token", json=self._login))

    def _renew(self) -> None:
        response = self._send("POST", "/auth/jwt/refresh", json={"refreshToken": self._refresh})
        if response.status_code in (400, 401, 403, 404):
            self._log_in()
        else:
            self._keep(response)

    def _keep(self, response: Any) -> None:
        """Keep the tokens of an answer. Their end is counted from the server's own time of issue where it is told."""
        document = self._document(response)
        self._access, self._refresh = self._read(
            lambda: (_for_header(document["accessToken"]), str(document.get("refreshToken", "")))
        )
        self._secrets += [self._access, self._refresh]
        lifetime = _lifetime(self._access, self.clock.now_ms())
        self._renew_at = self._seconds() + max(lifetime - _RENEW_SECONDS, lifetime / 2)

    def _send(self, method: str, path: str, **content: Any) -> Any:
        try:
            response = self._whole(method, path, content)
        except self._httpx.TimeoutException:
            raise TransientError(
                f"tradelocker did not answer within {self._timeout:g} s: check the network, then try again", kind="timeout"
            ) from None
        except self._httpx.HTTPError as error:
            raise TransientError(
                f"tradelocker could not be reached ({type(error).__name__}): check the network, then try again", kind="network"
            ) from None
        self.clock.note(response.headers)
        return response

    def _whole(self, method: str, path: str, content: Mapping[str, Any]) -> Any:
        """Send a request and read its reply, with a look at the clock after every piece."""
        end = time.monotonic() + whole_reply_seconds(self._timeout)
        pieces: list[bytes] = []
        with self._http.stream(method, path, **content) as response:
            for piece in response.iter_bytes():
                pieces.append(piece)
                if time.monotonic() > end:
                    raise self._httpx.ReadTimeout("the reply was not whole in time")
        headers = [(name, value) for name, value in response.headers.items() if name.lower() not in _PACKED]
        return self._httpx.Response(response.status_code, headers=headers, content=b"".join(pieces), request=response.request)

    def _document(self, response: Any) -> dict[str, Any]:
        status = response.status_code
        if status in (401, 403) or (status == 400 and "/auth/" in response.url.path):
            raise ConfigError(f"tradelocker refused the login (HTTP {status}): check {', '.join(KEYS)} and TRADELOCKER_ENVIRONMENT")
        if status == 429:
            wait = retry_after(response.headers)
            raise TransientError(
                "tradelocker is limiting requests (HTTP 429): try again in a minute", kind="rate_limit", retry_after=wait
            )
        if status == 408 or status >= 500:
            raise TransientError(
                f"tradelocker cannot answer now (HTTP {status}): try again in a few minutes",
                kind="server",
                retry_after=retry_after(response.headers),
            )
        if status >= 300:
            # A login's answer may repeat what was sent in any spelling.
            said = "no more is told" if "/auth/" in response.url.path else without_secrets(response.text, self._secrets)
            raise ConfigError(f"tradelocker refused {response.url.path} (HTTP {status}: {said})")
        document: Any = self._read(response.json)
        if type(document) is not dict:
            raise TransientError(f"tradelocker answered a {type(document).__name__}, not its documented reply", kind="malformed")
        return cast("dict[str, Any]", document)

    def _read(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except _SHAPE_ERRORS as error:
            raise TransientError(
                f"tradelocker answered something else than its documented reply ({type(error).__name__})", kind="malformed"
            ) from None


def _for_header(value: Any) -> str:
    text = str(value)
    if not fits_header(text):
        raise ValueError("a value that no header can hold")
    return text


def _instrument(row: Mapping[str, Any]) -> Instrument:
    routes = [str(route["id"]) for route in row["routes"] if route["type"] == "INFO"]
    return Instrument(
        name=str(row["name"]),
        id=int(row["tradableInstrumentId"]),
        info_route=routes[0],
        bar_side=str(row.get("barSource") or ""),
        intraday=bool(row.get("hasIntraday", True)),
        daily=bool(row.get("hasDaily", True)),
    )


def _history_limits(config: Mapping[str, Any]) -> HistoryLimits:
    bars = [int(limit["limit"]) for limit in config.get("limits", []) if limit["limitType"] == "QUOTES_HISTORY_BARS"]
    pauses = [
        float(rate["intervalNum"]) * _UNIT_SECONDS[rate["measure"]] / float(rate["limit"])
        for rate in config.get("rateLimits", [])
        if rate["rateLimitType"] == "QUOTES_HISTORY" and float(rate["limit"]) > 0
    ]
    return HistoryLimits(max(1, min(bars, default=_DEFAULT_BARS)), max(pauses, default=_DEFAULT_PAUSE))


def _lifetime(token: str, now_ms: int | None) -> float:
    """Return for how many seconds a JWT is valid from its issue on; infinity where it does not tell."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        issued = claims.get("iat", (now_ms or time.time() * 1_000) / 1_000)
        return float(claims["exp"]) - float(issued)
    except _SHAPE_ERRORS:
        return math.inf
