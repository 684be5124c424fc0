"""What every page is made of: its template, its numbers in words, and figures as JSON inside the page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files as package_files
from math import isnan
from typing import Any

import plotly.graph_objects as go
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs


def render(template: str, figures: Mapping[str, go.Figure], **values: Any) -> str:
    """Return a page that needs no network. Everything that is not ours is escaped.

    Args:
        template: Name of a template of this package.
        figures: Its figures by name.
        **values: What else the template shows.
    """
    environment = Environment(
        loader=FunctionLoader(resource), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(number=number, words=words, date=date)
    return environment.get_template(template).render(
        **values,
        figures={name: _embedded(figure) for name, figure in figures.items()},
        style=Markup(resource("report.css")),
        watch=Markup(resource("watch.js")),
        script=Markup(resource("report.js")),
        plotly=Markup(get_plotlyjs()),
    )


def number(value: float | None, digits: int = 3) -> str:
    """Return a number for people with some significant digits; a dash where there is none."""
    if value is None or isnan(value):
        return "–"
    text = f"{value:,.{digits}g}" if abs(value) < 10**digits else f"{value:,.0f}"
    return text.replace("-", "−")


def shortened(name: str, most: int) -> str:
    """Return a name of at most so many characters; a longer one without its middle, as its ends tell more."""
    if len(name) <= most:
        return name
    tail = (most - 1) // 2
    return f"{name[: most - 1 - tail]}…{name[-tail:]}"


def words(name: object) -> str:
    """Return a name as words."""
    return str(name).replace("_", " ")


def date(text: str) -> str:
    """Return an ISO 8601 time to the minute."""
    return text[:16].replace("T", " ")


def resource(name: str) -> str:
    """Return the text of a template, style or script of this package."""
    return package_files("seawall.evaluation").joinpath("templates", name).read_text(encoding="utf-8")


def _embedded(figure: go.Figure) -> dict[str, Any]:
    """Return a figure as JSON that cannot end the script element that holds it, and its height in pixels."""
    spec = json.loads(str(figure.to_json()))
    compact = json.dumps(spec, separators=(",", ":"))
    escaped = compact.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return {"json": Markup(escaped), "height": spec["layout"]["height"]}
