"""``seawall data costs``: what trading costs, by symbol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seawall.cli import options
from seawall.cli.data.words import plain
from seawall.cli.output import out, print_json, table

if TYPE_CHECKING:
    from seawall.simulator.costs.catalogue import SymbolCosts
    from seawall.simulator.costs.params import CostParams, SlippageParams
    from seawall.simulator.costs.stress import StressPreset

Symbol = Annotated[str | None, typer.Argument(metavar="[SYMBOL]", help="One symbol; all where none is named.")]
File = Annotated[Path | None, typer.Option(help="A costs.yaml of your own, beside the shipped one.")]
_COLUMNS = ("costs of", "taker", "maker", "spread", "slippage", "long / short APR", "funding", "deviations")
_LEGEND = """
Taker, maker, spread, slippage and funding in basis points; a market order pays half of the spread.
|r|: the last closed bar's move. size: traded value over equity. Deviations: of the factors on commission, spread and slippage that
a training episode draws; judging draws none. Filled: the share of what an order still wants that fills at each attempt.
"""


def costs(symbol: Symbol = None, file: File = None, json: options.Json = False) -> None:
    """Show what trading costs by symbol, and under stress; a file of your own adds symbols or changes shipped ones.

    Examples:
        seawall data costs

        seawall data costs XAUUSD --json

        seawall train tradernet costs.symbol=ETH
    """
    from seawall.simulator.costs.catalogue import load_costs

    catalogue = load_costs(file)
    found = list(catalogue.symbols.values()) if symbol is None else [catalogue.find(symbol)]
    if json:
        entries = [{"symbol": each.symbol, "aliases": each.aliases, **each.costs.model_dump(mode="json")} for each in found]
        print_json({"costs": entries, "stress": {name: preset.model_dump() for name, preset in catalogue.presets.items()}})
        return
    out.print(table("", _COLUMNS, [_row(each) for each in found]))
    out.print(_LEGEND, markup=False)
    columns = ("stress", "commission", "spread", "slippage", "filled")
    out.print(table("", columns, [_preset_row(name, preset) for name, preset in catalogue.presets.items()]))


def _row(entry: SymbolCosts) -> tuple[str, ...]:
    each: CostParams = entry.costs
    maker = each.taker_bps if each.maker_bps is None else each.maker_bps
    financing, funding = each.financing, each.funding
    rates = f"{_percent(financing.long_apr)} / {_percent(financing.short_apr)}" if any(financing.model_dump().values()) else "–"
    paid = f"{plain(funding.rate_bps)} each {funding.every_hours} h" if funding.rate_bps else "–"
    deviations = " / ".join(map(plain, each.randomization.sigmas)) if any(each.randomization.sigmas) else "–"
    fills = (plain(each.taker_bps), plain(maker), plain(each.spread_bps), _slippage(each.slippage))
    return (entry.symbol, *fills, rates, paid, deviations)


def _slippage(slippage: SlippageParams) -> str:
    parts = [plain(slippage.base_bps)]
    if slippage.volatility_multiplier:
        parts.append(f"{plain(slippage.volatility_multiplier)}·|r|")
    if slippage.size_impact:
        parts.append(f"{plain(slippage.size_impact)}·size")
    return " + ".join(parts)


def _preset_row(name: str, preset: StressPreset) -> tuple[str, ...]:
    multiples = (preset.commission_multiple, preset.spread_multiple, preset.slippage_multiple)
    return (name, *(f"× {plain(multiple)}" for multiple in multiples), _percent(preset.fill_ratio))


def _percent(value: float) -> str:
    return f"{plain(round(100.0 * value, 10))} %"
