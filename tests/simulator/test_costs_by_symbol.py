"""costs.yaml: the shipped costs, a user's own, stress, and what is refused."""

from __future__ import annotations

import re

import pytest

from seawall.core.errors import ConfigError
from seawall.simulator.costs.catalogue import load_costs, stressed
from seawall.simulator.costs.params import CostParams

# Maker, taker, spread, base slippage, volatility multiplier, size impact and financing rate of the published two-stage system.
PUBLISHED = {
    "ETH": (1.0, 2.5, 2.0, 0.5, 1.0, 0.1, 0.05),
    "XAUUSD": (0.0, 2.0, 2.0, 0.8, 2.0, 2e-4, 0.03),
    "XAGUSD": (0.0, 2.5, 3.0, 1.0, 2.5, 3e-4, 0.03),
    "US30": (0.0, 1.5, 2.5, 1.5, 2.0, 2e-4, 0.04),
    "NAS100": (0.0, 1.5, 3.0, 1.5, 2.0, 2e-4, 0.04),
    "RUSSELL": (0.0, 2.0, 4.0, 2.0, 2.5, 3e-4, 0.04),
}
# As it stands in the published design.
SNIPPET = """costs:
  ETH:
    maker_bps: 1.0
    taker_bps: 2.5
    spread_bps: 2.0
    slippage:
      model: proportional
      base_bps: 0.5
      volatility_multiplier: 1.0
      size_impact: 0.1
"""


