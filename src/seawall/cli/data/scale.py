"""``seawall data scale``: columns of files, scaled by what the training rows showed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from seawall.cli import options
from seawall.cli.data.words import listed, validated
from seawall.cli.output import out, print_json

Files = Annotated[list[str], typer.Argument(metavar="FILE...", help="Files, folders, or globs in quotes.")]
OutputDir = Annotated[Path, typer.Option("--output-dir", "--output_dir", help="Folder for the scaled files and scaler.json.")]
Method = Annotated[str | None, typer.Option(help="minmax | zscore | robust; minmax where none is named.")]
Columns = Annotated[str | None, typer.Option(help="Columns to scale; every number but the preserved where none is named.")]
Preserve = Annotated[
    str | None,
    typer.Option(
        "--preserve-columns",
        "--preserve_columns",
        help="Columns that stay as they are, in place of prices, volume and the other raw amounts of a bar.",
    ),
]
Suffix = Annotated[str, typer.Option(help="Added to the name of each file.")]
Pattern = Annotated[str, typer.Option("--file-pattern", "--file_pattern", help="Which files of a folder, as in *.h5.")]
Recursive = Annotated[bool, typer.Option("--recursive", help="Look into the folders of a folder; their names are kept.")]
Fit = Annotated[Path | None, typer.Option(help="The training file, or a saved scaler.json, to scale all by.")]
Share = Annotated[
    float | None, typer.Option(help="Share of the first rows that a file without a training file is fitted on; 0.7 where not said.")
]
Clip = Annotated[
    bool | None, typer.Option("--clip/--no-clip", help="Clip values far outside the training range; clipped where not said.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace scaled files that are there.")]


def scale(
    files: Files,
    output_dir: OutputDir,
    method: Method = None,
    columns: Columns = None,
    preserve_columns: Preserve = None,
    suffix: Suffix = "_normalized",
    file_pattern: Pattern = "*",
    recursive: Recursive = False,
    fit: Fit = None,
    fit_share: Share = None,
    clip: Clip = None,
    force: Force = False,
    json: options.Json = False,
) -> None:
    """Scale the columns of files by what the training rows showed; parameters are kept in scaler.json.

    A file named train, or in a folder of that name, is what val and test beside it are scaled by. Prices, volume and the other raw
    amounts of a bar stay as they are unless said otherwise.

    Examples:
        seawall data scale data/synthetic_10y --output-dir data/scaled --method robust --file-pattern "*_data.h5"

        seawall data scale data/synthetic --recursive --output-dir data/scaled

        seawall data scale features.csv --output-dir scaled --method zscore --columns rsi_14,macd
    """
    from seawall.features.scaling.file_scaler import FileScalingParams
    from seawall.features.scaling.file_scaling import scale_files

    chosen = {
        "method": method, "columns": None if columns is None else listed(columns), "fit": fit, "fit_share": fit_share, "clip": clip,
        "preserve_columns": None if preserve_columns is None else listed(preserve_columns),
    }  # fmt: skip
    given = {name: value for name, value in chosen.items() if value is not None}
    params = validated(FileScalingParams, suffix=suffix, file_pattern=file_pattern, recursive=recursive, force=force, **given)
    result = scale_files(files, params, output_dir)
    if json:
        print_json(result.to_dict())
        return
    for file in result.files:
        scaled = len({name for names in file.columns.values() for name in names})
        out.print(f"{escape(str(file.output))}: {scaled} columns scaled by {file.method}, fitted on {escape(file.fitted_on)}")
    for remark in result.remarks:
        out.print(f"  note: {escape(remark)}")
    out.print(f"Parameters: {escape(', '.join(str(path) for path in result.scalers))}")
