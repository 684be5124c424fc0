"""Every shipped system, from its bars to its report, on a small stated budget: trained, judged, checked for leaks and replayed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any, cast

from seawall.core.errors import ConfigError, SeawallError
from seawall.core.fan_out import Interrupted
from seawall.core.files import read_json, write_json
from seawall.core.run_folder import RunFolder
from seawall.core.trials import open_registry
from seawall.evaluation.leaks.findings import exit_code
from seawall.recipes.bundle_check import verify_bundle
from seawall.recipes.bundles import BundlePlace
from seawall.recipes.families import (
    AnyRecipe,
    check_any,
    create_any_run,
    is_portfolio_run,
    judge_portfolio,
    load_any,
    replayed,
    train_any,
)
from seawall.recipes.judging import Case, judge_cases
from seawall.recipes.pretraining import create_pretraining, encoder_recipe, pretrain_run
from seawall.recipes.schema import Recipe

SUITE = "suite.json"
_LEAKCHECK_BARS, _LEAKCHECK_SEED = 6_000, 0
_RIVALS = {"flat": ("flat", "cash"), "buy_and_hold": ("ucrp", "buy_and_hold"), "random": ("random",)}

Tell = Callable[[str, dict[str, Any]], None]
"""Called with the name of a stage, and what is known of its progress."""


@dataclass(frozen=True)
class SuiteCase:
    """One system on one market.

    Attributes:
        name: Of the row.
        recipe: A shipped recipe.
        overrides: The budget, and the data; ``section.key=value`` each.
    """

    name: str
    recipe: str
    overrides: tuple[str, ...]


_PANEL = "BTC,ETH,SOL,ADA,BCH,BNB,DOGE,INJ,LTC,OP,SUI,XRP,ZEC"
_SMALL_TWO_STAGE = (
    "data.last_bars=15000",
    "environment.window=64",
    "network.channels=[16,32,32,32]",
    "network.embedding=64",
    "pretraining={epochs: 2, epoch_windows: 4096, validation_windows: 1024}",
    "agent.total_steps=65536",
)


def real_cases(folder: Path) -> list[SuiteCase]:
    """Return the systems on real bars, each with its budget.

    Args:
        folder: Has ``ohlcv/VENUE_SYMBOL_TIMEFRAME.parquet``.
    """

    def bars(name: str) -> str:
        return f"data={folder / 'ohlcv' / name}.parquet"

    symbols = ",".join(f"{coin}USDT" for coin in _PANEL.split(","))
    return [
        SuiteCase(
            "ichimoku-lstm, BTC 1m",
            "ichimoku-lstm",
            (bars("binance_BTCUSDT_1m_202506"), "data.last_bars=9000", "agent.total_steps=10240"),
        ),
        SuiteCase(
            "long-short-zoo, BTC 15m",
            "long-short-zoo",
            (
                bars("binance_BTCUSDT_15m"),
                "data.last_bars=9000",
                "environment.episode_bars=2000",
                "network.channels=[32,32,32,32]",
                "agent={kind: zoo, algorithm: PPO, total_steps: 16384, n_steps: 512, n_epochs: 4, minibatch: 256}",
            ),
        ),
        SuiteCase("two-stage, ETH 5m", "two-stage", (bars("binance_ETHUSDT_5m"), *_SMALL_TWO_STAGE)),
        SuiteCase(
            "two-stage, XAUUSD 15m",
            "two-stage",
            (bars("mt5_XAUUSD_15m"), "costs.symbol=XAUUSD", *_SMALL_TWO_STAGE, "pretraining.targets.regimes.percentile_bars=20000"),
        ),
        SuiteCase(
            "portfolio, 13 coins 5m",
            "portfolio",
            (
                f"data={folder / 'ohlcv'}/binance_{{symbol}}_5m.parquet",
                f"data.symbols=[{symbols}]",
                "data.last_bars=15000",
                "agent.total_steps=65536",
            ),
        ),
        SuiteCase(
            "tradernet, BTC 1h", "tradernet", (bars("binance_BTCUSDT_1h"), "data.last_bars=20000", "agent.total_steps=131072")
        ),
    ]


def synthetic_cases() -> list[SuiteCase]:
    """Return the systems on synthetic markets, each by its small preset: whether everything runs, and no more."""
    names = ("ichimoku-lstm", "long-short-zoo", "two-stage", "portfolio", "tradernet")
    return [SuiteCase(f"{name}, synthetic", name, ("smoke=true",)) for name in names]


def begin_suite(cases: Sequence[SuiteCase], runs: Path) -> Path:
    """Make the folder of a suite, with its cases and their budgets in it.

    Returns:
        The folder.
    """
    folder = runs / "suite" / datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    open_registry(runs)
    stated = [{"name": case.name, "recipe": case.recipe, "overrides": list(case.overrides)} for case in cases]
    write_json(folder / SUITE, {"cases": stated, "rows": {}, "started": {}})
    return folder


def find_suite(reference: str, runs: Path) -> Path:
    """Return the folder of a suite by its path, or the newest one.

    Raises:
        ConfigError: There is none.
    """
    if (Path(reference) / SUITE).is_file():
        return Path(reference)
    found = sorted(path.parent for path in (runs / "suite").glob(f"*/{SUITE}"))
    if reference != "latest" or not found:
        raise ConfigError(f"no suite {reference!r} under {runs / 'suite'}; allowed: the folder of one, or latest")
    return found[-1]


def _read(folder: Path) -> dict[str, Any]:
    return read_json(folder / SUITE, "cases", "rows", "started")


def suite_document(folder: Path) -> dict[str, Any]:
    """Return what is known of a suite: its rows so far, whether all cases ran well, and where it is."""
    saved = _read(folder)
    rows = [saved["rows"][case["name"]] for case in saved["cases"] if case["name"] in saved["rows"]]
    whole = len(rows) == len(saved["cases"]) and all(row["ok"] for row in rows)
    return {"folder": str(folder), "ok": whole, "cases": saved["cases"], "rows": rows}


def run_suite(folder: Path, data_root: Path, on_case: Callable[[str], None], tell: Tell) -> dict[str, Any]:
    """Run the cases of a suite that are not done; a case that was stopped goes on from its run.

    Args:
        folder: As `begin_suite` made it.
        data_root: Folder of imported bars.
        on_case: Called with the name of each case before it.
        tell: Told of each stage.

    Returns:
        What `suite_document` does.

    Raises:
        Interrupted: Ctrl-C; the same call goes on.
    """
    saved = _read(folder)
    for stated in saved["cases"]:
        case = SuiteCase(stated["name"], stated["recipe"], tuple(stated["overrides"]))
        if case.name in saved["rows"]:
            continue
        on_case(case.name)
        started = perf_counter()
        try:
            row = _run_case(case, folder, data_root, tell)
        except Interrupted:
            raise
        except SeawallError as error:
            row = {"case": case.name, "recipe": case.recipe, "ok": False, "problem": str(error)}
        saved = _read(folder)
        saved["rows"][case.name] = {**row, "seconds": perf_counter() - started}
        write_json(folder / SUITE, saved)
    return suite_document(folder)


def _run_case(case: SuiteCase, folder: Path, data_root: Path, tell: Tell) -> dict[str, Any]:
    recipe = load_any(case.recipe, case.overrides)
    run = _opened(case, recipe, folder, data_root, tell)
    if not (run.path / "training.json").is_file():
        train_any([run], lambda _run, seed, told: tell("training", {"seed": seed, **told}))
    if is_portfolio_run(run):
        judged = judge_portfolio(run, (), lambda policy: tell("judging", {"policy": policy}), data_root)
    else:
        [judged] = judge_cases([Case(run, data_root=data_root)], lambda _case, policy: tell("judging", {"policy": policy}))
    tell("leak check", {})
    leaks = check_any(recipe, data_root, _LEAKCHECK_BARS, _LEAKCHECK_SEED, lambda part: tell("leak check", {"part": part}))
    tell("replay", {})
    parity = replayed(run, data_root)
    tell("bundle", {})
    bundle = verify_bundle(BundlePlace(run.bundle, run))
    clean, sound = exit_code(leaks) == 0, all(check.state != "wrong" for check in bundle)
    return {
        "case": case.name,
        "recipe": case.recipe,
        "run": str(run.path),
        "report": judged["report"],
        **_figures(judged),
        "leakcheck": "clean" if clean else "leak",
        "replay": {"rows": parity["rows"], "equal": bool(parity["equal"])},
        "bundle": "sound" if sound else "wrong",
        "ok": clean and sound and bool(parity["equal"]),
        "problem": None,
    }


def _opened(case: SuiteCase, recipe: AnyRecipe, folder: Path, data_root: Path, tell: Tell) -> RunFolder:
    """Return the run of a case: the one begun before, or a new one, on an encoder where the recipe has two stages."""
    saved = _read(folder)
    begun = saved["started"].get(case.name, {})
    if "run" in begun:
        return RunFolder(Path(begun["run"]))
    if isinstance(recipe, Recipe) and recipe.pretraining is not None:
        first = RunFolder(Path(begun["encoder"])) if "encoder" in begun else None
        if first is None:
            first = create_pretraining(encoder_recipe(recipe), recipe.pretraining, folder / "runs", data_root)
            _note(folder, case, encoder=first)
        if not (first.path / "encoder").is_dir():
            pretrain_run(first, lambda told: tell("encoder", told))
        recipe = recipe.model_copy(update={"encoder": str(first.path)})
    run = create_any_run(recipe, folder / "runs", data_root)
    _note(folder, case, run=run)
    return run


def _note(folder: Path, case: SuiteCase, **begun: RunFolder) -> None:
    saved = _read(folder)
    places = {name: str(run.path) for name, run in begun.items()}
    saved["started"][case.name] = {**saved["started"].get(case.name, {}), **places}
    write_json(folder / SUITE, saved)


def _figures(judged: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of a row out of a judgement."""
    ensemble, intervals = judged["ensemble"], cast("dict[str, Any]", judged["intervals"]["ensemble"])
    sharpe = intervals.get("sharpe") or {"low": None, "high": None}
    rivals = {
        name: next((judged["baselines"][known]["total_return"] for known in names if known in judged["baselines"]), None)
        for name, names in _RIVALS.items()
    }
    return {
        "test": judged["test"],
        "seeds": len(judged["seeds"]),
        "total_return": ensemble["total_return"],
        "sharpe": ensemble["sharpe"],
        "sharpe_low": sharpe["low"],
        "sharpe_high": sharpe["high"],
        "max_drawdown": ensemble["max_drawdown"],
        "turnover_per_year": ensemble["turnover_per_year"],
        "trades": ensemble["trades"],
        "costs": ensemble["costs"]["share_of_initial_equity"],
        "verdict": judged["verdict"]["level"],
        "headline": judged["verdict"]["headline"],
        "rivals": rivals,
    }
