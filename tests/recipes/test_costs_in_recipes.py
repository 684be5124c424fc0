"""Costs by name in a recipe: numbers in the resolved one, layers in their order, and what is refused."""

from __future__ import annotations

import re

import pytest

from seawall.core.errors import ConfigError
from seawall.recipes.files import apply_overrides, dump_yaml, parse_yaml
from seawall.recipes.schema import load_recipe, validate_recipe
from seawall.simulator.costs.catalogue import load_costs, stressed
from seawall.simulator.costs.params import CostParams

SHIPPED = load_costs()


def own_costs(
    tmp_path, text="costs: {X: {taker_bps: 7, spread_bps: 3}, Y: {taker_bps: 11}}\nstress: {double: {commission_multiple: 2}}\n"
):
    path = tmp_path / "my-costs.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def saved_and_loaded(recipe, *overrides):
    """A recipe as a run keeps it, read back, and judged under changes."""
    kept = parse_yaml(dump_yaml(recipe.model_dump(mode="json")), "run")
    return validate_recipe(apply_overrides(kept, overrides), "run")


def test_a_symbol_brings_all_of_its_costs_over_those_of_the_recipe_below():
    recipe = load_recipe("tradernet", ["costs.symbol=ethusdt"])
    assert load_recipe("tradernet").costs.taker_bps == 10.0
    assert recipe.costs == SHIPPED.find("ETH").costs
    assert recipe.costs_from.symbol == "ETH"


@pytest.mark.parametrize("order", [1, -1])
def test_keys_beside_the_symbol_change_it_whatever_their_order(order):
    words = ["costs.symbol=ETH", "costs.taker_bps=4", "costs.slippage.base_bps=9", "costs.financing.short_apr=0.5"]
    costs = load_recipe("tradernet", words[::order]).costs
    assert (costs.taker_bps, costs.maker_bps, costs.slippage.base_bps, costs.slippage.size_impact) == (4.0, 1.0, 9.0, 0.1)
    assert (costs.financing.long_apr, costs.financing.short_apr) == (0.05, 0.5)


def test_a_recipe_names_costs_in_a_file_beside_it_and_one_that_extends_it_changes_them(tmp_path):
    own_costs(tmp_path)
    (tmp_path / "base.yaml").write_text(
        "extends: tradernet\nname: base\ncosts: {file: my-costs.yaml, symbol: x, stress: double, financing_apr: 0.06}\n"
    )
    (tmp_path / "mine.yaml").write_text("extends: base.yaml\nname: mine\ncosts: {spread_bps: 8, stress: null}\n")
    base, mine = (load_recipe(str(tmp_path / name)) for name in ("base.yaml", "mine.yaml"))
    assert (base.costs.taker_bps, base.costs.spread_bps, base.costs.financing.short_apr) == (14.0, 3.0, 0.06)
    assert base.costs_from.model_dump() == {"symbol": "X", "file": str(tmp_path / "my-costs.yaml"), "stress": "double"}
    assert (mine.costs.taker_bps, mine.costs.spread_bps, mine.costs_from.stress) == (7.0, 8.0, None)
    other = load_recipe(str(tmp_path / "mine.yaml"), ["costs.symbol=GOLD"])
    assert other.costs == SHIPPED.find("XAUUSD").costs
    # The file and the stress are not of one symbol, and stay.
    assert load_recipe(str(tmp_path / "base.yaml"), ["costs.symbol=Y"]).costs.taker_bps == 2 * 11.0


def test_a_saved_recipe_holds_numbers_and_needs_no_file(tmp_path):
    path = own_costs(tmp_path)
    recipe = load_recipe("tradernet", [f"costs.file={path}", "costs.symbol=X", "costs.stress=double", "costs.maker_bps=1"])
    path.unlink()
    again = saved_and_loaded(recipe)
    assert again == recipe
    assert (again.costs.taker_bps, again.costs.maker_bps, again.costs.spread_bps) == (14.0, 2.0, 3.0)
    assert again.costs_from.model_dump() == {"symbol": "X", "file": str(path), "stress": "double"}


def test_the_hash_is_of_the_numbers_whatever_they_were_named_by():
    named = load_recipe("tradernet", ["costs.symbol=BTC"])
    written = load_recipe("tradernet", [f"costs={SHIPPED.find('BTC').costs.model_dump_json()}"])
    assert written.costs_from.symbol is None
    assert named.digest() == written.digest() != load_recipe("tradernet").digest()


def test_a_saved_recipe_is_judged_under_stress_and_under_other_costs_of_a_symbol():
    recipe = load_recipe("tradernet", ["costs.symbol=ETH", "costs.taker_bps=4"])
    under = saved_and_loaded(recipe, "costs.stress=high_volatility", "costs.maker_bps=2")
    assert under.costs == stressed(recipe.costs.model_copy(update={"maker_bps": 2.0}), "high_volatility")
    assert under.costs_from.model_dump() == {"symbol": "ETH", "file": None, "stress": "high_volatility"}
    other = saved_and_loaded(under, "costs.symbol=US30", "costs.stress=flash_crash")
    assert other.costs == stressed(SHIPPED.find("US30").costs, "flash_crash")
    assert other.costs_from.model_dump() == {"symbol": "US30", "file": None, "stress": "flash_crash"}
    assert saved_and_loaded(recipe, "costs.taker_bps=5").costs.slippage == recipe.costs.slippage


@pytest.mark.parametrize("stress", ["high_volatility", "flash_crash", "null"])
def test_costs_under_stress_are_not_put_under_stress_again(stress):
    recipe = load_recipe("tradernet", ["costs.stress=flash_crash"])
    assert recipe.costs.spread_bps == 5 * CostParams().spread_bps
    with pytest.raises(ConfigError, match=r"recipe run: costs\.stress is .*the costs are those of flash_crash already; allowed: "):
        saved_and_loaded(recipe, f"costs.stress={stress}")


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["costs.symbol=ETHX"], "recipe tradernet: costs of 'ETHX' are unknown; did you mean ETH? allowed: ETH, XAUUSD"),
        (["costs.symbol=5"], "costs.symbol is 5; allowed: a name in text, or null"),
        (["costs.stress=crash"], "stress 'crash' is unknown; allowed: high_volatility, flash_crash"),
        (["costs.file=none.yaml", "costs.symbol=ETH"], "costs file none.yaml cannot be read"),
        (["costs.fiel=my.yaml"], "unknown key costs.fiel (value 'my.yaml'); did you mean file?"),
        (["costs.symbol=ETH", "costs.taker_bps=-1"], "costs.taker_bps is -1: input should be greater than or equal to 0"),
        (["costs.stress=flash_crash", "costs.taker_bps=-1"], "costs.taker_bps is -1: input should be greater than or equal to 0"),
        (["costs.stress=flash_crash", "costs.spread_bps=900"], "stress flash_crash makes spread_bps 4500.0: input should be less"),
        (["costs.financing_apr=0.1", "costs.financing.long_apr=0.2"], "costs: financing_apr is 0.1, and financing is given too"),
        (["costs=ETH"], "costs is 'ETH': input should be a valid dictionary"),
    ],
)
def test_what_costs_may_not_be_is_refused(overrides, words):
    with pytest.raises(ConfigError, match=re.escape(words)):
        load_recipe("tradernet", overrides)


def test_a_file_of_which_nothing_is_named_is_refused_with_what_it_holds(tmp_path):
    with pytest.raises(
        ConfigError, match=r"nothing of it is named; allowed: costs\.symbol .*, X, Y; or costs\.stress, of .*, double"
    ):
        load_recipe("tradernet", [f"costs.file={own_costs(tmp_path)}"])
