from __future__ import annotations

import numpy as np
import pytest
from small_worlds import READY, ROWS, world

from seawall.core.errors import ConfigError
from seawall.core.market import RowRange
from seawall.envs.episodes import Episodes, decision_range

FIRST = READY + 3  # windows of 4


WHOLE = (RowRange(0, ROWS),)


def planned(bars: int, mode, ranges=WHOLE, market=None) -> Episodes:
    return Episodes.plan(world() if market is None else market, list(ranges), 4, bars, mode)


def rows_of(episodes: Episodes, environments: list[int], numbers: list[int]) -> list[tuple[int, int]]:
    start, stop = episodes.rows(7, np.array(environments), np.array(numbers))
    return list(zip(start.tolist(), stop.tolist(), strict=True))


def test_first_starts_each_episode_at_the_first_row():
    assert rows_of(planned(20, "first"), [0, 1, 1], [0, 0, 5]) == [(FIRST, FIRST + 21)] * 3


def test_an_episode_of_no_stated_length_covers_the_range():
    assert rows_of(planned(0, "first"), [0], [0]) == [(FIRST, ROWS)]
    assert rows_of(planned(0, "random"), [0, 3], [0, 9]) == [(FIRST, ROWS)] * 2


def test_sequential_walks_every_decision_once_and_then_starts_again():
    episodes = planned(100, "sequential")  # 291 decisions: 100 + 100 + 91
    wanted = [(8, 109), (108, 209), (208, 300), (8, 109)]
    assert rows_of(episodes, [0] * 4, [0, 1, 2, 3]) == wanted
    assert rows_of(episodes, [1, 1, 1], [0, 1, 2]) == [wanted[1], wanted[2], wanted[0]]


def test_random_episodes_are_whole_and_reach_both_ends():
    episodes = planned(250, "random")  # 291 decisions leave 42 places to start
    start, stop = episodes.rows(7, np.repeat(np.arange(40), 50), np.tile(np.arange(50), 40))
    assert (stop - start).tolist() == [251] * 2_000
    assert (start.min(), start.max(), stop.max()) == (FIRST, FIRST + 41, ROWS)
    counts = np.bincount(start - FIRST, minlength=42)
    assert counts.min() > 20  # 48 expected in each place


def test_random_episodes_of_several_ranges_stay_inside_their_range():
    market = world(starts=(0, 100))
    episodes = planned(30, "random", (RowRange(0, 100), RowRange(100, 300)), market)
    start, stop = episodes.rows(3, np.arange(600), np.zeros(600, dtype=int))
    left = start < 100
    assert (stop[left] <= 100).all()
    assert (start[left] >= FIRST).all()
    assert (start[~left] >= 100 + FIRST).all()
    share = left.mean()  # 62 of 62 + 162 places
    assert 0.2 < share < 0.36


def test_sequential_walks_several_ranges_in_order():
    market = world(starts=(0, 100))
    episodes = planned(0, "sequential", (RowRange(0, 100), RowRange(100, 300)), market)
    assert rows_of(episodes, [0, 0, 0], [0, 1, 2]) == [(FIRST, 100), (100 + FIRST, 300), (FIRST, 100)]


def test_rows_before_the_range_may_fill_the_first_window():
    assert decision_range(world(), RowRange(50, 100), 12) == RowRange(50, 100)


def test_a_range_that_is_too_short_names_the_rows_present_and_required():
    with pytest.raises(ConfigError, match=r"rows 0\.\.8 of S0 are too few: 9 rows present, 10 required"):
        decision_range(world(), RowRange(0, 9), 4)
    assert decision_range(world(), RowRange(0, 10), 4) == RowRange(8, 10)


@pytest.mark.parametrize("rows", [RowRange(90, 101), RowRange(250, 301), RowRange(300, 310)])
def test_a_range_that_leaves_its_series_is_refused(rows):
    with pytest.raises(ConfigError, match="leave their series"):
        decision_range(world(starts=(0, 100)), rows, 4)


def test_no_rows_are_refused():
    with pytest.raises(ConfigError, match="no rows were given"):
        planned(10, "first", ())


def test_a_grid_starts_at_every_so_manieth_row_through_all_ranges_and_around():
    # Episodes of 10 decisions. Rows 8..39 leave the starts 8..29, of which 8, 17 and 26 are 9 apart; rows 47..69 leave 47 and 56.
    episodes = Episodes.plan(world(), [RowRange(5, 40), RowRange(47, 70)], 4, 10, "grid", 9)
    start, stop = episodes.rows(1, np.arange(7), np.zeros(7, dtype=np.int64))
    assert start.tolist() == [8, 17, 26, 47, 56, 8, 17]
    assert (stop - start).tolist() == [11] * 7


def test_a_grid_goes_on_with_the_next_row_in_each_episode_whatever_runs_beside_it():
    episodes = Episodes.plan(world(), [RowRange(5, 40)], 4, 10, "grid", 9)
    alone = episodes.rows(1, np.array([2, 2, 2]), np.array([0, 1, 2]))[0]
    assert alone.tolist() == [26, 8, 17]
    assert episodes.rows(7, np.array([0, 1, 2]), np.array([4, 4, 4]))[0].tolist() == [17, 26, 8]
