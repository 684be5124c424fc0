"""``seawall embed``: what a pre-trained encoder makes of bars, as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seawall.cli import options
from seawall.cli.output import out, print_json

Encoder = Annotated[str, typer.Argument(metavar="ENCODER", help="An encoder's folder, or that of its run, or latest.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="A parquet file to write.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the file where it exists.")]


def embed(
    encoder: Encoder,
    output: Output,
    overrides: options.Overrides = None,
    runs: options.Runs = options.RUNS,
    data_dir: options.DataFolder = options.DATA,
    force: Force = False,
    json: options.Json = False,
) -> None:
    """Write the embedding of every bar: timestamp, close, symbol, timeframe, embedding_0 and on.

    Each row is known at the close of its bar. Bars up to the encoder's last seen one were in its training.

    Examples:
        seawall embed latest --output embeddings.parquet

        seawall embed latest data=eth_5m.parquet --output embeddings.parquet
    """
    from seawall.core.files import refuse_replacing_file, replacing_file
    from seawall.core.timeframe import iso_ms
    from seawall.recipes.pretraining import embed_bars, find_encoder

    refuse_replacing_file(output, force=force)
    frame = embed_bars(find_encoder(encoder, runs), overrides or (), data_dir)
    with replacing_file(output) as temporary:
        frame.to_parquet(temporary, index=False)
    width = sum(str(name).startswith("embedding_") for name in frame.columns)
    seen = iso_ms(int(frame.attrs["last_seen_ms"]))
    if json:
        print_json({"output": str(output), "rows": len(frame), "width": width, "last_seen": seen})
        return
    out.print(f"{len(frame):,} bars, {width} numbers each: {output}", markup=False)
    out.print(f"The encoder has seen bars up to {seen}: judge nothing by embeddings of these.")
