"""``seawall selftest``: does the learner learn, and does the judge refuse noise?"""

from __future__ import annotations

from typing import Annotated

import typer

from seawall.cli import options
from seawall.cli.backtest import judge_with_bars
from seawall.cli.output import number, out, print_json, table
from seawall.cli.train import train_with_bars

# A learner of 166,000 weights needs tens of thousands of bars to tell the planted edge from their noise.
_BARS = 60_000


def selftest(
    seeds: Annotated[int, typer.Option(help="Seeds trained on each market.", min=3, max=20)] = 3,
    market_seed: Annotated[int, typer.Option(help="Seed of both markets.", min=0)] = 0,
    runs: options.Runs = options.RUNS,
    json: options.Json = False,
) -> None:
    """Train on a market with a known edge and on its driftless twin, and compare with the known answers.

    Passes if the learner reaches at least 75 % of what a trader who sees the hidden signal would earn after costs,
    in the mean over seeds, and if the verdict on the random walk is not "evidence". Exits with 1 otherwise.

    Examples:
        seawall selftest

        seawall selftest --seeds 5 --json
    """
    from seawall.recipes.judging import Case
    from seawall.recipes.selftest import REQUIRED_SHARE, grade
    from seawall.recipes.twins import prepare_twins

    twins = prepare_twins(runs, "selftest", n_bars=_BARS, n_seeds=seeds, min_seeds=3, market_seed=market_seed)
    train_with_bars(twins.runs)
    result = grade(twins, *judge_with_bars([Case(run) for run in twins.runs]))
    if json:
        print_json(result)
    else:
        rows = [(row["seed"], number(row["growth_bps"]), number(row["share"])) for row in result["planted"]["seeds"]]
        best = result["planted"]["attainable_bps"]
        out.print(
            table("Planted edge, unseen bars, after costs", ("seed", "log growth, bps a bar", "share of the known optimum"), rows)
        )
        out.print(
            f"Known optimum {best:.2f} bps a bar; mean share {result['planted']['mean_share']:.2f}, required {REQUIRED_SHARE:.2f}"
        )
        out.print(f"Random walk: {result['noise']['headline']}")
        out.print("[green]passed[/]" if result["passed"] else "[red]failed[/]")
    if not result["passed"]:
        raise typer.Exit(1)
