"""The examples of the page on portfolios run from its top to its end, and its tables name what there is."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

from seawall.simulator.portfolio.accounts import PORTFOLIO_ACCOUNT_FEATURES
from seawall.simulator.portfolio.charges import PAID
from seawall.simulator.portfolio.simulator import PortfolioParams

CONCEPTS = Path(__file__).resolve().parents[2] / "docs" / "concepts"
PAGE = CONCEPTS / "portfolio-environment.md"


def first_cells(text: str) -> list[str]:
    """The names in the first column of every table."""
    return [name for row in re.findall(r"^\| (`[^|]*) \|", text, flags=re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)]


def test_the_examples_of_the_portfolio_page_run(capsys):
    known: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL):
            exec(compile(block, PAGE.name, "exec"), known)
    assert re.fullmatch(r"\S+Z equity [\d,.]+ \(.* to the benchmark\): cash .*, BTC .*, ETH .*, SOL .*%\n", capsys.readouterr().out)
    assert known["shape"] == (256, 24, 3, len(known["chosen"].columns))
    assert known["seen"]["account"].shape == (256, 8)


def test_the_portfolio_page_names_every_account_column():
    names = first_cells(PAGE.read_text(encoding="utf-8"))
    assert [name for name in names if "." not in name and "/" not in name] == list(PORTFOLIO_ACCOUNT_FEATURES)


def test_the_section_on_portfolios_names_every_setting_and_every_cost():
    section = (CONCEPTS / "costs-and-fills.md").read_text(encoding="utf-8").split("## Portfolios")[1]
    assert set(first_cells(section)) == set(PortfolioParams.model_fields)
    assert all(f"`costs.{name}`" in section for name in PAID - {"maker_bps"})
