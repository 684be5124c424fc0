"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on standard output, everything else on standard error.")
]
Runs = Annotated[Path, typer.Option("--runs", envvar="SEAWALL_RUNS", help="Folder of all runs.")]
DataFolder = Annotated[Path, typer.Option("--data-dir", envvar="SEAWALL_DATA", help="Folder of imported bars.")]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SECTION.KEY=VALUE]...", help="Changes to the recipe, as in training.n_seeds=3; data=FILE for the bars."
    ),
]
RunReference = Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, the beginning of its name, or latest.")]
Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugin", help="A Python file with parts of your own: feature columns and sets. May be given several times."),
]
Runtime = Annotated[
    Literal["torch", "onnx"],
    typer.Option(help="What computes the ensemble's decisions; onnx needs the file of seawall bundle export RUN --onnx."),
]
Trust = Annotated[bool, typer.Option("--trust", help="Run the code of the plugins that the run keeps; read them first.")]

RUNS = Path("runs")
DATA = Path("data")
