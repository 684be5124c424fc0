"""Bars told one at a time, decided on, and filled by the paper broker: the same ledger as the backtest over the whole file."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from seawall.core.bars import price_block, timestamps_ms
from seawall.core.errors import ConfigError, DataError
from seawall.core.market import Market, RowRange
from seawall.core.protocols import FeatureSet
from seawall.core.timeframe import Timeframe
from seawall.evaluation.backtest import backtest, reasons_in_words
from seawall.evaluation.ledger import Ledger, ledger_of
from seawall.features.pipeline import compute_features
from seawall.features.registry import FeatureParams, feature_set
from seawall.features.scaling.scaler import Scaler
from seawall.guards.chain import GuardChain
from seawall.guards.n_consecutive import NConsecutive, NConsecutiveParams
from seawall.live.paper import PaperSetting, replay
from seawall.live.replay import ReplayFeed
from seawall.live.tail import ClosedBar, MarketTail
from seawall.market.synthetic.regimes import RegimeParams, regime_bars
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.catalogue import stressed
from seawall.simulator.costs.params import CostParams
from seawall.simulator.desk import Desk
from seawall.simulator.settings import SimulatorParams

HOUR = Timeframe(3_600)
WINDOW, START, STOP = 8, 4_600, 5_400
COLUMNS = ("exposure", "drawdown", "bars_left")
TECHNICAL = feature_set(FeatureParams(omit=("trades", "trends")))


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    made = regime_bars(RegimeParams(timeframe="1h", n_bars=STOP), 3).bars
    # Two holes: the anchored chunks of features and the time between rows must bear them.
    return made.drop(index=[300, *range(4_700, 4_731)]).reset_index(drop=True)


class Leaning:
    """Leans on the newest features, those of the row before, and its account, so that a wrong bit in any of them shows."""

    def act(self, observation, *, deterministic=True):
        rows, seen = observation.rows, observation.market.features
        assert rows.max() < len(seen)
        score = seen[rows, :7].sum(1) - seen[rows - WINDOW + 1, :7].sum(1) + observation.account[:, 1]
        return np.where(score > 0.2, 1, np.where(score < -0.2, 0, 2)), {}


def running_sum(bars: pd.DataFrame) -> np.ndarray:
    return np.cumsum(bars["close"].to_numpy())[:, None]


# What a tail cut too short gives away at once, however little of it is missing.
RUNNING = FeatureSet("running", ("sum",), 2, (), running_sum)


def scaler(block: np.ndarray, features: FeatureSet = TECHNICAL) -> Scaler:
    return Scaler.fit(block, RowRange(500, 3_000), features.columns, "zscore")


def desk(scheme: str = "sell_buy_hold") -> Desk:
    guards = GuardChain([NConsecutive(NConsecutiveParams(n=2, mode="confirm"))])
    return Desk(action_scheme(scheme, True), guards, 1)


def whole_market(bars: pd.DataFrame) -> Market:
    block = compute_features(bars, TECHNICAL, HOUR, np.float32)
    scaled = scaler(block).transform(block)
    return Market(("S",), (0, len(bars)), HOUR, timestamps_ms(bars), price_block(bars), scaled, TECHNICAL.columns, (0,))


def paper(bars: pd.DataFrame, setting: PaperSetting, policy=None, seen=None) -> Ledger:
    made = compute_features(bars.iloc[:3_000], TECHNICAL, HOUR, np.float32)
    feed = ReplayFeed(bars, START - WINDOW + 1)
    tail = MarketTail(TECHNICAL, HOUR, scaler(made), "S", feed.columns, WINDOW)
    result = replay(policy or Leaning(), tail, setting, feed, WINDOW, seen or (lambda _record: None))
    words = reasons_in_words(setting.desk, result.records)
    return ledger_of(result.records, words, result.initial_equity, timestamps_ms(bars)[START:])


SETTINGS = {
    "market orders": (CostParams(), SimulatorParams()),
    "a book of costs": (
        CostParams.model_validate(
            {
                "slippage": {"base_bps": 1.0, "volatility_multiplier": 0.1},
                "financing": {"long_apr": 0.1, "short_apr": 0.2},
                "funding": {"rate_bps": 1.0, "every_hours": 8},
            }
        ),
        SimulatorParams(),
    ),
    "exits, late orders and sessions": (
        CostParams(),
        SimulatorParams.model_validate(
            {
                "stop_loss_bps": 150.0,
                "trailing_stop_bps": 250.0,
                "orders": {"latency_bars": 2, "rebalance": "band", "band": 0.05},
                "session": {"flat": ["weekend"], "calendar": "fx"},
                "close_at_end": True,
            }
        ),
    ),
    "a flash crash": (stressed(CostParams(), "flash_crash"), SimulatorParams()),
    "lots that fill in part": (
        CostParams(),
        SimulatorParams.model_validate({"orders": {"lot_size": 0.01, "participation": 0.0001}}),
    ),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_the_ledger_is_the_backtests_to_the_bit(bars, name):
    costs, params = SETTINGS[name]
    expected = backtest(Leaning(), whole_market(bars), RowRange(START, len(bars)), desk(), costs, params, COLUMNS)
    ledger = paper(bars, PaperSetting(desk(), costs, params, COLUMNS, "test"))
    assert expected.frame["traded_notional"].gt(0).sum() > 20
    pd.testing.assert_frame_equal(ledger.frame, expected.frame, check_exact=True)
    assert ledger.initial_equity == expected.initial_equity


def test_orders_that_carry_their_own_terms_give_the_backtests_ledger(bars):
    class Choosing(Leaning):
        """Chooses among all fifteen orders by the newest features."""

        def act(self, observation, *, deterministic=True):
            score = np.abs(observation.market.features[observation.rows, 3]) * 1_000.0
            return score.astype(np.int64) % 15, {}

    def make():
        return Desk(action_scheme("target_position", True), None, 1)

    costs, params = CostParams(), SimulatorParams(max_exposure=2.0)
    expected = backtest(Choosing(), whole_market(bars), RowRange(START, len(bars)), make(), costs, params, COLUMNS)
    ledger = paper(bars, PaperSetting(make(), costs, params, COLUMNS, "test"), Choosing())
    assert expected.frame["limit"].gt(0).sum() > 100
    assert expected.frame["exit"].isin(["stop_loss", "take_profit"]).sum() > 10
    pd.testing.assert_frame_equal(ledger.frame, expected.frame, check_exact=True)


def test_a_policy_that_remembers_begins_anew_and_gives_the_backtests_ledger(bars):
    class Remembering(Leaning):
        """Leans as told by how often it has been asked since it began."""

        def begin(self, n):
            self.asked = np.zeros(n, dtype=np.int64)

        def act(self, observation, *, deterministic=True):
            self.asked += 1
            return (super().act(observation)[0] + self.asked // 5) % 3, {}

    policy, costs, params = Remembering(), CostParams(), SimulatorParams()
    expected = backtest(policy, whole_market(bars), RowRange(START, len(bars)), desk(), costs, params, COLUMNS)
    ledger = paper(bars, PaperSetting(desk(), costs, params, COLUMNS, "test"), policy)
    pd.testing.assert_frame_equal(ledger.frame, expected.frame, check_exact=True)
    assert policy.asked.tolist() == [len(ledger.frame)]


def test_bars_after_a_moment_change_nothing_up_to_it(bars):
    poisoned, cut = bars.copy(), START + 400
    poisoned.loc[cut + 1 :, ["open", "high", "low", "close"]] *= 3.0
    poisoned.loc[cut + 1 :, "volume"] = 1.0
    setting = (CostParams(), SimulatorParams(), ("exposure", "drawdown"), "test")
    ledgers = [paper(each, PaperSetting(desk(), *setting)).frame for each in (bars, poisoned)]
    known = ledgers[0]["row"] < cut
    assert known.sum() == cut - START
    pd.testing.assert_frame_equal(ledgers[0][known], ledgers[1].iloc[: known.sum()], check_exact=True)
    decided = ["row", "close", "action", "signal", "proposed", "allowed", "guard", "reason"]
    at_cut = [ledger.loc[ledger["row"] == cut, decided] for ledger in ledgers]
    pd.testing.assert_frame_equal(*at_cut, check_exact=True)
    assert not ledgers[0].equals(ledgers[1])


def test_a_policy_never_sees_a_row_later_than_the_bar_that_closed(bars):
    class Looking(Leaning):
        def act(self, observation, *, deterministic=True):
            assert observation.rows.tolist() == [len(observation.market) - 1]
            return super().act(observation)

    paper(bars, PaperSetting(desk(), CostParams(), SimulatorParams(), COLUMNS, "test"), Looking())


@pytest.mark.parametrize("features", [TECHNICAL, RUNNING], ids=lambda features: features.name)
def test_features_of_the_tail_are_those_of_the_whole_file_to_the_bit(bars, features):
    block = compute_features(bars, features, HOUR, np.float32)
    scaled = scaler(block, features).transform(block)
    feed = ReplayFeed(bars, START)
    tail = MarketTail(features, HOUR, scaler(block, features), "S", feed.columns, WINDOW)
    tail.load(feed.history)
    for number, bar in enumerate(feed):
        tail.append(bar)
        tail.trim()
        np.testing.assert_array_equal(tail.market.features[-1], scaled[START + number])
    market = tail.market
    assert tail.offset + len(market) == len(bars)
    np.testing.assert_array_equal(market.features, scaled[-len(market) :])
    np.testing.assert_array_equal(market.prices, price_block(bars)[-len(market) :])
    np.testing.assert_array_equal(market.timestamps, timestamps_ms(bars)[-len(market) :])


def test_the_market_of_a_decision_does_not_grow_with_the_history(bars):
    sizes = []

    class Measuring(Leaning):
        def act(self, observation, *, deterministic=True):
            sizes.append(len(observation.market))
            return super().act(observation)

    paper(bars, PaperSetting(desk(), CostParams(), SimulatorParams(), COLUMNS, "test"), Measuring())
    assert len(sizes) > 700
    assert max(sizes) < WINDOW + 257


def test_features_that_look_ahead_are_refused():
    ahead = dataclasses.replace(TECHNICAL, lookahead=3)
    with pytest.raises(ConfigError, match="looks 3 bars ahead"):
        MarketTail(ahead, HOUR, None, "S", ("open", "high", "low", "close", "volume"), WINDOW)


def test_a_bar_that_is_not_later_or_cannot_be_is_refused(bars):
    feed = ReplayFeed(bars, START)
    made = compute_features(bars.iloc[:3_000], TECHNICAL, HOUR, np.float32)
    bar = next(iter(feed))
    for changed, words in (
        (bar._replace(timestamp_ms=int(timestamps_ms(bars)[START - 1])), "not later than the bar before"),
        (ClosedBar(bar.timestamp_ms, np.array([1.0, 1.0, -1.0, 1.0, 1.0])), "low is -1.0"),
    ):
        tail = MarketTail(TECHNICAL, HOUR, scaler(made), "S", feed.columns, WINDOW)
        tail.load(feed.history)
        with pytest.raises(DataError, match=words):
            tail.append(changed)


def test_too_few_bars_to_decide_and_mark_are_refused(bars):
    setting = PaperSetting(desk(), CostParams(), SimulatorParams(), COLUMNS, "test")
    with pytest.raises(ConfigError, match=f"a replay of {WINDOW} bars"):
        paper(bars.iloc[: START + 1], setting)
    feed = ReplayFeed(bars, 20)
    made = compute_features(bars.iloc[:3_000], TECHNICAL, HOUR, np.float32)
    tail = MarketTail(TECHNICAL, HOUR, scaler(made), "S", feed.columns, WINDOW)
    with pytest.raises(DataError, match="at least"):
        replay(Leaning(), tail, setting, feed, WINDOW)
