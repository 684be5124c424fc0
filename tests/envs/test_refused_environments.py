"""What no environment can be made of, and what none takes as an action: refused by name, value and what is allowed."""

from __future__ import annotations

import numpy as np
import pytest

from envs import small_panels
from envs.small_worlds import ROWS, batch, world
from seawall.core.errors import ConfigError, DataError, InvariantError
from seawall.core.market import RowRange
from seawall.envs.params import EnvironmentParams
from seawall.envs.portfolio_vector import PortfolioVectorEnv
from seawall.envs.single import TradingEnv
from seawall.envs.vector import TradingVectorEnv
from seawall.simulator.actions.registry import ACTION_SCHEMES, action_scheme

WHOLE = EnvironmentParams(window=4, episode_bars=20)
CONTINUOUS = ("thresholded", "continuous_target")


@pytest.mark.parametrize("name", ACTION_SCHEMES)
@pytest.mark.parametrize("given", [1, 0, 2, 4])
def test_actions_of_another_number_than_accounts_are_refused_and_none_is_taken_for_all(name, given):
    env = TradingVectorEnv(world(), RowRange(0, ROWS), 3, action_scheme(name, short=True), params=WHOLE)
    env.reset(seed=0)
    kind = np.float32 if name in CONTINUOUS else np.int64
    with pytest.raises(
        InvariantError, match=rf"{given} actions were given to 3 accounts, shape \({given},\); allowed: one for each"
    ):
        env.step(np.ones(given, dtype=kind))


@pytest.mark.parametrize("action", [True, False, [[1], [2, 3]], [1, [2]]])
def test_one_account_takes_no_truth_and_no_uneven_list_for_an_action(action):
    env = TradingEnv(world(), RowRange(0, ROWS), action_scheme("sell_buy_hold", short=True), params=WHOLE)
    env.reset(seed=0)
    with pytest.raises(InvariantError, match=r"is not understood by scheme 'sell_buy_hold'; allowed: whole numbers 0\.\.2"):
        env.step(action)


def test_uneven_lists_are_refused_by_batches_and_portfolios():
    env, portfolio = batch(3), small_panels.single()
    env.reset(seed=0)
    portfolio.reset(seed=0)
    with pytest.raises(InvariantError, match=r"of type object, .*allowed: whole numbers"):
        env.step([[1], [1, 2], [0]])
    with pytest.raises(InvariantError, match=r"of type object, .*allowed: numbers, shape \(N, 4\)"):
        portfolio.step([[0.5], [0.25, 0.25], [0.0], [0.0]])


@pytest.mark.parametrize("n", [0, -1, 2.5, True, "4", None])
def test_the_number_of_environments_is_a_whole_number_of_at_least_1(n):
    message = rf"a vector environment of {n!r} accounts was asked for; allowed: a whole number, at least 1"
    with pytest.raises(ConfigError, match=message):
        batch(n)
    with pytest.raises(ConfigError, match=message):
        small_panels.batch(n)


@pytest.mark.parametrize("seed", [-1, 1.5, True, None, 2**63])
def test_a_seed_is_a_whole_number_that_a_saved_state_can_hold(seed):
    message = rf"the seed of the environment is {seed!r}; allowed: a whole number from 0 to 9223372036854775807"
    with pytest.raises(ConfigError, match=message):
        TradingVectorEnv(world(), RowRange(0, ROWS), 2, action_scheme("sell_buy_hold", short=True), params=WHOLE, seed=seed)
    with pytest.raises(ConfigError, match=message):
        PortfolioVectorEnv(small_panels.bars(), RowRange(0, small_panels.ROWS), 2, seed=seed)


@pytest.mark.parametrize("rows", [(0, 100), [RowRange(0, 100), 7], 100, "all"])
def test_rows_are_ranges(rows):
    with pytest.raises(ConfigError, match=r"rows of the environment are .*; allowed: a range as in RowRange\(0, 500\), or several"):
        batch(2, rows=rows)
    with pytest.raises(ConfigError, match=r"rows of the environment are .*; allowed: a range as in RowRange\(0, 500\), or several"):
        PortfolioVectorEnv(small_panels.bars(), rows, 2)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_feature_that_a_decision_would_see_is_finite(value):
    market = world()
    features = market.features.copy()
    features[49, 2] = value
    gap = type(market)(**{**vars(market), "features": features})
    chosen = {"market": gap, "window": 4}
    with pytest.raises(DataError, match=rf"feature 'f2' is {value} at row 49 of the market; allowed: finite numbers in every row"):
        batch(2, **chosen, rows=RowRange(52, 100))
    # The window of row 53 begins at row 50.
    assert batch(2, **chosen, rows=RowRange(53, 100)).reset(seed=0)[0]["row"].min() >= 53


def test_a_scheme_that_has_no_exposure_left_is_refused():
    with pytest.raises(ConfigError, match=r"levels of action scheme 'target_position' are \[-1\.0, -0\.5\], none of which is left"):
        action_scheme("target_position", short=False, options={"levels": [-1, -0.5]})


def test_a_bar_whose_high_is_below_its_low_is_refused():
    market = world()
    market.prices[7, 1:3] = 99.0, 99.5
    with pytest.raises(
        DataError, match=r"row 7 of the market has high 99\.0 below low 99\.5; allowed: a high that is not below it"
    ):
        batch(1, market)
