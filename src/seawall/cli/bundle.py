"""``seawall bundle``: look at what training saved, check it, bring it up to date, hand it on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from seawall.cli import options
from seawall.cli.output import out, print_json
from seawall.core.errors import ConfigError

app = typer.Typer(help="Look at, check, bring up to date and export what training saved.", no_args_is_help=True)

Reference = Annotated[
    str, typer.Argument(metavar="PATH", help="A bundle's folder, or a run: its folder, the beginning of its name, or latest.")
]
_MARKS = {"ok": "[green]✓[/]", "wrong": "[red]✗[/]", "not checked": "[dim]–[/]"}


@app.command()
def info(path: Reference, runs: options.Runs = options.RUNS, json: options.Json = False) -> None:
    """Tell what a bundle holds: recipe, seeds, inputs, actions, costs, guards, sizes and hashes.

    Examples:
        seawall bundle info latest

        seawall bundle info latest --json
    """
    from seawall.recipes.bundles import bundle_facts, find_bundle

    facts = bundle_facts(find_bundle(runs, path))
    if json:
        print_json(facts)
        return
    for name, value in _rows(facts):
        out.print(f"[bold]{name:<14}[/]", end="")
        out.print(value, markup=False)


@app.command()
def verify(path: Reference, runs: options.Runs = options.RUNS, trust: options.Trust = False, json: options.Json = False) -> None:
    """Check that a bundle is whole and that this installation can use it: hashes, manifest, features, networks, ONNX.

    Exits with 2 where something is wrong, and lists all of it.

    Examples:
        seawall bundle verify latest

        seawall bundle verify latest --json
    """
    from seawall.recipes.bundle_check import verify_bundle
    from seawall.recipes.bundles import find_bundle
    from seawall.recipes.experiment import trust_run

    place = find_bundle(runs, path)
    if trust and place.run is not None:
        trust_run(place.run)
    checks = verify_bundle(place)
    sound = all(check.state != "wrong" for check in checks)
    if json:
        print_json({"bundle": str(place.folder), "sound": sound, "checks": [check.to_dict() for check in checks]})
    else:
        for check in checks:
            out.print(_MARKS[check.state], end=" ")
            out.print(check.name, markup=False)
            for line in check.details:
                out.print(f"    {line}", markup=False)
        out.print(f"{place.folder}: {'sound' if sound else 'not sound'}", markup=False)
    if not sound:
        raise typer.Exit(2)


@app.command()
def migrate(path: Reference, runs: options.Runs = options.RUNS, json: options.Json = False) -> None:
    """Rewrite a bundle of an older schema version in the newest one, whole or not at all.

    Older bundles are read as they are; this saves the work of bringing them up to date each time.

    Examples:
        seawall bundle migrate latest
    """
    from seawall.agents.bundle import SCHEMA_VERSION, migrate_bundle
    from seawall.recipes.bundles import find_bundle

    place = find_bundle(runs, path)
    before = migrate_bundle(place.folder)
    if json:
        print_json({"bundle": str(place.folder), "from": before, "to": SCHEMA_VERSION, "changed": before != SCHEMA_VERSION})
    elif before == SCHEMA_VERSION:
        out.print(f"{place.folder}: already at version {SCHEMA_VERSION}; nothing was changed", markup=False)
    else:
        out.print(f"{place.folder}: from version {before} to {SCHEMA_VERSION}", markup=False)


@app.command()
def export(
    run: options.RunReference,
    onnx: Annotated[bool, typer.Option("--onnx", help="As one ONNX graph of the whole ensemble.")] = False,
    out_file: Annotated[
        Path | None, typer.Option("--out", help="Where to write it; beside the bundle's weights if not given.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    runs: options.Runs = options.RUNS,
    trust: options.Trust = False,
    json: options.Json = False,
) -> None:
    """Write a run's ensemble for another runtime, kept only where it decides as the networks do.

    Inputs of the graph: windows, float32 (batch, rows, columns) of scaled features, oldest row first, of a portfolio (batch,
    assets, rows, columns); account, float32 (batch, columns); and the memory of networks that remember. The first output is
    probabilities, values, number or weights: what the ensemble decides by. The others are what each member says, and the memory.

    Examples:
        seawall bundle export latest --onnx

        seawall bundle export latest --onnx --out policy.onnx
    """
    from seawall.recipes.bundles import find_bundle
    from seawall.recipes.experiment import trust_run
    from seawall.recipes.onnx_export import export_onnx

    if not onnx:
        raise ConfigError("no form to export to was named; allowed: --onnx")
    place = find_bundle(runs, run)
    if trust and place.run is not None:
        trust_run(place.run)
    entry = export_onnx(place, out_file, force=force)
    if json:
        print_json(entry)
        return
    compared = f"{entry['random_windows']:,} random and {entry['real_windows']:,} real decisions"
    out.print(f"{entry['path']}: {entry['bytes']:,} bytes", markup=False)
    out.print(f"Its {entry['kind']} and the networks' differ by at most {entry['max_difference']:.1e} on {compared}.", markup=False)
    if out_file is None:
        out.print(f"Judge with it:  seawall backtest {place.folder.parent} --runtime onnx", markup=False)


def _rows(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the lines of ``info``."""
    features, guards, onnx = facts["features"], facts["guards"] or {}, facts["onnx"]
    rows = [
        ("bundle", facts["bundle"]),
        ("recipe", f"{facts['recipe']}, hash {str(facts['recipe_hash'])[:8]}"),
        ("training", "finished" if facts["complete"] else "interrupted: the best weights so far"),
        *(("seed", _seed_line(each)) for each in facts["progress"] or []),
        ("made by", f"{facts['created_by']}, schema version {facts['schema_version']}"),
        ("agent", _settings(facts["agent"])),
        ("network", _settings(facts["network"])),
        ("features", f"{features['count']} columns, {features.get('scaling')}, hash {str(features.get('hash'))[:16]}"),
        ("", ", ".join(features.get("names", []))),
        ("window", f"{facts['window']} bars of {facts['timeframe']}"),
        ("account", ", ".join(facts["account"] or [])),
        ("scheme", _settings(facts["action_scheme"])),
        ("costs", _settings(facts["costs"])),
        ("guards", "; ".join(f"{name}: {_settings(settings)}" for name, settings in guards.items()) or "none"),
        ("data", _settings(facts["data"])),
        ("size", f"{facts['bytes']:,} bytes; {facts['parameters']:,} parameters a member"),
    ]
    for member in facts["members"]:
        rows.append(
            (f"seed {member['seed']}", f"{member['file']}, {member['bytes']:,} bytes, weights {member['weights_hash'][:16]}")
        )
    if onnx:
        rows.append(("onnx", _onnx_line(onnx)))
    return rows


def _onnx_line(onnx: dict[str, Any]) -> str:
    kind = onnx.get("kind", "probabilities")
    return f"{onnx['file']}, {kind}, sha256 {onnx['sha256'][:16]}, largest difference {onnx['max_difference']:.1e}"


def _seed_line(progress: dict[str, Any]) -> str:
    best = "no finite score yet" if progress["best_step"] is None else f"best at {progress['best_step']:,}"
    return f"{progress['seed']}: {progress['steps']:,} of {progress['total_steps']:,} steps, {best}"


def _settings(mapping: dict[str, Any] | None) -> str:
    return ", ".join(f"{key} {value}" for key, value in (mapping or {}).items())
