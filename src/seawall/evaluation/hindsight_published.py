"""Numbers that were published as results of trading, counted as `evaluation.hindsight` counts.

Source: notebooks ``tradernet_eval`` of github.com/kochlisGit/TraderNet-CRv2: limit rewards, fee 0.7 % a side, the last 2,250 hours
of candles that end around 2022-11-01.
"""

from __future__ import annotations

from typing import NamedTuple

from seawall.evaluation.hindsight import HindsightParams


class Published(NamedTuple):
    """One published row.

    Attributes:
        agent: Who earned it.
        pnl: Sum of the trades' logs.
        losing_share: Share of the trades that lost.
        sharpe: exp(mean / standard deviation).
        max_drawdown: 1 − the lowest ratio of the sum to its peak.
    """

    agent: str
    pnl: float
    losing_share: float
    sharpe: float
    max_drawdown: float


PUBLISHED: dict[str, tuple[Published, ...]] = {
    "BTC": (Published("PPO", 13.173, 0.478, 1.357, 0.358), Published("DDQN", 13.859, 0.472, 1.375, 1.109)),
    "ETH": (Published("PPO", 35.808, 0.331, 1.777, 0.112), Published("DDQN", 35.510, 0.300, 1.826, 0.033)),
    "ADA": (Published("PPO", 29.933, 0.338, 1.737, 1.199), Published("DDQN", 30.451, 0.348, 1.687, 0.204)),
    "XRP": (Published("PPO", 37.968, 0.342, 1.669, 0.329), Published("DDQN", 39.914, 0.328, 1.721, 0.584)),
    "LTC": (Published("PPO", 27.939, 0.354, 1.702, 0.156), Published("DDQN", 30.109, 0.351, 1.695, 0.145)),
}
"""Rows by coin."""
_QUOTES = ("USDT", "USDC", "USD", "EUR")


def published_rows(symbol: str, timeframe: str, params: HindsightParams) -> tuple[Published, ...]:
    """Return what was published of a coin counted in this way; nothing for other coins, bars, fees or lengths."""
    same = HindsightParams(draws=params.draws, seed=params.seed)
    if timeframe != "1h" or params != same:
        return ()
    plain = "".join(letter for letter in symbol.upper() if letter.isalnum())
    coins = [coin for coin in PUBLISHED if plain == coin or any(plain == coin + quote for quote in _QUOTES)]
    return PUBLISHED[coins[0]] if coins else ()
