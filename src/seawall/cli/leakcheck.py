"""``seawall leakcheck``: does a recipe, or a file of your own, know the future?"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seawall.cli import options
from seawall.cli.output import out, print_json, table
from seawall.core.errors import ConfigError
from seawall.core.progress import progress_bars

if TYPE_CHECKING:
    from seawall.core.run_folder import RunFolder
    from seawall.evaluation.leaks.findings import Judgement

Target = Annotated[
    str | None,
    typer.Argument(
        metavar="RECIPE|RUN|FILE.py", help="A recipe's name or file, a run's folder or latest, or a Python file of your own."
    ),
]
_MADE_BARS, _OWN_BARS = 2_000, 20_000


def leakcheck(
    target: Target = None,
    overrides: options.Overrides = None,
    zoo: Annotated[bool, typer.Option("--zoo", help="Judge the shipped planted leaks and their honest look-alikes.")] = False,
    data: Annotated[Path | None, typer.Option("--data", help="Judge FILE.py on these bars instead of made ones.")] = None,
    plugin: options.Plugins = None,
    bars: Annotated[
        int | None, typer.Option("--bars", min=500, help="Bars to judge on: 2,000 made ones, or the first 20,000 of the data's.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of made bars and of altered futures.")] = 0,
    runs: options.Runs = options.RUNS,
    data_dir: options.DataFolder = options.DATA,
    json: options.Json = False,
) -> None:
    """Look for the future in features, scalers, labels, rewards, splits and whole recipes.

    The future of a bar is taken away, replaced and poisoned; whatever changes before it leaks, and is named with the
    column, how far it looks, and from which bar on. Exits with 1 where a leak was found, and with 2 where something
    could not be judged. What is found of a run is kept in its folder, and told when it is judged.

    Examples:
        seawall leakcheck tradernet

        seawall leakcheck latest

        seawall leakcheck my_columns.py --data btc.parquet

        seawall leakcheck --zoo --json
    """
    if zoo:
        _refuse_beside_zoo(target=target, data=data, plugin=plugin)
        _judge_zoo(seed, bars or _MADE_BARS, json)
        return
    if target is None:
        raise ConfigError("nothing to check is named; allowed: a recipe, a file that ends in .py, or --zoo")
    if target.endswith(".py"):
        if overrides or plugin:
            word = overrides[0] if overrides else "--plugin"
            raise ConfigError(f"{word} is of recipes, and {target} is a Python file; allowed beside it: --data, --bars and --seed")
        judgements = _judge_file(Path(target), data, bars, seed)
    else:
        if data is not None:
            raise ConfigError(f"--data {data} is of Python files; for a recipe, write data={data}")
        judgements = _judge_recipe(target, runs, (overrides or [], plugin or []), data_dir, bars or _OWN_BARS, seed)
    _finish(target, judgements, json)


def _refuse_beside_zoo(**given: Any) -> None:
    for name, value in given.items():
        if value:
            raise ConfigError(f"--zoo was given with {name} {value}; the zoo comes alone, with --bars, --seed and --json")


@contextmanager
def _printing_apart() -> Generator[None]:
    """Send what judged functions and the libraries under them print to standard error, so that a JSON document stays one."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _judge_file(path: Path, data: Path | None, bars: int | None, seed: int) -> list[Judgement]:
    from seawall.evaluation.leaks.detector import judge_all
    from seawall.evaluation.leaks.worlds import World, judging_bars
    from seawall.recipes.leakcheck_file import file_bars, file_candidates

    frame = judging_bars(seed, bars or _MADE_BARS) if data is None else file_bars(data, bars or _OWN_BARS)
    world = World.of(frame, seed)
    with _printing_apart():
        candidates, said = file_candidates(path, world.bars)
    with _printing_apart(), progress_bars() as progress:
        task = progress.add_task(path.name, total=len(candidates), note="")
        return [*said, *judge_all(candidates, world, lambda: progress.advance(task))]


