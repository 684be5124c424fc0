"""One judgement of several test ranges, each of which starts in cash with the equity that the one before it left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from seawall.core.bars import CLOSE
from seawall.core.errors import ConfigError
from seawall.core.market import RowRange
from seawall.evaluation.attribution import attribution
from seawall.evaluation.evaluate import Candidates, Setting, attainable_in, surroundings_of, walk_all
from seawall.evaluation.evidence import Background
from seawall.evaluation.judge import JudgeInputs, Judgement, RunFacts, judge
from seawall.evaluation.ledger import Ledger, Ledgers
from seawall.evaluation.oracle.oracle import chained
from seawall.evaluation.oracle.portfolio import portfolio_oracle
from seawall.evaluation.params import EvaluationParams
from seawall.evaluation.portfolio_attribution import portfolio_attribution
from seawall.evaluation.portfolio_backtest import PortfolioSetting
from seawall.evaluation.portfolio_evaluate import as_portfolio, judge_portfolios, walk_portfolios
from seawall.evaluation.portfolio_stress import portfolio_stress
from seawall.evaluation.stitching import Between, portfolio, stitched
from seawall.evaluation.stress import Replay, stress

Tests = Sequence[tuple[RowRange, Ledgers]]
"""Rows and ledgers of each test range, in order of time."""


def between_of(setting: Setting | PortfolioSetting) -> Between:
    """Return what is known of the bars between the tests of a setting."""
    if isinstance(setting, PortfolioSetting):
        return Between(setting.panel.timestamps, None, setting.costs)
    return Between(setting.market.timestamps, setting.market.prices[:, CLOSE], setting.costs)


def judge_chain(
    tests: Tests,
    ledgers: Ledgers,
    setting: Setting | PortfolioSetting,
    params: EvaluationParams,
    facts: RunFacts,
    background: Background,
) -> Judgement:
    """Judge chained tests by the rules of any run. The cost stress replays the chained exposures in one account.

    Args:
        tests: Each test.
        ledgers: The same tests chained, as `stitching.stitched` gives them.
        setting: Where they were traded; its rows are not read.
        params: How they are judged.
        facts: What the run was.
        background: What is known of it beside its ledgers.
    """
    rows = RowRange(tests[0][0].start, tests[-1][0].stop)
    if isinstance(setting, PortfolioSetting):
        whole = portfolio(ledgers)
        stressed = portfolio_stress(as_portfolio(whole.ensemble), setting.over(rows), params.stress)
        attainable = chained([portfolio_oracle(setting.over(each)) for each, _ in tests])
        found = portfolio_attribution(as_portfolio(whole.ensemble), setting, idle_between(tests, whole.ensemble))
        return judge_portfolios(whole, stressed, params, facts, background, attainable, found)
    replay = Replay(setting.market, rows, setting.costs, setting.simulator)
    stressed = stress(ledgers.ensemble, replay, params.stress)
    found = attribution(ledgers.ensemble, surroundings_of(replay))
    attainable = chained([attainable_in(replace(setting, rows=each), part.ensemble) for each, part in tests])
    return judge(JudgeInputs(ledgers, stressed, facts, params, attainable, background, found))


def idle_between(tests: Tests, chain: Ledger) -> np.ndarray:
    """Say which decisions of the chained ensemble lie between its tests, bool, shape (decisions,).

    Args:
        tests: Each test.
        chain: The ensemble's ledger of all of them.
    """
    rows = chain.frame["row"].to_numpy(np.int64)
    taken = np.concatenate([part.ensemble.frame["row"].to_numpy(np.int64) for _, part in tests])
    return ~np.isin(rows, taken)


def evaluate_ranges(
    candidates: Candidates,
    settings: Sequence[Setting] | Sequence[PortfolioSetting],
    params: EvaluationParams,
    facts: RunFacts,
    on_progress: Callable[[str], Any],
    background: Background,
) -> tuple[Judgement, Ledgers]:
    """Backtest the ensemble, every seed and every rival over several test ranges, chain them, and judge the whole.

    Args:
        candidates: The trained policies.
        settings: Where they are judged: the same but for their rows, in order of time.
        params: How.
        facts: What the run was.
        on_progress: Called with the name of each policy before its backtest, and the number of the range.
        background: What is known of the run beside its ledgers.

    Returns:
        The judgement and the chained ledgers.

    Raises:
        ConfigError: No seed was given.
    """
    if not candidates.seeds:
        raise ConfigError("evaluation of 0 seeds was asked for; at least 1 is needed")
    tests: list[tuple[RowRange, Ledgers]] = []
    for number, setting in enumerate(settings, start=1):

        def tell(name: str, number: int = number) -> None:
            on_progress(f"{name}, range {number} of {len(settings)}")

        if isinstance(setting, PortfolioSetting):
            tests.append((setting.rows, walk_portfolios(candidates, setting, params.baselines.seed, tell)))
        else:
            tests.append((setting.rows, walk_all(candidates, setting, params.baselines, tell)))
    ledgers = stitched(tests, between_of(settings[0]))
    on_progress("judgement")
    return judge_chain(tests, ledgers, settings[0], params, facts, background), ledgers
