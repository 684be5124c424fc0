"""Run three strategies through vectorbt and backtesting.py, and keep their ledgers: ``python run_judged.py FOLDER [--bars]``.

FOLDER holds bars.csv, which ``--bars`` makes. Each engine writes what it exports itself: its table of trades, vectorbt's of orders
too, its equity, and into metrics.json the figures that it prints. The strategies: a cross of two averages, long or flat; a breakout
of the highest close, with a stop at the close; and a return to the mean, long and short. Decisions at a close are filled at the
next open.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

CASH, FEE, ROWS = 10_000.0, 0.001, 240
STRATEGIES = ("cross", "breakout", "reversion")


def make_bars(folder: Path) -> None:
    """Random bars in two decimals, which open near the close before."""
    rng = np.random.default_rng(20240101)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0005, 0.012, ROWS)))
    opening = np.concatenate([[100.0], close[:-1]]) * np.exp(rng.normal(0.0, 0.002, ROWS))
    high = np.maximum(opening, close) * (1.0 + rng.uniform(0.001, 0.006, ROWS))
    low = np.minimum(opening, close) * (1.0 - rng.uniform(0.001, 0.006, ROWS))
    times = pd.date_range("2024-01-01", periods=ROWS, freq="h", tz="UTC").strftime("%Y-%m-%d %H:%M:%S+00:00")
    frame = pd.DataFrame({"timestamp": times, "open": opening, "high": high, "low": low, "close": close}).round(2)
    frame.assign(volume=1).to_csv(folder / "bars.csv", index=False)


def wanted(name: str, close: pd.Series) -> pd.Series:
    """Exposure wanted at each close: −1, 0 or 1; flat at the end, so that every trade is closed."""
    if name == "cross":
        level = (close.rolling(8).mean() > close.rolling(24).mean()).astype(float)
    elif name == "breakout":
        level = breakout(close)
    else:
        score = (close - close.rolling(20).mean()) / close.rolling(20).std()
        level = pd.Series(np.where(score < -1.2, 1.0, np.where(score > 1.2, -1.0, np.nan)), index=close.index)
        level = level.mask(score.abs() < 0.2, 0.0).ffill().fillna(0.0)
    level.iloc[-3:] = 0.0
    return level


def breakout(close: pd.Series) -> pd.Series:
    """Long from a close above the last 20 until one below the last 10, or 3 % below that of the entry."""
    highest, lowest = close.rolling(20).max().shift(), close.rolling(10).min().shift()
    level, held, entry = [], 0.0, 0.0
    for price, high, low in zip(close, highest, lowest, strict=True):
        if held and (price < low or price < 0.97 * entry):
            held = 0.0
        elif not held and price > high:
            held, entry = 1.0, price
        level.append(held)
    return pd.Series(level, index=close.index)


def of_vectorbt(name: str, bars: pd.DataFrame, folder: Path) -> dict[str, float]:
    import vectorbt as vbt

    level = wanted(name, bars["close"])
    now, before = level.shift(fill_value=0.0), level.shift(2, fill_value=0.0)
    size = pd.Series(np.where(now == 0.0, 0.0, np.sign(now) * 0.9), index=bars.index).where(now != before)
    portfolio = vbt.Portfolio.from_orders(
        close=bars["close"], size=size, size_type="targetpercent", price=bars["open"], val_price=bars["open"], fees=FEE,
        init_cash=CASH, freq="1h",
    )  # fmt: skip
    portfolio.trades.records_readable.to_csv(folder / f"vectorbt-{name}-trades.csv", index=False)
    portfolio.orders.records_readable.to_csv(folder / f"vectorbt-{name}-orders.csv", index=False)
    portfolio.value().to_csv(folder / f"vectorbt-{name}-equity.csv")
    stats = portfolio.stats()
    return {
        "total_return": float(portfolio.total_return()),
        "max_drawdown": -float(portfolio.max_drawdown()),
        "trades": int(stats["Total Trades"]),
        "win_rate": float(stats["Win Rate [%]"]) / 100.0,
        "sharpe_of_365_25_days": float(portfolio.sharpe_ratio(year_freq="365.25 days")),
        "sharpe": float(stats["Sharpe Ratio"]),
        "fees": float(stats["Total Fees Paid"]),
        "final_equity": float(stats["End Value"]),
    }


def of_backtesting(name: str, bars: pd.DataFrame, folder: Path) -> dict[str, float]:
    from backtesting import Backtest, Strategy

    level = wanted(name, bars["close"]).to_numpy()

    class Follow(Strategy):
        def init(self) -> None:
            self.held = 0.0

        def next(self) -> None:
            now = level[len(self.data) - 1]
            if now == self.held:
                return
            self.held = now
            if now == 0.0:
                self.position.close()
            else:
                (self.buy if now > 0.0 else self.sell)(size=0.9)

    frame = bars.rename(columns=str.capitalize)
    result = Backtest(frame, Follow, cash=CASH, commission=FEE, exclusive_orders=True, finalize_trades=False).run()
    result["_trades"].drop(columns=["SL", "TP", "Tag", "Duration"]).to_csv(folder / f"backtesting-{name}-trades.csv", index=False)
    result["_equity_curve"]["Equity"].to_csv(folder / f"backtesting-{name}-equity.csv")
    return {
        "total_return": float(result["Return [%]"]) / 100.0,
        "max_drawdown": -float(result["Max. Drawdown [%]"]) / 100.0,
        "trades": int(result["# Trades"]),
        "win_rate": float(result["Win Rate [%]"]) / 100.0,
        "sharpe": float(result["Sharpe Ratio"]),
        "fees": float(result["Commissions [$]"]),
        "final_equity": float(result["Equity Final [$]"]),
    }


def main(folder: Path) -> None:
    bars = pd.read_csv(folder / "bars.csv", parse_dates=["timestamp"]).set_index("timestamp").tz_localize(None)
    engines = {"vectorbt": of_vectorbt, "backtesting": of_backtesting}
    metrics = {f"{engine}-{name}": run(name, bars, folder) for engine, run in engines.items() for name in STRATEGIES}
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    if "--bars" in sys.argv:
        make_bars(Path(sys.argv[1]))
    main(Path(sys.argv[1]))
