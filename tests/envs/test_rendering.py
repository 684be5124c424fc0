"""What an environment shows of itself: lines of text, and a picture of bars, trades and equity."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from small_worlds import ROWS, world

from seawall.core.errors import ConfigError, InvariantError
from seawall.core.market import RowRange
from seawall.envs.drawing import ACCENT, FALL, LINE, RISE
from seawall.envs.params import EnvironmentParams
from seawall.envs.single import ENVIRONMENT_ID, TradingEnv
from seawall.envs.trail import BARS
from seawall.guards.n_consecutive import NConsecutiveParams
from seawall.guards.registry import guard_chain
from seawall.simulator.actions.registry import action_scheme

PRICE_PANEL, EQUITY_PANEL = slice(58, 322), slice(362, 446)


def env(
    mode: str | None,
    volatility: float = 0.02,
    rows: int = ROWS,
    starts: tuple[int, ...] = (0,),
    scheme: str = "target_exposure",
) -> TradingEnv:
    """An environment with the N-consecutive guard whose first row is 8."""
    made = TradingEnv(
        world(volatility=volatility, rows=rows, starts=starts),
        RowRange(starts[-1], rows),
        action_scheme(scheme, short=True),
        params=EnvironmentParams(window=4, start="first"),
        guards=guard_chain([("n_consecutive", NConsecutiveParams())]),
        render_mode=mode,
    )
    made.reset(seed=0)
    return made


def count(picture: np.ndarray, colour: tuple[int, int, int], rows: slice = slice(None)) -> int:
    return int((picture[rows] == colour).all(axis=2).sum())


def test_text_tells_time_price_position_equity_drawdown_and_the_decision():
    shown = env("ansi")
    assert shown.render().splitlines()[2:] == [
        "position  none",
        "equity    10,000.00, +0.00% in this episode",
        "drawdown  0.00%",
        "decision  none yet",
    ]
    shown.step(2)  # long at the open of row 9, that is at the close of row 8
    market, accounts = shown.batch.market, shown.batch.simulator
    entry, close = market.prices[9, 0], market.prices[9, 3]
    units, equity = accounts.quantity[0], accounts.equity[0]
    assert shown.render().splitlines() == [
        "time      1970-01-01 10:00 UTC, row 9 of S0",
        f"price     {close:,.6g}",
        f"position  {units * close / equity:+.2f} of equity, {units:,.6g} units at {entry:,.6g}, 1 bars",
        f"equity    {equity:,.2f}, {equity / 10_000 - 1:+.2%} in this episode",
        f"drawdown  {max(0.0, 1 - equity / 10_000):.2%}",
        "decision  buy, exposure +1.00",
    ]


def test_text_gives_the_reason_of_a_guard():
    shown = env("ansi", scheme="sell_buy_hold")
    told = []
    for action in (1, 0, 0, 0):  # BUY, SELL, SELL, and a third SELL that repeats the last two
        shown.step(action)
        told.append(shown.render().splitlines()[-1])
    assert told[0] == "decision  buy, exposure +1.00"
    assert told[1] == told[2] == "decision  sell, exposure -1.00"
    reason = shown.batch.desk.reason_text(1, 1)
    assert told[3] == f"decision  sell, exposure -1.00; allowed -1.00: {reason}"
    assert "n_consecutive" in reason


def test_text_of_a_new_episode_does_not_tell_the_decision_of_the_old_one():
    shown = env("ansi")
    shown.step(2)
    shown.reset()
    assert shown.render().splitlines()[-1] == "decision  none yet"


def test_a_picture_is_an_rgb_array_of_one_size_from_the_first_bar_to_the_last():
    shown = env("rgb_array")
    ended = False
    while not ended:
        picture = shown.render()
        assert (picture.shape, picture.dtype) == ((480, 800, 3), np.uint8)
        _, _, terminated, truncated, _ = shown.step(2)
        ended = terminated or truncated
    assert shown.render().shape == (480, 800, 3)


def test_a_picture_has_candles_in_one_panel_and_equity_in_the_other():
    shown = env("rgb_array")
    for _ in range(BARS):
        shown.step(2)
    picture = shown.render()
    assert count(picture, RISE, PRICE_PANEL) > 300
    assert count(picture, FALL, PRICE_PANEL) > 300
    assert count(picture, LINE, EQUITY_PANEL) > 300
    assert count(picture, LINE, PRICE_PANEL) == 0


def test_a_picture_marks_where_a_position_is_left():
    shown = env("rgb_array", volatility=1e-9)
    for action in (2, 2, 2):
        shown.step(action)
    assert count(shown.render(), ACCENT) == 0
    shown.step(1)
    left = shown.render()
    assert count(left, ACCENT, PRICE_PANEL) > 20
    rows = np.argwhere((left == ACCENT).all(axis=2))
    shown.step(1)
    moved = np.argwhere((shown.render() == ACCENT).all(axis=2))
    assert -6.5 < moved[:, 1].mean() - rows[:, 1].mean() < -5.5  # one column of 5.9 pixels to the left


def test_a_picture_begins_where_its_series_begins():
    shown = env("rgb_array", rows=600, starts=(0, 400))
    assert shown.batch.simulator.row.tolist() == [408]
    picture = shown.render()
    columns = np.argwhere((picture[PRICE_PANEL] == RISE).all(axis=2) | (picture[PRICE_PANEL] == FALL).all(axis=2))[:, 1]
    assert columns.min() >= 722 - 9 * (722 - 16) / BARS - 1  # nine bars, the last of them at the right


def test_nothing_is_remembered_without_a_render_mode_and_no_bar_older_than_the_picture_with_one():
    silent, shown = env(None), env("ansi")
    assert silent._trail is None
    for _ in range(BARS + 30):
        shown.step(1)
    assert shown._trail is not None
    assert shown._trail.record().row.tolist() == list(range(8 + 31, 8 + BARS + 31))


def test_rendering_without_a_mode_warns_and_shows_nothing():
    with pytest.warns(UserWarning, match="render was called without a render mode"):
        assert env(None).render() is None


def test_rendering_changes_no_trajectory():
    silent, shown = env(None), env("rgb_array")
    for action in np.random.default_rng(0).integers(0, 3, 40):
        shown.render()
        one, other = silent.step(int(action)), shown.step(int(action))
        assert one[1:] == other[1:]
        assert all(one[0][name].tobytes() == other[0][name].tobytes() for name in one[0])


def test_an_unknown_render_mode_is_refused():
    with pytest.raises(ConfigError, match=r"render mode 'human' is unknown; allowed: \['ansi', 'rgb_array'\] or None"):
        env("human")


@pytest.mark.parametrize("mode", ["ansi", "rgb_array"])
def test_rendering_before_a_reset_is_refused(mode):
    made = TradingEnv(world(), RowRange(0, ROWS), action_scheme("target_exposure", short=True), render_mode=mode)
    with pytest.raises(InvariantError, match="render was called before the environment was reset"):
        made.render()


def test_wrappers_of_gymnasium_record_it(tmp_path):
    made = gymnasium.make(
        ENVIRONMENT_ID,
        market=world(),
        rows=RowRange(0, ROWS),
        scheme=action_scheme("target_exposure", short=True),
        render_mode="rgb_array",
    )
    assert made.metadata["render_fps"] == 10
    collected = gymnasium.wrappers.RenderCollection(made)
    collected.reset(seed=0)
    for _ in range(3):
        collected.step(2)
    frames = collected.render()
    assert len(frames) == 4
    assert not np.array_equal(frames[0], frames[3])
