"""Several test ranges judged as one, and what perfect foresight could have earned in them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.portfolio_worlds import COSTS, Wandering, setting_of, walking
from evaluation.test_portfolio_oracle import growths
from evaluation.worlds import edge_world, facts
from seawall.core.bars import CLOSE
from seawall.core.errors import ConfigError
from seawall.core.market import RowRange
from seawall.evaluation.bootstrap import BootstrapParams
from seawall.evaluation.chain import evaluate_ranges
from seawall.evaluation.evaluate import Candidates, evaluate
from seawall.evaluation.evidence import Background
from seawall.evaluation.oracle.oracle import Oracle, captured, chained
from seawall.evaluation.oracle.portfolio import portfolio_oracle
from seawall.evaluation.params import EvaluationParams
from seawall.evaluation.portfolio_attribution import portfolio_attribution
from seawall.evaluation.portfolio_backtest import portfolio_backtest
from seawall.evaluation.portfolio_evaluate import evaluate_portfolios
from seawall.evaluation.portfolio_ledger import PortfolioLedgers
from seawall.evaluation.skill_words import skill_rows
from seawall.evaluation.stitching import Between, stitched
from seawall.evaluation.walkforward_page import render_walkforward
from seawall.simulator.costs.params import CostParams, SlippageParams
from simulator.small_portfolios import panel_of

PARAMS = EvaluationParams(bootstrap=BootstrapParams(n_resamples=100))
RANGES = (RowRange(120, 220), RowRange(260, 400))


@st.composite
def portfolios(draw):
    """A panel with missing assets, costs and settings of accounts, and weights for 24 accounts at each bar."""
    assets, rows = draw(st.integers(1, 4)), draw(st.integers(3, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, draw(st.sampled_from([0.001, 0.02, 0.2])), (assets, rows)), axis=1))
    opening = np.concatenate([close[:, :1], close[:, :-1]], axis=1) * np.exp(rng.normal(0.0, 0.01, (assets, rows)))
    stale = rng.random((assets, rows)) < draw(st.sampled_from([0.0, 0.1, 0.6]))
    costs = CostParams(
        taker_bps=draw(st.sampled_from([0.0, 10.0, 400.0])),
        spread_bps=draw(st.sampled_from([0.0, 20.0])),
        slippage=SlippageParams(base_bps=draw(st.sampled_from([0.0, 5.0]))),
        fill_ratio=draw(st.sampled_from([1.0, 0.5])),
    )
    accounts = {
        "rebalance_every": draw(st.integers(1, 4)),
        "no_trade_band": draw(st.sampled_from([0.0, 0.2])),
        "stop_drawdown": draw(st.sampled_from([1.0, 0.02, 0.2])),
        "drawdown_reference": draw(st.sampled_from(["peak", "start"])),
    }
    weights = rng.dirichlet(np.full(assets + 1, draw(st.sampled_from([0.05, 1.0]))), (rows - 1, 24))
    return setting_of(panel_of(close, opening, stale), costs, **accounts), weights


@settings(max_examples=60, deadline=None)
@given(portfolios())
def test_no_policy_on_any_path_beats_the_oracle_of_portfolios(made):
    setting, weights = made
    found = portfolio_oracle(setting)
    assert growths(setting, weights).max() <= found.growth + 1e-9
    if found.kind == "exact":
        assert growths(setting, found.path[:, None])[0] == pytest.approx(found.growth, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(portfolios(), st.integers(0, 3), st.integers(0, 99))
def test_no_chain_of_portfolios_beats_what_could_be_earned_in_its_tests(made, gap, seed):
    setting, _ = made
    half = len(setting.panel) // 2
    ranges = [RowRange(0, max(half, 2)), RowRange(min(max(half, 2) + gap, len(setting.panel) - 2), len(setting.panel))]
    if ranges[1].start < ranges[0].stop:
        ranges = ranges[:1]
    policy = Wandering(len(setting.panel.symbols), seed)
    ledgers = [portfolio_backtest(policy, setting.over(rows)) for rows in ranges]
    tests = [(rows, PortfolioLedgers(each, {0: each}, {})) for rows, each in zip(ranges, ledgers, strict=True)]
    whole = stitched(tests, Between(setting.panel.timestamps, None, setting.costs)).ensemble
    best = chained([portfolio_oracle(setting.over(rows)) for rows in ranges])
    growth = math.log(whole.equity_curve()[-1] / whole.initial_equity)
    assert growth <= best.growth + 1e-9
    assert best.kind == "bound" or len(ranges) == 1


def test_a_chain_sums_what_its_parts_know():
    exact, bound = Oracle(0.25, "exact", None, "one"), Oracle(0.5, "bound", None, "two")
    assert chained([exact]) is exact
    assert (chained([exact, bound]).growth, chained([exact, bound]).kind) == (0.75, "bound")
    unknown = chained([exact, Oracle(None, "none", None, "No bound is known for x."), bound])
    assert (unknown.growth, unknown.kind, unknown.words) == (None, "none", "No bound is known for x.")


def test_several_ranges_are_walked_one_by_one_and_judged_as_one():
    candidates, setting = edge_world(True, rows=400, n_seeds=2)
    told: list[str] = []
    parts = [replace(setting, rows=rows) for rows in RANGES]
    judgement, ledgers = evaluate_ranges(candidates, parts, PARAMS, facts(), told.append, Background())
    document = judgement.document
    assert document["test"]["bars"] == RANGES[1].stop - RANGES[0].start - 1
    kept, growth = 1.0, 0.0
    for place, part in enumerate(parts):
        alone, own = evaluate(candidates, part, PARAMS, facts())
        kept *= 1.0 + alone.document["ensemble"]["total_return"]
        growth += alone.document["attainable"]["growth"]
        if place == 0:
            held = abs(own.ensemble.column("exposure")[-1])
            kept *= 1.0 - held * (setting.costs.taker_rate + setting.costs.half_spread_rate)
    assert document["ensemble"]["total_return"] == pytest.approx(kept - 1.0, rel=1e-9)
    assert document["attainable"]["growth"] == pytest.approx(growth, rel=1e-12)
    assert document["attainable"]["kind"] == "bound"
    share = captured(math.log(kept), Oracle(growth, "bound", None, ""))
    assert document["attainable"]["captured"]["value"] == pytest.approx(share.value, rel=1e-9)
    assert ledgers.ensemble.frame["row"].tolist() == list(range(RANGES[0].start, RANGES[1].stop - 1))
    made, initial = document["attribution"], ledgers.ensemble.initial_equity
    for groups in ("by_hour", "by_weekday", "by_session", "by_regime", "by_cost"):
        assert sum(group["net"] for group in made[groups]) == pytest.approx(initial * (kept - 1.0), abs=1e-9 * initial)
    # A position is closed at a test's end, and what that cost belongs to its trade.
    assert sum(group["net"] for group in made["by_side"]) == pytest.approx(initial * (kept - 1.0), abs=1e-9 * initial)
    assert told[0] == "ensemble, range 1 of 2"
    assert told[-1] == "judgement"
    with pytest.raises(ConfigError, match="0 seeds"):
        evaluate_ranges(Candidates(candidates.ensemble, {}), parts, PARAMS, facts(), told.append, Background())


@pytest.mark.parametrize(
    ("accounts", "kind", "words"), [({}, "exact", "exactly"), ({"stop_drawdown": 0.5}, "bound", "upper bound")]
)
def test_a_judged_portfolio_tells_what_it_captured_and_whether_that_is_a_bound(accounts, kind, words):
    setting = walking(COSTS, rows=120, **accounts)
    policy = Wandering(3)
    judgement, ledgers = evaluate_portfolios(Candidates(policy, {0: policy}), setting, PARAMS, facts())
    found = judgement.document["attainable"]
    assert found["kind"] == kind
    assert found["growth"] == portfolio_oracle(setting).growth
    assert found["captured"]["value"] == pytest.approx(ledgers.ensemble.log_returns().sum() / found["growth"], rel=1e-9)
    [row] = [row for row in skill_rows(judgement.document) if row["label"] == "Captured"]
    assert words in row["words"]


@pytest.mark.parametrize(
    ("accounts", "second"), [({}, 95), ({}, 90), ({"no_trade_band": 0.05}, 120), ({"stop_drawdown": 0.03}, 95)]
)
def test_where_a_chained_portfolios_money_came_from_adds_up_in_every_range_and_in_all(accounts, second):
    costs = CostParams(taker_bps=20.0, spread_bps=6.0, slippage=SlippageParams(base_bps=3.0))
    setting, policy = walking(costs, rows=200, **accounts), Wandering(3)
    parts = [setting.over(RowRange(10, 90)), setting.over(RowRange(second, 180))]
    judgement, ledgers = evaluate_ranges(Candidates(policy, {0: policy}), parts, PARAMS, facts(), lambda _name: None, Background())
    found, whole = judgement.document["attribution"], ledgers.ensemble
    change = whole.column("equity")[-1] - whole.initial_equity
    assert change == pytest.approx(found["total"]["net"], abs=1e-9)
    for key in ("by_asset", "by_hour", "by_weekday", "by_session", "by_regime", "by_cost"):
        assert sum(group["net"] for group in found[key]) == pytest.approx(change, abs=1e-8), key
    for part in ("fee", "spread", "slippage"):
        assert sum(group[part] for group in found["by_asset"]) == pytest.approx(whole.column(part).sum(), abs=1e-8), part
    brought, carried = dict.fromkeys(setting.panel.symbols, 0.0), 1.0
    for place, each in enumerate(parts):
        alone = portfolio_backtest(policy, each)
        made = portfolio_attribution(alone, each)["by_asset"]
        last = alone.frame.iloc[-1]
        at = each.panel.prices[:, last["row"] + 1, CLOSE]
        own = sum(group["net"] for group in made)
        assert own == pytest.approx(last["equity"] - alone.initial_equity, abs=1e-8)
        for symbol, close, group in zip(setting.panel.symbols, at, made, strict=True):
            sale = (
                last[f"units.{symbol}"] * close * (20.0 + 3.0 + 3.0) * 1e-4
                if place == 0 or len(alone.frame) < len(each.rows) - 1
                else 0.0
            )
            brought[symbol] += carried * (group["net"] - sale)
        # The next range begins with what is left once everything is sold.
        carried = 1.0 + sum(brought.values()) / whole.initial_equity
    for group in found["by_asset"]:
        assert group["net"] == pytest.approx(brought[group["name"]], abs=1e-8)
    assert carried == pytest.approx(whole.column("equity")[-1] / whole.initial_equity, rel=1e-11)


def test_the_page_of_a_portfolios_walk_forward_says_what_each_asset_brought(tmp_path):
    setting, policy = walking(COSTS, rows=200), Wandering(3)
    parts = [setting.over(RowRange(10, 90)), setting.over(RowRange(95, 180))]
    judgement, ledgers = evaluate_ranges(Candidates(policy, {0: policy}), parts, PARAMS, facts(), lambda _name: None, Background())
    span = {"first": "2024-01-01", "last": "2024-01-05", "bars": 79, "costs": 0.0, "run": str(tmp_path / "fold-00")}
    made = {name: judgement.document["ensemble"][name] for name in ("total_return", "sharpe", "max_drawdown", "turnover_per_year")}
    fold = {"fold": 0, "group": 0, **span, **made, "rivals": dict.fromkeys(("flat", "buy_and_hold", "random"))}
    walked = {"scheme": "anchored", "purge": 3, "path": 0, "note": ""}
    document = {**judgement.document, "walkforward": walked, "folds": [fold], "paths": [{"folds": [0], **made}]}
    page = render_walkforward(document, [ledgers], tmp_path / "index.html").read_text(encoding="utf-8")
    assert 'id="plot-asset"' in page
    best = max(document["attribution"]["by_asset"], key=lambda group: group["net"])
    assert f"The best asset was {best['name']}" in page
    assert page.index("<tr><th>" + best["name"] + "</th>") == min(
        page.index(f"<tr><th>{symbol}</th>") for symbol in setting.panel.symbols
    )


def test_portfolios_of_several_ranges_are_chained_too():
    setting, policy = walking(COSTS, rows=200), Wandering(3)
    parts = [setting.over(RowRange(10, 90)), setting.over(RowRange(95, 180))]
    judgement, ledgers = evaluate_ranges(Candidates(policy, {0: policy}), parts, PARAMS, facts(), lambda _name: None, Background())
    assert isinstance(ledgers, PortfolioLedgers)
    assert judgement.document["attainable"]["growth"] == pytest.approx(
        sum(portfolio_oracle(part).growth for part in parts), rel=1e-12
    )
    assert judgement.document["test"]["bars"] == 169
