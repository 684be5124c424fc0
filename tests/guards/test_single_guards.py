"""What each guard does, in numbers."""

from __future__ import annotations

import numpy as np
import pytest

from guards.guard_worlds import FACTS, HOUR_MS, made, market
from seawall.core.errors import ConfigError, InvariantError
from seawall.core.market import Market
from seawall.core.past import PastBars
from seawall.core.protocols import GuardContext, GuardFacts, Holding
from seawall.core.timeframe import Timeframe
from seawall.guards.chain import GuardChain
from seawall.guards.feature_drift import FeatureDrift, FeatureDriftParams
from seawall.guards.measures import true_range_share
from seawall.guards.registry import GUARDS

MONDAY = 1_704_067_200_000  # 2024-01-01 00:00 UTC
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Story:
    """One account, bar by bar, before one guard."""

    def __init__(self, name: str, closes=None, times=None, features=None, **settings: object) -> None:
        self.guard = made(name, settings)
        close = np.full(400, 100.0) if closes is None else np.array(closes, dtype=np.float64)
        rows = len(close)
        opening = np.concatenate([close[:1], close[:-1]])
        prices = np.stack([opening, np.maximum(opening, close), np.minimum(opening, close), close, np.arange(rows) + 1.0], axis=1)
        times = MONDAY + np.arange(rows, dtype=np.int64) * HOUR_MS if times is None else np.array(times, dtype=np.int64)
        seen = np.zeros((rows, 3), dtype=np.float32) if features is None else np.array(features, dtype=np.float32)
        self.market = Market(("S",), (0, rows), Timeframe(3_600), times, prices, seen, FACTS.feature_names, (0,))
        self.state = self.guard.initial_state(1)
        self.row = -1
        self.words = ""

    def ask(self, current: float, proposed: float, equity: float = 100.0, **told) -> float:
        """The answer at the close of the next bar; a position as the current exposure says, entered at 100."""
        self.row = told.pop("row", self.row + 1)
        quantity, held, entry = told.pop("quantity", np.sign(current)), told.pop("held", 5), told.pop("entry", 100.0)
        context = GuardContext(
            signal=np.sign([proposed - current]).astype(np.int8),
            timestamp_ms=self.market.timestamps[[self.row]],
            equity=np.array([equity]),
            peak_equity=np.array([equity]),
            past=PastBars(self.market, np.array([self.row])),
            holding=Holding(np.array([quantity]), np.array([entry]), np.array([held])),
            **told,
        )
        verdict = self.guard.apply(np.array([current]), np.array([proposed]), context, self.state)
        self.state = verdict.state
        self.words = self.guard.reasons[verdict.reason[0] - 1] if verdict.reason[0] else ""
        return float(verdict.allowed[0])


def test_max_exposure_cuts_each_side_to_its_own_ceiling():
    story = Story("max_exposure", limit=0.8, short=0.3)
    assert [story.ask(0.0, proposed) for proposed in (1.0, 0.5, -1.0, -0.2)] == [0.8, 0.5, -0.3, -0.2]
    with pytest.raises(ValueError, match="never trade"):
        GUARDS["max_exposure"].params(long=0.0, short=0.0)


def test_min_hold_keeps_a_young_position_and_lets_it_grow():
    story = Story("min_hold", bars=3)
    assert story.guard.may_block_exit
    assert [story.ask(0.5, 0.0, held=held) for held in (1, 2, 3)] == [0.5, 0.5, 0.0]
    assert story.ask(0.5, -1.0, held=2) == 0.5
    assert story.ask(0.5, 1.0, held=1) == 1.0
    assert story.ask(0.5, 0.0, held=0, quantity=0.0) == 0.0  # an order that opened nothing yet