def _judge_recipe(
    target: str, runs: Path, changes: tuple[list[str], list[Path]], data_dir: Path, bars: int, seed: int
) -> list[Judgement]:
    """Judge a recipe, or that of a run, in whose folder what is found is kept."""
    from seawall.recipes.families import check_any, load_any, load_any_run
    from seawall.recipes.leak_record import keep
    from seawall.recipes.leakcheck import PARTS

    run = _run_named(target, runs)
    if run is not None and any(changes):
        word = changes[0][0] if changes[0] else "--plugin"
        raise ConfigError(f"{word} is of recipes, and {target} is a run; allowed beside it: --bars and --seed")
    recipe = load_any(target, *changes) if run is None else load_any_run(run)
    with _printing_apart(), progress_bars() as progress:
        task = progress.add_task(recipe.name, total=len(PARTS), note="")
        judgements = check_any(recipe, data_dir, bars, seed, lambda part: progress.update(task, advance=1, note=part), run)
    if run is not None:
        keep(run, recipe.digest(), judgements)
    return judgements


def _run_named(target: str, runs: Path) -> RunFolder | None:
    """Return the run that a word names, None where it names none: a folder is a run, and a name that recipes have is a recipe."""
    from seawall.core.run_folder import RunFolder

    return RunFolder.find(runs, target) if target == "latest" or Path(target).is_dir() else None


def _judge_zoo(seed: int, bars: int, json: bool) -> None:
    from seawall.evaluation.leaks.zoo import judge_zoo, passed, zoo_size

    with _printing_apart(), progress_bars() as progress:
        task = progress.add_task("zoo", total=zoo_size(), note="")
        result = judge_zoo(seed, bars, lambda: progress.advance(task))
    if json:
        print_json(result)
    else:
        rows = [_row(case["name"], case["kind"], case) for case in result["cases"]]
        out.print(table("", _COLUMNS, rows))
        for case in result["cases"]:
            if not case["right"]:
                out.print(
                    f"[yellow]wrong:[/] {case['name']} is {'a leak' if case['planted'] else 'honest'}, and was {case['verdict']}"
                )
        out.print(
            f"{result['caught']} of {result['planted']} planted leaks caught; "
            f"{result['false_alarms']} false alarms on {result['clean']} honest look-alikes"
        )
    if not passed(result):
        raise typer.Exit(1)


_COLUMNS = ("what", "kind", "verdict", "column", "how far ahead", "from the bar of")


def _row(name: str, kind: str, judged: dict[str, Any], finding: dict[str, Any] | None = None) -> tuple[str, ...]:
    first = finding or next(iter(judged["findings"]), None)
    if first is None:
        return (name, kind, judged["verdict"], "", "", "")
    place = first["time"][:16] if first["time"] else "" if first["row"] is None else f"row {first['row']}"
    return (name, kind, judged["verdict"], first["column"], first["how_far"], place)


def _finish(target: str, judgements: list[Judgement], json: bool) -> None:
    from seawall.evaluation.leaks.findings import exit_code

    code = exit_code(judgements)
    documents = [judgement.to_dict() for judgement in judgements]
    if json:
        print_json({"target": target, "verdict": {0: "clean", 1: "leak", 2: "not judged"}[code], "judged": documents})
    else:
        _tell(documents)
    if code:
        raise typer.Exit(code)


def _tell(documents: list[dict[str, Any]]) -> None:
    rows = [_row(each["name"], each["kind"], each, finding) for each in documents for finding in each["findings"] or [None]]
    out.print(table("", _COLUMNS, rows))
    for each in documents:
        for finding in each["findings"]:
            out.print(f"leak: {each['name']}: {finding['words']}", markup=False)
        if each["problem"]:
            out.print(f"not judged: {each['name']}: {each['problem']}", markup=False)
        for advice in each["advice"]:
            out.print(f"note: {each['name']}: {advice}", markup=False)
    verdicts = [each["verdict"] for each in documents]
    out.print(
        f"{verdicts.count('clean')} clean, {verdicts.count('leak')} with leaks, {verdicts.count('not judged')} not judged",
        markup=False,
    )
