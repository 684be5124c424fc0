"""``seawall walkforward``: a recipe trained, chosen and tested anew in each fold."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seawall.cli import options
from seawall.cli.output import number, out, percent, print_json, print_skill, share, table
from seawall.core.progress import console, progress_bars

if TYPE_CHECKING:
    from seawall.recipes.walkforward.folder import Walk
    from seawall.recipes.walkforward.walk import WalkCase

Reference = Annotated[str, typer.Argument(metavar="RECIPE", help="A shipped recipe, or a YAML or JSON file.")]
SchemeName = Annotated[str, typer.Option("--scheme", metavar="SCHEME", help="anchored, rolling, kfold or cpcv.")]
Folds = Annotated[int | None, typer.Option("--folds", help="Tests, or groups of kfold and cpcv; without lengths 5, with cpcv 6.")]
Train = Annotated[str | None, typer.Option("--train", metavar="LENGTH", help="Training part, as in 20000 (bars) or 180d.")]
Test = Annotated[str | None, typer.Option("--test", metavar="LENGTH", help="A test, as in 2000 or 30d.")]
Step = Annotated[str | None, typer.Option("--step", metavar="LENGTH", help="From test to test; --test itself if not given.")]
Embargo = Annotated[
    str | None, typer.Option("--embargo", metavar="LENGTH", help="Unused bars after a test, beyond the purge; kfold, cpcv.")
]
TestGroups = Annotated[int | None, typer.Option("--test-groups", help="Groups that a fold of cpcv tests; 2 if not given.")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, max=256, help="Processes at once; one per core if not given.")]
Seeds = Annotated[int | None, typer.Option("--seeds", min=1, max=100, help="Seeds in each fold; as training.n_seeds.")]


def walkforward(
    recipe: Reference,
    overrides: options.Overrides = None,
    scheme: SchemeName = "anchored",
    folds: Folds = None,
    train: Train = None,
    test: Test = None,
    step: Step = None,
    embargo: Embargo = None,
    test_groups: TestGroups = None,
    workers: Workers = None,
    seeds: Seeds = None,
    plugin: options.Plugins = None,
    runs: options.Runs = options.RUNS,
    data_dir: options.DataFolder = options.DATA,
    json: options.Json = False,
) -> None:
    """Train, choose and test a recipe anew in each fold, and judge all tests as one.

    The purge between parts comes from the recipe. Ctrl-C stops safely; the same command goes on.

    Examples:
        seawall walkforward tradernet data=btc_1h.parquet --folds 8

        seawall walkforward tradernet data=btc_1h.parquet --scheme rolling --train 360d --test 30d

        seawall walkforward tradernet --scheme cpcv --folds 6 --embargo 1d --json
    """
    from seawall.recipes.families import load_any
    from seawall.recipes.walkforward.plan import WalkPlan, scheme_named
    from seawall.recipes.walkforward.walk import WalkCase

    plan = WalkPlan(scheme_named(scheme), folds, train, test, step, embargo, test_groups)
    changes = [*(overrides or []), *([] if seeds is None else [f"training.n_seeds={seeds}"])]
    resolved = load_any(recipe, changes, plugin or [])
    lengths = {"train": train, "test": test, "step": step, "embargo": embargo, "folds": folds, "test-groups": test_groups}
    asked = [word for name, value in lengths.items() if value is not None for word in (f"--{name}", str(value))]
    command = shlex.join(["seawall", "walkforward", recipe, *changes, "--scheme", scheme, *asked])
    document = _with_bars(WalkCase(resolved, plan, runs, data_dir, workers, command))
    if json:
        print_json(document)
    else:
        _tell(document)


def _with_bars(case: WalkCase) -> dict[str, Any]:
    from seawall.core.fan_out import Interrupted
    from seawall.recipes.walkforward.walk import walk_forward

    found: list[Path] = []
    with progress_bars() as bars:
        tasks: dict[int, Any] = {}

        def on_walk(walk: Walk, new: bool) -> None:
            found.append(walk.run.path)
            if not new:
                console.print(f"Going on with {walk.run.path}", soft_wrap=True)
            for fold in walk.folds:
                # A hundred parts of training, and one of testing.
                tasks[fold["number"]] = bars.add_task(f"fold {fold['number']}", total=101, note="waiting")

        def tell(stage: str, fold: int, facts: dict[str, Any]) -> None:
            done = {"training": 100 * facts.get("done", 0.0), "testing": 101}.get(stage)
            seed = f" seed {facts['seed']}" if "seed" in facts else ""
            bars.update(tasks[fold], note=stage + seed, completed=done)

        try:
            return walk_forward(case, on_walk, tell)
        except Interrupted:
            if found:
                console.print(f"Stopped; nothing is lost in {found[0]}. The same command goes on.", soft_wrap=True)
            raise


_COLUMNS = ("fold", "test", "bars", "return", "Sharpe", "drawdown", "turnover/y", "costs", "flat", "buy-and-hold", "random")


def _tell(document: dict[str, Any]) -> None:
    out.print(table("each fold out of sample, after costs", _COLUMNS, [_row(row) for row in document["folds"]]))
    if len(document["paths"]) > 1:
        rows = [
            (place, percent(path["total_return"]), number(path["sharpe"]), share(path["max_drawdown"]))
            for place, path in enumerate(document["paths"])
        ]
        out.print(table("paths", ("path", "return", "Sharpe", "drawdown"), rows))
    whole, between = document["ensemble"], document["intervals"]["ensemble"]["sharpe"]
    told = f"{number(between['low'])} to {number(between['high'])}" if between["low"] is not None else "no interval"
    out.print(f"All tests as one: {percent(whole['total_return'])}, Sharpe {number(whole['sharpe'])} ({told}).")
    print_skill(document)
    out.print(document["verdict"]["headline"], markup=False)
    if document["walkforward"]["note"]:
        out.print(f"note: {document['walkforward']['note']}", markup=False)
    out.print(f"Page: {document['report']}", soft_wrap=True, markup=False)


def _row(row: dict[str, Any]) -> tuple[Any, ...]:
    rivals = (row["rivals"][name] for name in ("flat", "buy_and_hold", "random"))
    return (
        row["fold"] if row["fold"] == row["group"] else f"{row['fold']}/{row['group']}",
        f"{row['first'][:10]} to {row['last'][:10]}",
        f"{row['bars']:,}",
        percent(row["total_return"]),
        number(row["sharpe"]),
        share(row["max_drawdown"]),
        number(row["turnover_per_year"], 0),
        share(row["costs"]),
        *(percent(None if rival is None else rival["total_return"]) for rival in rivals),
    )