def test_cooldown_pauses_after_a_loss_for_as_many_decisions_as_it_says():
    story = Story("cooldown", bars=2)
    assert story.ask(0.0, 1.0, 100.0) == 1.0
    assert story.ask(1.0, -1.0, 98.0) == 0.0  # a reversal out of a loss
    assert [story.ask(0.0, 1.0, 98.0) for _ in range(4)] == [0.0, 0.0, 1.0, 1.0]
    assert story.ask(1.0, -1.0, 99.0) == -1.0  # a gain may be reversed
    anyway = Story("cooldown", bars=1, after="any")
    anyway.ask(1.0, 1.0, 100.0)
    assert [anyway.ask(0.0, 1.0, 110.0) for _ in range(2)] == [0.0, 1.0]


def test_order_rate_never_lets_more_orders_add_risk_than_it_says():
    rng = np.random.default_rng(0)
    story = Story("order_rate", max_orders=3, per_bars=10)
    current, added = 0.0, []
    for _ in range(300):
        allowed = story.ask(current, float(rng.choice([-1.0, 0.0, 1.0])))
        added.append(allowed != current and abs(allowed) >= abs(current))
        current = allowed
    window = np.convolve(added, np.ones(10), mode="valid")
    assert window.max() <= 3
    assert window.max() >= 2
    assert story.ask(1.0, 0.0) == 0.0
    with pytest.raises(ValueError, match="limits nothing"):
        GUARDS["order_rate"].params(max_orders=5, per_bars=5)


def test_session_opens_nothing_outside_and_can_be_flat_by_the_end():
    window = {"start": "09:00", "end": "12:00", "days": DAYS}
    hold, flat = (Story("session", windows=[window], outside=outside) for outside in ("hold", "flat"))
    # A bar that opens at 8 closes at 9, when its decision is taken.
    assert [hold.ask(0.0, 1.0, row=hour) for hour in (7, 8, 9, 10, 11)] == [0.0, 1.0, 1.0, 1.0, 0.0]
    assert hold.ask(1.0, 0.5, row=15) == 0.5
    assert [flat.ask(1.0, 1.0, row=hour) for hour in (8, 9, 10, 11)] == [1.0, 1.0, 0.0, 0.0]
    assert flat.words == "outside of the session"


def test_a_latched_breaker_stays_tripped_and_one_with_a_pause_comes_back_smaller():
    latched = Story("max_drawdown", limit=0.1)
    assert [latched.ask(1.0, 1.0, equity) for equity in (100.0, 110.0, 99.1, 99.0, 200.0)] == [1.0, 1.0, 1.0, 0.0, 0.0]
    story = Story("max_drawdown", limit=0.1, cooldown_bars=2, resume_exposure=0.4)
    answers = [story.ask(1.0, 1.0, 100.0), story.ask(1.0, 1.0, 89.0), *(story.ask(0.0, -1.0, 88.0) for _ in range(2))]
    assert answers == [1.0, 0.0, 0.0, -0.4]
    # The height starts anew at 88: 80 is a fall of 9 % from there, 79 one of 10.2 %.
    assert [story.ask(-0.4, -1.0, equity) for equity in (80.0, 79.0)] == [-0.4, 0.0]


def test_a_breaker_waits_for_a_position_that_could_not_be_closed():
    story = Story("max_drawdown", limit=0.1, cooldown_bars=1)
    story.ask(1.0, 1.0, 100.0)
    assert [story.ask(0.0, 1.0, 80.0, quantity=held) for held in (1.0, 1.0, 0.0)] == [0.0, 0.0, 0.5]


def test_daily_loss_counts_from_the_last_mark_of_the_day_before_and_forgets_at_midnight():
    story = Story("daily_loss", limit=0.05)
    assert story.ask(1.0, 1.0, 100.0, row=20) == 1.0
    assert story.ask(1.0, 1.0, 96.0, row=22) == 1.0  # closes at 23:00
    assert story.ask(1.0, 1.0, 95.0, row=23) == 1.0  # closes at midnight: the mark with which the new day begins
    assert story.ask(1.0, 1.0, 90.2, row=24) == 0.0 or story.ask(1.0, 1.0, 90.0, row=24) == 0.0
    assert story.ask(0.0, 1.0, 99.0, row=30) == 0.0
    assert story.ask(0.0, 1.0, 99.0, row=47) == 1.0
    gap = Story("daily_loss", limit=0.05)
    gap.ask(1.0, 1.0, 100.0, row=20)
    assert gap.ask(1.0, 1.0, 94.0, row=30) == 0.0  # the night's gap is the new day's loss


