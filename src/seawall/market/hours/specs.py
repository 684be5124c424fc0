"""What a market's bars do not tell: tick and lot, when it is open, and the risk it is traded with. Read from ``markets.yaml``.

A user's file of the same layout adds markets and replaces shipped ones. A market that ``extends`` another starts from all of that
one's keys but its aliases. A market that replaces one of the same name, whose case does not count, keeps its aliases and its
calendar where it says nothing of them. `seawall.market.hours.market_files` tells what other layouts are read.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from pydantic import Field, ValidationError, field_validator, model_validator

from seawall.core.errors import ConfigError
from seawall.core.params import Params, as_value_error
from seawall.market.hours.calendars import Calendar, calendar
from seawall.market.hours.market_files import parse, shown
from seawall.market.hours.sessions import WINDOWS, TradingWindow, trading_window

ALWAYS_OPEN = "24/7"


class SessionConfig(Params):
    """Sessions in the layout of the published two-stage system, whose hours are in UTC where no time zone is named."""

    enabled: bool = Field(default=True, description="false: the market never closes, and has no sessions")
    sessions: dict[str, TradingWindow | str] = Field(
        default_factory=dict[str, TradingWindow | str], description="As `sessions` of the market; used where enabled"
    )


class MarketSpec(Params):
    """One market: its units, hours and risk."""

    symbol: str = Field(description="Name of the market: its key in the file", min_length=1)
    aliases: tuple[str, ...] = Field(default=(), description="Other names of the market, as BTCUSDT for BTC")
    quote: str = Field(default="USD", min_length=1, description="Currency in which the price is counted")
    tick_size: float = Field(gt=0, description="Least step of the price, in the quote currency")
    lot_size: float = Field(gt=0, description="Least step of the quantity, in the base asset or in contracts")
    min_notional: float = Field(ge=0, description="Least value of an order, in the quote currency")
    calendar: str = Field(default=ALWAYS_OPEN, description="When it is open, by name; see `seawall.market.hours.calendars`")
    gaps_expected: bool | None = Field(default=None, description="Whether bars may be missing by plan; as the calendar where None")
    sessions: dict[str, TradingWindow | str] = Field(
        default_factory=dict[str, TradingWindow | str],
        description="Parts of the day by name: hours, the name of a shipped window, or a calendar whose hours they are",
    )
    session_config: SessionConfig | None = Field(default=None, description="Another way to write `sessions`; not both")
    target_volatility: float = Field(gt=0, le=1, description="Volatility a day that position sizing aims at, as a share")
    max_leverage: float = Field(default=20.0, ge=1, description="Largest exposure, as a multiple of equity")
    margin_call: float = Field(default=0.5, gt=0, le=1, description="Equity over used margin at which no position may grow")
    stop_out: float = Field(default=0.3, gt=0, le=1, description="Equity over used margin at which positions are closed")

    @field_validator("calendar")
    @classmethod
    def _is_a_calendar(cls, value: str) -> str:
        with as_value_error():
            calendar(value)
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> MarketSpec:
        if self.stop_out >= self.margin_call:
            raise ValueError(f"stop_out is {self.stop_out}; it must be below margin_call, which is {self.margin_call}")
        if self.session_config is None:
            _check_sessions(self.sessions)
            return self
        if self.sessions:
            raise ValueError("sessions and session_config are both given; allowed: one of them")
        if not self.session_config.enabled and self.calendar != ALWAYS_OPEN:
            raise ValueError(f"session_config.enabled is false, but calendar is {self.calendar!r}; allowed: {ALWAYS_OPEN}")
        _check_sessions(self.session_config.sessions)
        return self

    @property
    def named_sessions(self) -> dict[str, TradingWindow | str]:
        """Its sessions by name, however they were written; none where `session_config` is not enabled."""
        config = self.session_config
        return dict(self.sessions if config is None else config.sessions if config.enabled else {})

    @property
    def closes(self) -> bool:
        """Whether bars may be missing by plan: as `gaps_expected` says, or because the calendar closes at times."""
        return self.calendar != ALWAYS_OPEN if self.gaps_expected is None else self.gaps_expected

    @property
    def hours(self) -> Calendar:
        """When the market is open."""
        return calendar(self.calendar)

    def session_masks(self, times_ms: np.ndarray) -> pd.DataFrame:
        """Say for each moment in which sessions it lies; this is known beforehand.

        Args:
            times_ms: Milliseconds since 1970 in UTC, int64, shape (T,): opening times of bars, for a feature.

        Returns:
            One bool column for each session, T rows; no column for a market without sessions.
        """
        masks = {name: _session_mask(given, times_ms) for name, given in self.named_sessions.items()}
        return pd.DataFrame(masks, index=pd.RangeIndex(len(times_ms)))


def market_spec(symbol: str, extra: Path | None = None) -> MarketSpec:
    """Return a market by its name or an alias; case and ``/``, ``-``, ``_`` do not count.

    Args:
        symbol: As in ETH, ETHUSDT or ETH/USDT.
        extra: The user's own file of markets.

    Raises:
        ConfigError: There is no such market, or the user's file is refused.
    """
    markets = load_markets(extra)
    found = find_market(symbol, markets)
    if found is not None:
        return found
    names = [name for spec in markets.values() for name in (spec.symbol, *spec.aliases)]
    near = difflib.get_close_matches(plain_symbol(symbol), map(plain_symbol, names), n=1)
    hint = f"; did you mean {near[0]}?" if near else ";"
    raise ConfigError(f"market {symbol!r} is unknown{hint} allowed: {', '.join(markets)}, or one of a file of your own")


def find_market(symbol: str, markets: Mapping[str, MarketSpec]) -> MarketSpec | None:
    """Return the market of a name, or else of an alias, as `market_spec` does; None where there is none."""
    wanted = plain_symbol(symbol)
    named = [spec for spec in markets.values() if plain_symbol(spec.symbol) == wanted]
    aliased = [spec for spec in markets.values() if wanted in map(plain_symbol, spec.aliases)]
    return next(iter((*named, *aliased)), None)


def load_markets(extra: Path | None = None) -> dict[str, MarketSpec]:
    """Return every market by name: the shipped ones, then those of the user's file.

    Args:
        extra: A YAML 1.2 file with ``markets:`` at its top; a market of a shipped name takes its place, and ``global:`` beside it
            holds for the shipped ones too.

    Raises:
        ConfigError: The file cannot be read, or a market in it is refused: the message names file, market, key and value.
    """
    shipped = _shipped()
    if extra is None:
        return dict(shipped)
    try:
        text = extra.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"markets file {extra} cannot be read: {error}") from error
    return _merged(shipped, *parse(text, str(extra)), str(extra))


@cache
def _shipped() -> dict[str, MarketSpec]:
    file = resources.files("seawall.market.hours").joinpath("markets.yaml")
    return _merged({}, *parse(file.read_text(encoding="utf-8"), "markets.yaml"), "markets.yaml")


def _merged(
    known: Mapping[str, MarketSpec], entries: Mapping[str, dict[str, Any]], shared: Mapping[str, Any], origin: str
) -> dict[str, MarketSpec]:
    markets = (
        {symbol: _validated(symbol, {**shared, **_said(spec)}, origin) for symbol, spec in known.items()} if shared else {**known}
    )
    names: dict[str, str] = {}
    for symbol, entry in entries.items():
        if plain_symbol(symbol) in names:
            raise ConfigError(
                f"{origin}: {names[plain_symbol(symbol)]} and {symbol} are one market, as case does not count; allowed: one"
            )
        names[plain_symbol(symbol)] = symbol
        spec = _market(symbol, entry, shared, markets, origin)
        older = _spelt(symbol, markets)
        # A market keeps the place of the one that it replaces.
        markets = {symbol if name == older else name: spec if name == older else held for name, held in markets.items()}
        markets[symbol] = spec
    _refuse_shared_names(markets, origin)
    return markets


def _market(
    symbol: str, entry: Mapping[str, Any], shared: Mapping[str, Any], markets: Mapping[str, MarketSpec], origin: str
) -> MarketSpec:
    given = dict(entry)
    base: dict[str, Any] = dict(shared)
    older = _spelt(symbol, markets)
    if "extends" in given:
        named = given.pop("extends")
        parent = _spelt(named, markets) if isinstance(named, str) else None
        if parent is None:
            raise ConfigError(f"{origin}: market {symbol}: extends is {shown(named)}; allowed: {', '.join(markets)}")
        base.update(_said(markets[parent]))
        del base["symbol"]
        base.pop("aliases", None)
        if "sessions" in given or "session_config" in given:
            base = {key: value for key, value in base.items() if key not in {"sessions", "session_config"}}
    elif older is not None and _may_close(given):
        base["calendar"] = markets[older].calendar
    if older is not None:
        base["aliases"] = markets[older].aliases
    if "symbol" in given:
        raise ConfigError(
            f"{origin}: market {symbol}: unknown key symbol (value {shown(given['symbol'])}); the market's name stands above it"
        )
    return _validated(symbol, {**base, **given}, origin)


def _said(spec: MarketSpec) -> dict[str, Any]:
    return spec.model_dump(exclude_unset=True)


def _spelt(symbol: str, markets: Mapping[str, MarketSpec]) -> str | None:
    """Return how a market's name is written, or None where there is none of that name."""
    return next((name for name in markets if plain_symbol(name) == plain_symbol(symbol)), None)


