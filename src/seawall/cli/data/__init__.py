"""``seawall data``: bars in, checked, made where there are none, and handed on."""

from __future__ import annotations

import typer

from seawall.cli.data import bring, derive, fetch, look, make
from seawall.cli.data.cache import cache
from seawall.cli.data.check import check
from seawall.cli.data.costs import costs
from seawall.cli.data.features import features
from seawall.cli.data.scale import scale

app = typer.Typer(help="Fetch, import, make, check, resample, scale and export bars; look at features.", no_args_is_help=True)
for verb in (
    fetch.fetch,
    fetch.update,
    check,
    look.info,
    look.markets,
    costs,
    make.synth,
    derive.resample,
    derive.align,
    scale,
    derive.export,
    features,
    cache,
):
    app.command()(verb)
app.command("import")(bring.import_files)
app.command("list")(look.list_series)