def test_daily_loss_follows_the_clock_of_its_place():
    story = Story("daily_loss", limit=0.05, timezone="America/New_York", day_start="17:00")
    story.ask(1.0, 1.0, 100.0, row=10)
    assert story.ask(1.0, 1.0, 94.0, row=20) == 0.0  # 21:00 UTC is 16:00 there
    assert story.ask(0.0, 1.0, 94.0, row=21) == 1.0  # 22:00 UTC is 17:00: a new day
    with pytest.raises(ValueError, match="time zone database"):
        GUARDS["daily_loss"].params(timezone="Mars")


def test_a_fixed_stop_leaves_at_its_distance_from_the_entry_and_bars_its_side():
    story = Story("stop_loss", closes=[100.0, 96.0, 95.0, 95.0, 95.0, 95.0], distance=0.05, wait_bars=2)
    assert [story.ask(1.0, 1.0), story.ask(1.0, 1.0), story.ask(1.0, 1.0)] == [1.0, 1.0, 0.0]
    assert story.words == "the stop-loss is hit"
    assert story.ask(0.0, 1.0) == 0.0
    assert story.ask(0.0, 1.0) == 1.0
    other = Story("stop_loss", closes=[100.0, 105.0, 105.0], distance=0.05)
    assert [other.ask(-1.0, -1.0), other.ask(-1.0, -1.0), other.ask(0.0, 1.0)] == [-1.0, 0.0, 1.0]


def test_a_stop_by_true_range_keeps_the_distance_of_its_entry():
    # The range of each bar is 2 up to the entry, then grows; 3 ranges of 2 at 100 are 6 %.
    closes = [100.0, 102.0, 100.0, 102.0, 100.0, 108.0, 95.0, 93.9]
    story = Story("stop_loss", closes=closes, kind="atr", atr_multiple=3.0, atr_bars=4)
    assert story.ask(1.0, 1.0, row=4) == 1.0
    assert [story.ask(1.0, 1.0, row=row) for row in (5, 6, 7)] == [1.0, 1.0, 0.0]
    assert story.state[0, 3] == pytest.approx(0.06, abs=1e-12)
    young = Story("stop_loss", closes=closes, kind="atr", atr_multiple=3.0, atr_bars=4, distance=0.01)
    young.ask(1.0, 1.0, row=1)
    assert young.state[0, 3] == 0.01  # too few bars are known


def test_a_trailing_stop_follows_the_best_close():
    story = Story("trailing_stop", closes=[100.0, 110.0, 120.0, 114.5, 113.9], distance=0.05)
    assert [story.ask(1.0, 1.0) for _ in range(5)] == [1.0, 1.0, 1.0, 1.0, 0.0]
    short = Story("trailing_stop", closes=[100.0, 90.0, 94.0, 94.6], distance=0.05)
    assert [short.ask(-1.0, -1.0) for _ in range(4)] == [-1.0, -1.0, -1.0, 0.0]


def test_a_volatility_target_sizes_by_the_root_mean_square_of_returns():
    # Returns of ±1 % an hour are 0.01 × √8766 = 0.9363 a year.
    closes = 100.0 * np.exp(np.cumsum(np.where(np.arange(60) % 2, -0.01, 0.01)))
    story = Story("volatility_target", closes=closes, target=0.5, lookback=20, step=0.0)
    assert story.ask(0.0, -1.0, row=40) == pytest.approx(-0.5 / (0.01 * np.sqrt(8_766.0)), abs=1e-12)
    assert Story("volatility_target", closes=closes, target=0.5, lookback=20).ask(0.0, 1.0, row=40) == 0.5
    assert Story("volatility_target", closes=closes, target=0.5, lookback=20, floor=0.7).ask(0.0, 1.0, row=40) == 0.7
    assert Story("volatility_target", closes=closes, lookback=20).ask(0.0, 1.0, row=10) == 0.0  # too few bars
    wild = Story("volatility_target", closes=closes, lookback=20, highest=0.9)
    assert wild.ask(0.0, 1.0, row=40) == 0.0
    assert wild.words == "the volatility is outside of the filter"
    assert Story("volatility_target", closes=closes, lookback=20, highest=0.95).ask(0.0, 0.1, row=40) == 0.1
    with pytest.raises(ValueError, match="nothing would ever be opened"):
        GUARDS["volatility_target"].params(lowest=1.0, highest=0.5)