def own(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("symbol", PUBLISHED)
def test_a_shipped_symbol_has_the_published_costs_and_one_financing_rate_for_both_sides(symbol):
    costs = load_costs().find(symbol).costs
    slip = costs.slippage
    found = (costs.maker_bps, costs.taker_bps, costs.spread_bps, slip.base_bps, slip.volatility_multiplier, slip.size_impact)
    assert (*found, costs.financing.long_apr) == PUBLISHED[symbol]
    assert costs.financing.short_apr == costs.financing.long_apr
    assert costs.randomization.sigmas == (0.1, 0.2, 0.3)
    assert costs.funding.rate_bps == 0.0


@pytest.mark.parametrize(
    ("named", "symbol", "maker", "taker", "funding"),
    [
        ("BTC/USDT", "BTC", 10.0, 10.0, 0.0),
        ("binance_spot", "BINANCE-SPOT", 10.0, 10.0, 0.0),
        ("BTC/USDT:USDT", "BINANCE-PERPETUAL", 2.0, 5.0, 1.0),
        ("alpaca-crypto", "ALPACA-CRYPTO", 15.0, 25.0, 0.0),
    ],
)
def test_venues_have_the_commissions_that_they_publish(named, symbol, maker, taker, funding):
    entry = load_costs().find(named)
    assert (entry.symbol, entry.costs.maker_bps, entry.costs.taker_bps, entry.costs.funding.rate_bps) == (
        symbol, maker, taker, funding,
    )  # fmt: skip
    assert entry.costs.funding.every_hours == 8


@pytest.mark.parametrize(
    ("named", "symbol"),
    [("ETH", "ETH"), ("eth-usdt", "ETH"), ("BTCUSDT", "BTC"), ("gold", "XAUUSD"), ("US30.cash", "US30"), ("us2000", "RUSSELL")],
)
def test_a_symbol_goes_by_the_names_of_its_market(named, symbol):
    assert load_costs().find(named).symbol == symbol


def test_an_unknown_symbol_is_refused_with_what_there_is():
    with pytest.raises(ConfigError, match=r"costs of 'XAUUSX' are unknown; did you mean XAUUSD\? allowed: ETH, XAUUSD, .*BTC, or"):
        load_costs().find("XAUUSX")


def test_the_snippet_of_the_design_loads_as_it_is_and_says_all_of_its_symbol(tmp_path):
    costs = load_costs(own(tmp_path, SNIPPET)).find("ETHUSDT").costs
    assert costs.model_dump(exclude={"financing", "funding", "randomization"}) == {
        "maker_bps": 1.0,
        "taker_bps": 2.5,
        "spread_bps": 2.0,
        "slippage": {"model": "proportional", "base_bps": 0.5, "volatility_multiplier": 1.0, "size_impact": 0.1},
        "fill_ratio": 1.0,
    }
    # It replaces the shipped one as a whole, and says nothing of financing.
    assert costs.financing.long_apr == 0.0


def test_a_file_of_one_s_own_adds_symbols_and_changes_some_keys_of_shipped_ones(tmp_path):
    catalogue = load_costs(
        own(
            tmp_path,
            """
costs:
  eth: {extends: ETH, taker_bps: 4, slippage: {base_bps: 3}, financing: {short_apr: -0.01}}
  DOGE: {aliases: [SHIB], taker_bps: 7, maker_bps: -1, financing_apr: 0.08, funding: {rate_bps: -2, every_hours: 4}}
  DOGE2: {extends: DOGE, randomization: {spread: 0.5}}
""",
        )
    )
    eth, shipped = catalogue.find("ETHUSDT").costs, load_costs().find("ETHUSDT").costs
    assert (eth.taker_bps, eth.maker_bps, eth.slippage.base_bps, eth.slippage.volatility_multiplier) == (4.0, 1.0, 3.0, 1.0)
    assert (eth.financing.long_apr, eth.financing.short_apr) == (0.05, -0.01)
    assert shipped.taker_bps == 2.5
    doge, other = catalogue.find("shib").costs, catalogue.find("doge2")
    assert (doge.taker_bps, doge.maker_bps, doge.funding.rate_bps, doge.funding.every_hours) == (7.0, -1.0, -2.0, 4)
    assert (doge.financing.long_apr, doge.financing.short_apr) == (0.08, 0.08)
    assert doge.randomization.sigmas == (0.1, 0.2, 0.3)
    assert other.aliases == ()
    assert (other.costs.taker_bps, other.costs.randomization.sigmas) == (7.0, (0.0, 0.5, 0.0))
    assert len(catalogue.symbols) == len(load_costs().symbols) + 2


def test_sections_of_a_file_hold_for_every_symbol_that_does_not_say_otherwise(tmp_path):
    text = (
        "randomization: {slippage: 0.7}\nstress: {mine: {commission_multiple: 4}}\ncosts: {A: {taker_bps: 1, randomization: {}}}\n"
    )
    catalogue = load_costs(own(tmp_path, text))
    assert catalogue.find("XAUUSD").costs.randomization.sigmas == (0.0, 0.0, 0.7)
    assert catalogue.find("A").costs.randomization.sigmas == (0.0, 0.0, 0.0)
    assert list(catalogue.presets) == ["high_volatility", "flash_crash", "mine"]


@pytest.mark.parametrize(
    ("name", "slippage", "spread", "filled"), [("high_volatility", 3.0, 2.0, 1.0), ("flash_crash", 10.0, 5.0, 0.5)]
)
def test_stress_multiplies_spread_and_every_part_of_the_slippage_and_leaves_the_rest(name, slippage, spread, filled):
    calm = load_costs().find("ETH").costs
    under = stressed(calm, name)
    assert under.spread_bps == 2.0 * spread
    parts = (under.slippage.base_bps, under.slippage.volatility_multiplier, under.slippage.size_impact)
    assert parts == pytest.approx((0.5 * slippage, slippage, 0.1 * slippage), rel=1e-15)
    rest = {"taker_bps", "maker_bps", "financing", "funding", "randomization"}
    assert under.model_dump(include=rest) == calm.model_dump(include=rest)
    assert under.fill_ratio == load_costs().presets[name].fill_ratio == filled


def test_a_preset_of_one_s_own_reaches_commissions_and_rebates(tmp_path):
    catalogue = load_costs(own(tmp_path, "stress: {dear: {commission_multiple: 4}}"))
    under = catalogue.stressed(CostParams(taker_bps=5.0, maker_bps=-1.0, spread_bps=3.0), "dear")
    assert (under.taker_bps, under.maker_bps, under.spread_bps) == (20.0, -4.0, 3.0)
    assert catalogue.stressed(CostParams(taker_bps=5.0), "dear").maker_bps is None


def test_the_share_that_fills_shrinks_under_stress_and_not_with_a_multiple_of_the_costs():
    assert stressed(CostParams(fill_ratio=0.6), "flash_crash").fill_ratio == 0.3
    assert CostParams(fill_ratio=0.6).scaled(2.0).fill_ratio == CostParams(fill_ratio=0.6).scaled(0.0).fill_ratio == 0.6


def test_stress_that_is_unknown_or_leaves_what_is_allowed_is_refused():
    with pytest.raises(ConfigError, match="stress 'crash' is unknown; allowed: high_volatility, flash_crash, or one of a file"):
        stressed(CostParams(), "crash")
    with pytest.raises(ConfigError, match=r"stress flash_crash makes spread_bps 2500\.0: .*less than or equal to 2000"):
        stressed(CostParams(spread_bps=500.0), "flash_crash")


def test_scaled_costs_under_stress_are_stressed_costs_scaled():
    costs = load_costs().find("US30").costs
    one, other = stressed(costs.scaled(2.0), "flash_crash"), stressed(costs, "flash_crash").scaled(2.0)
    assert one.rate == pytest.approx(other.rate, rel=1e-14)
    assert one.slippage.volatility_multiplier == pytest.approx(other.slippage.volatility_multiplier, rel=1e-14)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("costs: {X: {taker_bp: 1}}", "mine.yaml: costs of X: unknown key taker_bp (value 1); did you mean taker_bps?"),
        ("costs: {X: {slippage: {bass: 1}}}", "costs of X: unknown key slippage.bass (value 1); did you mean base_bps?"),
        (
            "costs: {X: {zzz: 1}}",
            "unknown key zzz (value 1); allowed: taker_bps, maker_bps, spread_bps, slippage, financing, funding,",
        ),
        ("costs: {X: {slippage: {model: cubic}}}", "costs of X: slippage.model is 'cubic': input should be 'proportional'"),
        ("costs: {X: {taker_bps: .nan}}", "costs of X: taker_bps is nan: input should be a finite number"),
        ("costs: {X: {taker_bps: .inf}}", "costs of X: taker_bps is inf: input should be a finite number"),
        ("costs: {X: {spread_bps: -1}}", "costs of X: spread_bps is -1: input should be greater than or equal to 0"),
        ("costs: {X: {slippage: {base_bps: -1}}}", "slippage.base_bps is -1: input should be greater than or equal to 0"),
        ("costs: {X: {taker_bps: yes}}", "costs of X: taker_bps is 'yes': input should be a valid number"),
        ("costs: {X: {taker_bps: true}}", "costs of X: taker_bps is true, which is no number"),
        ("costs: {X: {financing_apr: .nan}}", "costs of X: financing_apr is nan: input should be a finite number"),
        ("costs: {X: {financing_apr: 5%}}", "costs of X: financing_apr is '5%': input should be a valid number"),
        (
            "costs: {X: {financing_apr: 1, financing: {}}}",
            "X: financing_apr is 1, and financing is given too; allowed: one of them",
        ),
        (
            "costs: {X: {slippage: 2}}",
            "X: slippage is 2; allowed: a mapping of model, base_bps, volatility_multiplier, size_impact",
        ),
        ("costs: {X: 2}", "mine.yaml: costs of X is 2; allowed: a mapping such as taker_bps: 10"),
        ("costs: {2: {taker_bps: 1}}", "mine.yaml: costs has 2, which is no name"),
        ("costs: {X: {taker_bps: 1, taker_bps: 2}}", 'duplicate key "taker_bps"'),
        ("costs: {X: {taker_bps: 1}, X: {taker_bps: 2}}", 'duplicate key "X"'),
        ("costs: {X: {taker_bps: 1}, x: {taker_bps: 2}}", "costs of X and of x are of one symbol, as case does not count"),
        ("costs: {X: {extends: DOGE}}", "costs of X: extends is 'DOGE'; allowed: ETH, XAUUSD"),
        ("costs: {X: {extends: [ETH]}}", "costs of X: extends is ['ETH']; allowed: ETH"),
        ("costs: {X: {aliases: ETH}}", "costs of X: aliases is 'ETH'; allowed: a list of names"),
        ("costs: {X: {aliases: [A]}, Y: {aliases: [a]}}", "A is an alias of both X and Y; allowed: of one of them"),
        ("costs: [X]", "mine.yaml: costs is ['X']; allowed: a mapping of names"),
        ("cost: {}", "mine.yaml holds cost; allowed: costs, randomization, stress"),
        ("", "mine.yaml holds no mapping; allowed: costs, randomization, stress"),
        ("randomization: {slippage: -1}", "mine.yaml: randomization: slippage is -1: input should be greater than or equal to 0"),
        ("randomization: {slip: 1}", "randomization: unknown key slip (value 1); did you mean slippage?"),
        ("stress: {crash: {slippage: 2}}", "stress crash: unknown key slippage (value 2); did you mean slippage_multiple?"),
        ("stress: {crash: {fill_ratio: 0}}", "stress crash: fill_ratio is 0: input should be greater than 0"),
        ("stress: {crash: 3}", "mine.yaml: stress of crash is 3; allowed: a mapping such as spread_multiple: 2"),
    ],
)
def test_what_a_file_of_costs_must_not_hold_is_refused_by_its_name(tmp_path, text, words):
    with pytest.raises(ConfigError, match=re.escape(words)) as refused:
        load_costs(own(tmp_path, text))
    assert "mine.yaml" in str(refused.value)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"costs file .*none\.yaml cannot be read"):
        load_costs(tmp_path / "none.yaml")


def test_a_replaced_symbol_keeps_its_place_and_its_other_names(tmp_path):
    catalogue = load_costs(own(tmp_path, "costs: {binance_perpetual: {taker_bps: 4}, ALPACA-CRYPTO: {aliases: [COINS]}}"))
    assert catalogue.find("BTC/USDT:USDT").costs.taker_bps == 4.0
    assert catalogue.find("coins").symbol == "ALPACA-CRYPTO"
    assert list(catalogue.symbols)[-4:] == ["BINANCE-SPOT", "binance_perpetual", "ALPACA-CRYPTO", "BTC"]
