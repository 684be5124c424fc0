import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from seawall.core.errors import ConfigError, InvariantError
from seawall.simulator.actions.weights import WEIGHT_SCHEMES, PortfolioWeights, weight_scheme

SYMBOLS = ("BTC", "ETH")


@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(["float32", "float64"]))
@settings(max_examples=50, deadline=None)
def test_what_is_on_the_simplex_passes_unchanged(seed, kind):
    given = np.random.default_rng(seed).dirichlet(np.ones(3), 4).astype(kind)
    found = PortfolioWeights(SYMBOLS).weights(given)
    assert found.dtype == np.float64
    assert found.tobytes() == given.astype(np.float64).tobytes()


def test_softmax_of_logarithms_gives_their_proportions():
    found = PortfolioWeights(SYMBOLS, "softmax").weights(np.log([[1.0, 2.0, 5.0], [10.0, 20.0, 50.0]]))
    np.testing.assert_allclose(found, [[0.125, 0.25, 0.625]] * 2, rtol=1e-15)


@given(numbers=arrays.arrays(np.float64, (3, 3), elements=st.floats(-1e300, 1e300)))
@settings(max_examples=200, deadline=None)
def test_softmax_of_any_finite_numbers_is_on_the_simplex_and_keeps_their_order(numbers):
    found = PortfolioWeights(SYMBOLS, "softmax").weights(numbers)
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-15)
    np.testing.assert_array_equal(np.take_along_axis(found, np.argsort(numbers, axis=1), axis=1), np.sort(found, axis=1))


@pytest.mark.parametrize(
    ("normalise", "actions", "message"),
    [
        ("simplex", [[0.5, 0.25, 0.25], [0.5, 0.6, 0.1]], r"action \[0\.5, 0\.6, 0\.1\] of account 1 .*add up to 1"),
        ("simplex", [[1.1, -0.1, 0.0]], r"action \[1\.1, -0\.1, 0\.0\] of account 0 .*at least 0"),
        ("simplex", [[np.nan, 0.5, 0.5]], r"action \[nan, 0\.5, 0\.5\]"),
        ("simplex", [[np.inf, -np.inf, 1.0]], r"action \[inf, -inf, 1\.0\]"),
        ("softmax", [[np.nan, 0.5, 0.5]], r"action \[nan, 0\.5, 0\.5\] .*allowed: finite numbers"),
        ("softmax", [[0.0, 0.5, np.inf]], r"action \[0\.0, 0\.5, inf\] .*allowed: finite numbers"),
        ("simplex", [[0.5, 0.5]], r"shape \(1, 2\), .*allowed: numbers, shape \(N, 3\): cash, BTC, ETH"),
        ("softmax", [0.2, 0.3, 0.5], r"shape \(3,\), .*shape \(N, 3\)"),
        ("simplex", [["a", "b", "c"]], r"actions of type <U1"),
    ],
)
def test_what_is_no_action_is_refused_by_name(normalise, actions, message):
    with pytest.raises(InvariantError, match=message):
        PortfolioWeights(SYMBOLS, normalise).weights(np.array(actions))


def test_it_has_a_name_no_numbering_and_a_spec_that_tells_two_models_apart():
    scheme = weight_scheme("portfolio_weights", SYMBOLS, "softmax")
    assert scheme.name in WEIGHT_SCHEMES
    assert (scheme.action_names, scheme.normalise) == ((), "softmax")
    assert scheme.spec() == {"name": "portfolio_weights", "actions": [], "symbols": ["BTC", "ETH"], "normalise": "softmax"}
    assert scheme.spec() != weight_scheme("portfolio_weights", ("ETH", "BTC"), "softmax").spec()


def test_unknown_schemes_ways_and_no_assets_are_refused():
    with pytest.raises(ConfigError, match=r"weight scheme 'weights' is unknown; allowed: \['portfolio_weights'\]"):
        weight_scheme("weights", SYMBOLS)
    with pytest.raises(ConfigError, match="by 'relu'; allowed: simplex, softmax"):
        weight_scheme("portfolio_weights", SYMBOLS, "relu")
    with pytest.raises(ConfigError, match="no assets"):
        weight_scheme("portfolio_weights", ())