def test_a_kelly_cap_is_a_share_of_mean_over_variance():
    story = Story("kelly_cap", min_bars=4, half_life=1e6, fraction=0.5, step=0.0)
    equity, returns = 100.0, [0.03, -0.02, 0.03, -0.02]
    assert story.ask(0.5, 1.0, equity) == 1.0
    for earned in returns[:-1]:
        equity *= 1.0 + 0.5 * earned
        assert story.ask(0.5, 1.0, equity) == 1.0
    allowed = story.ask(0.5, 100.0, equity * (1.0 + 0.5 * returns[-1]))
    assert allowed == pytest.approx(0.5 * np.mean(returns) / np.var(returns), rel=1e-4)


def test_a_kelly_cap_of_an_account_that_loses_is_its_floor():
    story = Story("kelly_cap", min_bars=3, floor=0.2)
    assert [story.ask(1.0, 1.0, equity) for equity in (100.0, 99.0, 98.0, 97.0)] == [1.0, 1.0, 1.0, 0.2]


def test_stale_data_knows_old_bars_holes_and_a_feed_that_repeats_itself():
    live = Story("stale_data", max_age_bars=0.5)
    closed = MONDAY + HOUR_MS
    assert live.ask(0.0, 1.0, row=0, wall_clock_ms=closed + HOUR_MS // 2) == 1.0
    assert live.ask(0.0, 1.0, row=0, wall_clock_ms=closed + HOUR_MS // 2 + 1) == 0.0
    assert live.words == "the newest bar is too old"
    assert live.ask(1.0, 0.0, row=0, wall_clock_ms=closed + 10 * HOUR_MS) == 0.0
    times = MONDAY + HOUR_MS * np.array([0, 1, 3, 4, 8])
    holes = Story("stale_data", closes=[100.0, 101.0, 102.0, 103.0, 104.0], times=times, max_gap_bars=1)
    assert [holes.ask(0.0, 1.0) for _ in range(5)] == [1.0, 1.0, 1.0, 1.0, 0.0]
    still = Story("stale_data", closes=[100.0, 101.0, *[101.0] * 5], max_still_bars=2)
    still.market.prices[:, 4] = 0.0
    assert [still.ask(0.0, 1.0) for _ in range(7)] == [1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]


def test_feature_drift_counts_features_outside_of_the_training_range_and_its_margin():
    features = [[0.0, 0.0, 0.0], [1.2, 0.0, 0.0], [1.3, 0.0, 0.0], [1.3, -2.0, 0.0], [np.nan, 0.0, 0.0]]
    story = Story("feature_drift", closes=[100.0] * 5, features=features, margin=0.125)  # the range is −1..1: to ±1.25
    assert [story.ask(0.0, 1.0) for _ in range(5)] == [1.0, 1.0, 0.0, 0.0, 0.0]
    two = Story("feature_drift", closes=[100.0] * 5, features=features, margin=0.125, max_outside=1, action="flat")
    assert [two.ask(1.0, 1.0) for _ in range(5)] == [1.0, 1.0, 1.0, 0.0, 1.0]


def test_feature_drift_refuses_a_run_without_a_training_range_and_fails_where_it_was_told_none():
    with pytest.raises(ConfigError, match="'feature_drift' needs the range of the features"):
        FeatureDrift(FeatureDriftParams()).informed(GuardFacts(Timeframe(3_600), ("f0",), None))
    story = Story("feature_drift")
    story.guard = FeatureDrift(FeatureDriftParams())
    with pytest.raises(InvariantError, match="was not told the training range"):
        story.ask(0.0, 1.0)


def test_disagreement_counts_members_on_the_side_that_is_proposed():
    story = Story("disagreement", agreement=0.6)
    assert story.ask(0.0, 1.0, votes=np.array([[1.0, 0.5, 1.0, -1.0, 0.0]])) == 1.0
    assert story.ask(0.0, 1.0, votes=np.array([[1.0, 0.0, 1.0, -1.0, 0.0]])) == 0.0
    assert story.ask(1.0, 0.0, votes=np.array([[1.0, 1.0, 1.0, 1.0, 1.0]])) == 0.0  # an exit needs nobody's consent
    assert story.ask(1.0, -1.0, votes=np.array([[1.0, -1.0, 1.0, -1.0, 0.0]])) == 0.0
    assert story.ask(0.0, 1.0) == 1.0  # a policy without members


@pytest.mark.parametrize(("when", "there", "not_there"), [("present", 0.0, 1.0), ("absent", 1.0, 0.0)])
def test_the_kill_switch_looks_at_its_file_where_an_operator_may_step_in(tmp_path, when, there, not_there):
    file = tmp_path / "KILL"
    story = Story("kill_switch", file=str(file), when=when, latch=False)
    assert story.ask(1.0, 1.0, attended=True) == not_there
    file.touch()
    assert story.ask(1.0, 1.0, attended=True) == there
    assert story.ask(1.0, 1.0, attended=False) == 1.0  # training and backtests


def test_a_latched_kill_switch_stays_thrown_and_one_that_cannot_be_looked_at_counts_as_thrown(tmp_path):
    file = tmp_path / "KILL"
    story = Story("kill_switch", file=str(file))
    file.touch()
    assert story.ask(1.0, 1.0, attended=True) == 0.0
    file.unlink()
    assert story.ask(0.0, 1.0, attended=True) == 0.0
    file.touch()
    assert Story("kill_switch", file=str(file / "below")).ask(1.0, 1.0, attended=True) == 0.0
    assert Story("kill_switch", engaged=True).ask(1.0, 1.0) == 0.0


def test_an_exempt_exit_passes_n_consecutive_and_a_held_reversal_becomes_flat():
    story = Story("n_consecutive", n=1, exits_exempt=True)
    assert not story.guard.may_block_exit
    story.state = np.array([[-1.0]])
    assert story.ask(1.0, 0.0) == 0.0
    story.state = np.array([[-1.0]])
    assert story.ask(1.0, -1.0) == 0.0
    story.state = np.array([[1.0]])
    assert story.ask(0.5, 1.0) == 0.5
    GuardChain([made("max_drawdown"), made("n_consecutive", {"exits_exempt": True})])  # and so may stand after a breaker


@pytest.mark.parametrize("n", [0, -1])
def test_n_consecutive_of_no_action_is_refused(n):
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        GUARDS["n_consecutive"].params(n=n)


def test_every_setting_of_every_guard_is_described_and_has_bounds_on_numbers():
    for name, entry in GUARDS.items():
        for key, field in entry.params.model_fields.items():
            assert field.description, f"{name}.{key}"


def test_a_stop_that_is_hit_leaves_a_reversal_to_the_policy():
    story = Story("stop_loss", closes=[100.0, 90.0], distance=0.05)
    assert [story.ask(1.0, 1.0), story.ask(1.0, -1.0)] == [1.0, -1.0]


def test_the_true_range_takes_in_gaps_and_no_bar_of_another_series():
    bars = market(0)
    bars.prices[30:32] = [[100.0, 101.0, 99.0, 100.0, 1.0], [110.0, 112.0, 109.0, 110.0, 1.0]]
    assert true_range_share(PastBars(bars, np.array([31])), 1).tolist() == [12.0 / 110.0]  # 112 − 100, over the close
    second = PastBars(bars, np.array([60]))
    assert np.isnan(second.closes(3)[0]).tolist() == [True, True, False]
    assert second.times(2)[0].tolist() == [-1, int(bars.timestamps[60])]
