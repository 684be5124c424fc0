"""The scheme of moves, and the schemes whose action is a number."""

import numpy as np
import pytest

from seawall.core.errors import InvariantError
from seawall.simulator.actions.moves import HoldLongShortClose
from seawall.simulator.actions.registry import action_scheme

HOLD, LONG, SHORT, CLOSE = HoldLongShortClose


def test_the_numbering_of_moves_is_the_published_one():
    assert (HOLD, LONG, SHORT, CLOSE) == (0, 1, 2, 3)
    assert action_scheme("hold_long_short_close", short=True).action_names == ("HOLD", "LONG", "SHORT", "CLOSE")


@pytest.mark.parametrize(
    ("held", "move", "target", "signal", "illegal"),
    [
        (0.0, HOLD, 0.0, 0, False),
        (0.0, LONG, 1.0, 1, False),
        (0.0, SHORT, -1.0, -1, False),
        (0.0, CLOSE, 0.0, 0, True),
        (1.0, HOLD, 1.0, 0, False),
        (1.0, LONG, 1.0, 0, True),
        (1.0, SHORT, 1.0, 0, True),
        (1.0, CLOSE, 0.0, -1, False),
        (-1.0, SHORT, -1.0, 0, True),
        (-1.0, LONG, -1.0, 0, True),
        (-1.0, CLOSE, 0.0, 1, False),
        (0.3, CLOSE, 0.0, -1, False),
    ],
)
def test_a_move_opens_when_flat_closes_in_a_position_and_else_does_nothing(held, move, target, signal, illegal):
    scheme = action_scheme("hold_long_short_close", short=True)
    intent = scheme.intent(np.array([int(move)]), np.array([held]))
    assert (intent.target[0], intent.signal[0], bool(intent.illegal[0])) == (target, signal, illegal)
    assert bool(scheme.action_mask(np.array([held]))[0, int(move)]) is not illegal


def test_without_short_positions_short_is_never_legal():
    scheme = action_scheme("hold_long_short_close", short=False)
    assert scheme.action_mask(np.array([0.0, 1.0])).tolist() == [[True, True, False, False], [True, False, False, True]]
    intent = scheme.intent(np.array([2]), np.array([0.0]))
    assert (intent.target[0], bool(intent.illegal[0])) == (0.0, True)


@pytest.mark.parametrize(
    ("action", "held", "target"),
    [
        (0.51, 0.0, 1.0),
        (0.5, 0.0, 0.0),
        (0.5, -1.0, -1.0),
        (-0.51, 1.0, -1.0),
        (-0.5, 1.0, 1.0),
        (0.09, 1.0, 0.0),
        (0.1, 1.0, 1.0),
        (-0.05, -1.0, 0.0),
    ],
)
def test_thresholds_are_those_of_the_published_variant(action, held, target):
    # a > 0.5 long, a < −0.5 short, |a| < 0.1 close, otherwise hold.
    intent = action_scheme("thresholded", short=True).intent(np.array([[action]]), np.array([held]))
    assert intent.target.tolist() == [target]
    assert intent.signal.tolist() == [np.sign(target - held)]


def test_a_number_below_0_leaves_the_market_where_short_positions_are_not_allowed():
    assert action_scheme("thresholded", short=False).intent(np.array([-0.9]), np.array([1.0])).target.tolist() == [0.0]
    assert action_scheme("continuous_target", short=False).intent(np.array([-0.9]), np.array([1.0])).target.tolist() == [0.0]


def test_a_continuous_target_is_the_exposure():
    intent = action_scheme("continuous_target", short=True).intent(np.array([0.25, -1.0, 0.5]), np.array([0.0, 0.0, 0.5]))
    assert intent.target.tolist() == [0.25, -1.0, 0.5]
    assert intent.signal.tolist() == [1, -1, 0]


@pytest.mark.parametrize("name", ["thresholded", "continuous_target"])
@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (np.array([0.0, 1.01]), "action 1.01 is not allowed by scheme"),
        (np.array([0.0, np.nan]), "action nan is not allowed by scheme"),
        (np.zeros((2, 2)), r"shape \(2, 2\), are not understood by scheme"),
        (np.array([True, False]), "are not understood by scheme"),
    ],
)
def test_numbers_beyond_one_or_none_at_all_are_refused(name, actions, message):
    with pytest.raises(InvariantError, match=message):
        action_scheme(name, short=True).intent(actions, np.zeros(2))
