"""Actions looked up in a table against the schemes' own words."""

import numpy as np
import pytest

from seawall.simulator.actions.lookup import Lookup
from seawall.simulator.actions.registry import action_scheme

TABLES = ["sell_buy_hold", "buy_sell_hold", "target_exposure", "hold_long_short_close"]


@pytest.mark.parametrize("short", [True, False])
@pytest.mark.parametrize("name", TABLES)
def test_a_table_says_what_the_scheme_says(name, short):
    scheme = action_scheme(name, short)
    rng = np.random.default_rng(0)
    actions = rng.integers(0, len(scheme.action_names), 500)
    current = rng.choice([-1.0, -0.25, 0.0, 0.5, 1.0] if short else [0.0, 0.5, 1.0], 500)
    found, said = Lookup(scheme.table(), 500).intent(actions, current), scheme.intent(actions, current)
    assert found.target.tolist() == said.target.tolist()
    assert found.signal.tolist() == said.signal.tolist()
    assert found.signal.dtype == said.signal.dtype == np.int8
    illegal = np.zeros(500, dtype=bool) if said.illegal is None else said.illegal
    assert (np.zeros(500, dtype=bool) if found.illegal is None else found.illegal).tolist() == illegal.tolist()


@pytest.mark.parametrize("actions", [np.array([0, 3]), np.array([-1, 0]), np.array([0.0, 1.0]), np.array([0]), np.array([[0, 1]])])
def test_what_a_scheme_must_refuse_is_left_to_it(actions):
    assert Lookup(action_scheme("sell_buy_hold", True).table(), 2).intent(actions, np.zeros(2)) is None


@pytest.mark.parametrize("name", ["thresholded", "continuous_target", "target_position"])
def test_schemes_whose_actions_are_more_than_exposures_have_no_table(name):
    assert action_scheme(name, True).table() is None
