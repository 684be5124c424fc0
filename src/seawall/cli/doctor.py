"""``seawall doctor``: is this machine ready, and if not, what to fix."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module, metadata, util
from typing import Literal

import typer
from rich.markup import escape

from seawall import __version__
from seawall.cli import options
from seawall.cli.output import out, print_json

_EXTRAS: dict[str, tuple[str, ...]] = {
    "live": ("ccxt", "alpaca", "httpx", "dotenv"),
    "scale": ("ray",),
    "tracking": ("mlflow", "sqlalchemy"),
    "dashboard": ("nicegui",),
    "explain": ("captum",),
    "hdf5": ("tables", "h5py"),
    "onnx": ("onnx", "onnxruntime", "onnxscript"),
    "docs": ("mkdocs",),
    "dev": ("pytest", "hypothesis", "ruff"),
}
_CORE = ("numpy", "pandas", "pyarrow", "numba", "talib", "safetensors", "gymnasium", "arch", "plotly")
_MARKS = {"ok": "[green]ok[/] ", "optional": "[dim]–[/]  ", "fix": "[red]fix[/]"}


@dataclass(frozen=True)
class Check:
    """One line of the doctor's report."""

    name: str
    state: Literal["ok", "optional", "fix"]
    detail: str


def doctor(json: options.Json = False) -> None:
    """Check Python, torch, CUDA, the extras and, where keys are present, each venue's connection.

    Exits with 1 and names what to fix where something that is needed, or a venue with keys, does not work.

    Examples:
        seawall doctor

        seawall doctor --json
    """
    checks = [_python(), _torch(), *(_module(name) for name in _CORE), *(_extra(name) for name in _EXTRAS), *_venues()]
    to_fix = [check for check in checks if check.state == "fix"]
    if json:
        print_json({"seawall": __version__, "checks": [asdict(check) for check in checks], "ok": not to_fix})
    else:
        out.print(f"seawall {__version__} on {platform.platform()}, {os.cpu_count()} cores")
        for check in checks:
            out.print(f"  {_MARKS[check.state]} {check.name:<18} {escape(check.detail)}")
        for check in to_fix:
            out.print(f"[red]To fix:[/] {check.name}: {escape(check.detail)}")
        if not to_fix:
            out.print("Ready.")
    if to_fix:
        raise typer.Exit(1)


def _python() -> Check:
    return Check("python", "ok", f"{platform.python_version()} at {sys.executable}")


def _torch() -> Check:
    def summary() -> str:
        return import_module("seawall.training.device").torch_summary()

    return _attempt("torch", summary, "install it first: pip install torch==2.13.0")


def _module(name: str) -> Check:
    def version() -> str:
        return str(getattr(import_module(name), "__version__", "present"))

    return _attempt(name, version, "reinstall: pip install -c constraints.txt -e .")


def _attempt(name: str, describe: Callable[[], str], remedy: str) -> Check:
    try:
        return Check(name, "ok", describe())
    except Exception as error:  # a broken compiled package can fail in any way; the doctor reports it
        return Check(name, "fix", f"{type(error).__name__}: {error}; {remedy}")


def _extra(name: str) -> Check:
    missing = [module for module in _EXTRAS[name] if util.find_spec(module) is None]
    if missing:
        return Check(
            f"extra {name}",
            "optional",
            f"not installed ({', '.join(missing)} missing); pip install -c constraints.txt -e '.[{name}]'",
        )
    return Check(f"extra {name}", "ok", ", ".join(f"{module} {_version(module)}" for module in _EXTRAS[name]))


def _version(module: str) -> str:
    distributions = metadata.packages_distributions().get(module, [module])
    return metadata.version(distributions[0])


def _venues() -> list[Check]:
    from seawall.live.venues import VENUES, check_venue, venue_environment

    states: dict[str, Literal["ok", "optional", "fix"]] = {"connected": "ok", "no keys": "optional"}
    results = [check_venue(name, venue_environment()) for name in VENUES]
    return [
        Check(f"venue {result.name}", states.get(result.state, "fix"), f"{result.state}: {result.detail}") for result in results
    ]
