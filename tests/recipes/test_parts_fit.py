import pytest

from seawall.core.errors import ConfigError
from seawall.recipes.schema import load_recipe


@pytest.mark.parametrize("scheme", ["thresholded", "continuous_target"])
def test_a_scheme_whose_action_is_a_number_is_refused_for_an_agent_that_chooses_numbered_ones(scheme):
    with pytest.raises(ConfigError, match=rf"scheme is '{scheme}', whose action is a number, .*allowed: .*hold_long_short_close"):
        load_recipe("tradernet", ["agent=dqn", f"environment.scheme={scheme}"])


def test_a_scheme_of_moves_is_a_recipes_to_choose():
    assert load_recipe("tradernet", ["environment.scheme=hold_long_short_close"]).environment.scheme == "hold_long_short_close"
