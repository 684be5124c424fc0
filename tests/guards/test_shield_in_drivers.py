"""The whole shield in training, backtest, paper, ablation and after a restart: the same decisions to the bit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from guards.guard_worlds import SETTINGS
from seawall.core.bars import from_milliseconds
from seawall.core.market import Market, RowRange
from seawall.core.protocols import VOTES, FeatureSet, GuardFacts
from seawall.core.timeframe import Timeframe
from seawall.engine.decision import DecisionLoop
from seawall.envs.params import EnvironmentParams
from seawall.envs.vector import TradingVectorEnv
from seawall.evaluation.ablation_walk import ALL_GUARDS, NO_GUARD, Course, variants_of, walk
from seawall.evaluation.backtest import backtest, reasons_in_words
from seawall.evaluation.ledger import Ledger, ledger_of
from seawall.features.scaling.scaler import Scaler
from seawall.guards.chain import GuardChain
from seawall.guards.registry import GUARDS, guard, guard_chain
from seawall.live.paper import PaperSetting, replay
from seawall.live.replay import ReplayFeed
from seawall.live.tail import MarketTail
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.params import CostParams
from seawall.simulator.desk import Desk
from seawall.simulator.settings import SimulatorParams
from seawall.simulator.simulator import Simulator

HOUR, ROWS, FIRST, WINDOW = Timeframe(3_600), 420, 60, 2
COLUMNS = ("exposure", "drawdown")
SHIELD: dict[str, dict[str, object]] = {
    "n_consecutive": {"n": 4},
    "min_hold": {"bars": 2},
    "cooldown": {"bars": 1},
    "order_rate": {"max_orders": 5, "per_bars": 12},
    "disagreement": {"agreement": 0.8},
    "feature_drift": {"margin": 0.0},
    "stale_data": {"max_gap_bars": 2, "max_still_bars": 2},
    "session": {"windows": [{"start": "02:00", "end": "23:00", "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]}]},
    "max_exposure": {"limit": 0.9},
    "volatility_target": {"target": 0.8, "lookback": 20},
    "kelly_cap": {"min_bars": 150, "floor": 0.4},
    "stop_loss": {"kind": "atr", "atr_multiple": 2.5, "atr_bars": 10, "wait_bars": 2},
    "trailing_stop": {"distance": 0.025, "wait_bars": 2},
    "daily_loss": {"limit": 0.04},
    "max_drawdown": {"limit": 0.15, "cooldown_bars": 10, "resume_exposure": 0.6},
    "kill_switch": {"file": "nowhere/KILL"},
}


def frame() -> pd.DataFrame:
    """Hourly bars with a hole, a still feed, and rows whose features leave their training range."""
    rng = np.random.default_rng(5)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.012, ROWS)))
    opening = np.concatenate([close[:1], close[:-1]])
    span = np.abs(rng.normal(0.0, 0.2, ROWS))
    block = np.stack([opening, np.maximum(opening, close) + span, np.minimum(opening, close) - span, close, span + 1.0], axis=1)
    block[200:206] = block[200]
    hours = np.arange(ROWS) + np.where(np.arange(ROWS) < 150, 0, 5)
    made = pd.DataFrame(block, columns=["open", "high", "low", "close", "volume"])
    made.insert(0, "timestamp", from_milliseconds(1_704_067_200_000 + hours * 3_600_000))
    return made


def change(bars: pd.DataFrame) -> np.ndarray:
    close = np.log(bars["close"].to_numpy())
    return np.concatenate([[[np.nan]], np.diff(close)[:, None]])


CHANGE = FeatureSet("change", ("change",), 1, (), change, windowed=True)


class World:
    """Bars, their market, and what is known of its training rows."""

    def __init__(self) -> None:
        self.bars = frame()
        block = change(self.bars).astype(np.float32)
        self.scaler = Scaler.fit(block, RowRange(1, FIRST + 40), ("change",), "zscore")
        times = self.bars["timestamp"].to_numpy("datetime64[ms]").astype(np.int64)
        prices = np.ascontiguousarray(self.bars[["open", "high", "low", "close", "volume"]].to_numpy())
        self.market = Market(("S",), (0, ROWS), HOUR, times, prices, self.scaler.transform(block), ("change",), (1,))
        self.facts = GuardFacts(HOUR, ("change",), self.scaler.training_range)
        self.rows = RowRange(FIRST, ROWS)

    def chain(self, names: tuple[str, ...] = tuple(SHIELD)) -> GuardChain:
        return guard_chain([(name, GUARDS[name].params(**SHIELD[name])) for name in names], self.facts)

    def desk(self, n: int = 1) -> Desk:
        return Desk(action_scheme("target_exposure", True), self.chain(), n)

    def judged(self) -> Ledger:
        return backtest(Committee(), self.market, self.rows, self.desk(), CostParams(), SimulatorParams(), COLUMNS)


class Committee:
    """Five members that lean on the last change, the account and the guards' state; their median decides."""

    def act(self, observation, *, deterministic=True):
        rows = observation.rows
        seen = observation.market.features[rows, 0] + 0.5 * observation.market.features[rows - 1, 0]
        lean = seen + 0.3 * observation.account.sum(axis=1)
        votes = np.stack([np.clip(np.round(1.3 * lean + shift), -1, 1) + 1 for shift in (-0.4, -0.2, 0.0, 0.2, 0.4)], axis=1)
        return np.median(votes, axis=1).astype(np.int64), {VOTES: votes.astype(np.int64)}


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def test_the_shield_holds_every_registered_guard_and_most_of_them_intervene(world):
    assert set(SHIELD) == set(SETTINGS)
    ledger = world.judged()
    assert len(set(ledger.frame["guard"]) - {""}) >= 10
    assert (ledger.column("traded_notional") > 0.0).sum() > 20


