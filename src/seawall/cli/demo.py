"""``seawall demo``: the main job on twin markets, with no keys and no network."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from seawall.cli import options
from seawall.cli.backtest import judge_with_bars
from seawall.cli.data.words import train_on
from seawall.cli.output import number, out, percent, print_json, share, table
from seawall.cli.train import train_with_bars

# Less than the default of the recipe, so that a slow machine is done in five minutes too.
_BARS, _STEPS = 30_000, 180_224
_NAMES = ("planted edge", "random walk")


def demo(
    seeds: Annotated[
        int, typer.Option(help="Seeds trained on each market; fewer than 5 are never called evidence.", min=1, max=20)
    ] = 5,
    runs: options.Runs = options.RUNS,
    json: options.Json = False,
) -> None:
    """Train the same guarded agent on two markets, one with a planted edge and one without, and judge both.

    The markets are twins: the same shocks bar by bar, but in one of them the shape of a bar tells a little about the
    next ones, and in the other it tells nothing. An honest judge finds evidence of skill in the first only.

    Examples:
        seawall demo
    """
    from seawall.recipes.judging import Case
    from seawall.recipes.twins import prepare_twins

    started = time.perf_counter()
    twins = prepare_twins(runs, "demo", n_bars=_BARS, n_seeds=seeds, min_seeds=5, agent={"total_steps": _STEPS})
    made = time.perf_counter()
    if not json:
        out.print(f"Two twin markets of {twins.n_bars:,} hourly bars: one with a planted edge, one a driftless random walk.")
        out.print(f"Training {seeds} seeds on each ...")
    train_with_bars(twins.runs)
    trained = time.perf_counter()
    documents = judge_with_bars([Case(run) for run in twins.runs])
    finished = time.perf_counter()
    timing = {"market": made - started, "training": trained - made, "judging": finished - trained, "total": finished - started}
    if json:
        print_json({"markets": dict(zip(_NAMES, documents, strict=True)), "seconds": timing})
        return
    out.print()
    out.print(
        table(
            "Out of sample, after costs",
            ("market", "return", "Sharpe", "95 % interval", "max drawdown", "buy and hold", "verdict"),
            [(name, *_row(document)) for name, document in zip(_NAMES, documents, strict=True)],
        )
    )
    for name, document in zip(_NAMES, documents, strict=True):
        out.print(f"\n[bold]{name}[/]: {document['verdict']['headline']}")
        out.print(f"  report: {document['report']}")
    out.print(
        f"\nmarket {timing['market']:.0f} s, training {timing['training']:.0f} s, judging and reports {timing['judging']:.0f} s; "
        f"in all {timing['total']:.0f} s"
    )
    out.print(f"Next, on your own bars:  seawall data import FILE,  then  {train_on('...')}")


def _row(document: dict[str, Any]) -> tuple[str, ...]:
    ensemble, interval = document["ensemble"], document["intervals"]["ensemble"]["sharpe"]
    return (
        percent(ensemble["total_return"], 1),
        number(ensemble["sharpe"]),
        f"{number(interval['low'])} … {number(interval['high'])}",
        share(ensemble["max_drawdown"]),
        percent(document["baselines"]["buy_and_hold"]["total_return"], 1),
        document["verdict"]["level"],
    )