def _may_close(given: Mapping[str, Any]) -> bool:
    """Say whether an entry without a calendar leaves open when its market closes."""
    config: Any = given.get("session_config")
    never = isinstance(config, dict) and cast("dict[Any, Any]", config).get("enabled") is False
    return not never and given.get("gaps_expected") is not False


def _validated(symbol: str, values: Mapping[str, Any], origin: str) -> MarketSpec:
    try:
        return MarketSpec.model_validate({**values, "symbol": symbol})
    except ValidationError as error:
        # A session is hours or a name: of what cannot be hours, pydantic tells twice.
        problems = [
            problem for problem in error.errors() if not (problem["loc"][-1:] == ("str",) and isinstance(problem["input"], dict))
        ]
        lines = [_explain(problem) for problem in problems if problem["type"] != "model_type"]
        raise ConfigError(f"{origin}: market {symbol}: " + "; ".join(lines)) from error


def _explain(problem: Any) -> str:
    place = [str(part) for part in problem["loc"] if part not in {"TradingWindow", "str"}]
    name = ".".join(place)
    if problem["type"] == "extra_forbidden":
        allowed = (
            [*MarketSpec.model_fields, "extends"] if len(place) == 1 else [*SessionConfig.model_fields, *TradingWindow.model_fields]
        )
        near = difflib.get_close_matches(place[-1], allowed, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; allowed: {', '.join(key for key in allowed if key != 'symbol')}"
        return f"unknown key {name} (value {shown(problem['input'])}){hint}"
    if problem["type"] == "missing":
        return f"{name} is missing"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["loc"] and problem["loc"][-1] == "str":
        message = "allowed: hours such as start: 09:00, end: 17:00, timezone: Asia/Tokyo; or a name"
    return f"{name} is {shown(problem['input'])}: {message[0].lower()}{message[1:]}" if name else message


def _check_sessions(sessions: Mapping[str, TradingWindow | str]) -> None:
    for given in sessions.values():
        if isinstance(given, str) and given not in WINDOWS:
            with as_value_error():
                calendar(given)


def _session_mask(given: TradingWindow | str, times_ms: np.ndarray) -> np.ndarray:
    if isinstance(given, TradingWindow):
        return given.mask(times_ms)
    return trading_window(given).mask(times_ms) if given in WINDOWS else calendar(given).is_open(times_ms)


def _refuse_shared_names(markets: Mapping[str, MarketSpec], origin: str) -> None:
    owners: dict[str, str] = {}
    for spec in markets.values():
        for name in dict.fromkeys(plain_symbol(alias) for alias in spec.aliases):
            if name in owners:
                raise ConfigError(f"{origin}: {name} is an alias of both {owners[name]} and {spec.symbol}; allowed: of one of them")
            owners[name] = spec.symbol


def plain_symbol(symbol: str) -> str:
    """Return a symbol as names are compared: upper case, without ``/``, ``-``, ``_`` and spaces."""
    return re.sub(r"[/_\-\s]", "", symbol).upper()