def test_paper_over_the_same_bars_gives_the_backtests_ledger_to_the_bit(world):
    expected = world.judged()
    seen = max(WINDOW, world.chain().lookback)
    assert seen == 21
    feed = ReplayFeed(world.bars, FIRST - seen + 1)
    tail = MarketTail(CHANGE, HOUR, world.scaler, "S", feed.columns, seen)
    setting = PaperSetting(world.desk(), CostParams(), SimulatorParams(), COLUMNS, "test")
    result = replay(Committee(), tail, setting, feed, seen)
    words = reasons_in_words(setting.desk, result.records)
    ledger = ledger_of(result.records, words, result.initial_equity, np.asarray(world.market.timestamps[FIRST:]))
    pd.testing.assert_frame_equal(ledger.frame, expected.frame, check_exact=True)


def test_a_kill_file_thrown_in_paper_makes_the_account_flat(world, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    guards = [guard("kill_switch", GUARDS["kill_switch"].params(), world.facts)]
    desk = Desk(action_scheme("target_exposure", True), GuardChain(guards), 1)
    feed = ReplayFeed(world.bars, FIRST)
    tail = MarketTail(CHANGE, HOUR, world.scaler, "S", feed.columns, WINDOW)
    settled: list[float] = []

    def throw(record) -> None:
        settled.append(float(record.quantity[0]))
        if len(settled) == 100:
            (tmp_path / "KILL").touch()

    replay(Committee(), tail, PaperSetting(desk, CostParams(), SimulatorParams(), COLUMNS, "test"), feed, WINDOW, throw)
    assert any(settled[:100])
    assert not any(settled[102:])  # the decision at hand was taken before the file was there


def test_training_takes_the_decisions_of_the_backtest(world):
    expected = world.judged()
    params = EnvironmentParams(window=WINDOW, start="first", account_columns=COLUMNS)
    env = TradingVectorEnv(world.market, world.rows, 3, action_scheme("target_exposure", True), params=params, guards=world.chain())
    seen, _ = env.reset(seed=0)
    policy, equity = Committee(), []

    class Seen:
        market = world.market

    for _ in range(len(expected.frame)):
        Seen.rows, Seen.account = seen["row"], seen["account"]
        actions, told = policy.act(Seen)
        env.decision = env.desk.decide(actions, env.simulator.view(), told[VOTES])
        env.simulator.step(env.decision.allowed, env.decision.terms, env.decision.signal)
        equity.append(env.simulator.equity.tolist())
        seen = env.observe()
    assert equity == [[value] * 3 for value in expected.frame["equity"].tolist()]


def test_a_restart_from_the_saved_state_goes_on_exactly(world):
    expected = world.judged()

    def fresh() -> tuple[Simulator, Desk]:
        accounts = Simulator(world.market, 1, CostParams(), SimulatorParams())
        accounts.reset(np.array([0]), np.array([FIRST]), np.array([ROWS]))
        return accounts, world.desk()

    accounts, desk = fresh()
    loop = DecisionLoop(Committee(), desk, accounts, COLUMNS)
    equity = [float(loop.step().equity[0]) for _ in range(170)]
    saved, state = accounts.state_dict(), desk.save().tolist()
    accounts, desk = fresh()
    accounts.load_state_dict(saved)
    desk.restore(np.array(state))
    loop = DecisionLoop(Committee(), desk, accounts, COLUMNS)
    equity += [float(loop.step().equity[0]) for _ in range(len(expected.frame) - 170)]
    assert equity == expected.frame["equity"].tolist()


def test_an_ablation_walks_every_guard_as_its_backtest(world):
    chain = world.chain()
    shown = chain.shown_names
    course = Course(
        world.market,
        world.rows,
        action_scheme("target_exposure", True),
        chain.guards,
        COLUMNS,
        shown,
        CostParams(),
        SimulatorParams(),
    )
    found = walk(Committee(), course, variants_of(tuple(SHIELD)))
    assert found[ALL_GUARDS].frame["equity"].tolist() == world.judged().frame["equity"].tolist()
    assert len(found) == 2 * len(SHIELD) + 2
    changed = [name for name in SHIELD if not found[f"only {name}"].frame.equals(found[NO_GUARD].frame)]
    assert len(changed) >= 12


def test_a_policy_is_shown_no_hidden_column(world):
    names = world.desk().state_names
    assert "max_drawdown.tripped" in names
    assert not any(name.endswith((".peak", ".equity", ".day", ".best")) for name in names)
