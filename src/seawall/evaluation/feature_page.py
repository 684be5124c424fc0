"""The page of a recipe's features: one HTML file that needs no network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seawall import __version__
from seawall.core.errors import ConfigError
from seawall.core.files import refuse_replacing_file, write_text
from seawall.evaluation.feature_facts import ColumnFacts
from seawall.evaluation.feature_figures import column_figure, feature_correlation_figure
from seawall.evaluation.page import number, render
from seawall.market.splits import Split


@dataclass(frozen=True)
class FeatureView:
    """The features to show.

    Attributes:
        title: What the page is called.
        columns: Names of the F columns.
        block: Unscaled, shape (T, F).
        split: Which rows are for training, validation and test.
        warmup: Rows before the first that have numbers.
        facts: What `feature_facts` found.
        spans: First and last bar of each part, and how many it has.
        notes: What else the reader should know.
    """

    title: str
    columns: Sequence[str]
    block: np.ndarray
    split: Split
    warmup: int
    facts: Sequence[ColumnFacts]
    spans: Mapping[str, Mapping[str, Any]]
    notes: Sequence[str] = ()


def write_feature_page(path: Path, view: FeatureView, on_column: Callable[[str], None] | None = None) -> None:
    """Write the page, whole or not at all.

    Args:
        path: The HTML file.
        view: What to show.
        on_column: Called before each column's figure with its name.

    Raises:
        ConfigError: There is no column.
        DataError: The disk is full, the path may not be written, or a folder or a device is there.
    """
    refuse_replacing_file(path, force=True)
    write_text(path, feature_html(view, on_column))


def feature_html(view: FeatureView, on_column: Callable[[str], None] | None = None) -> str:
    """Return the page as text; arguments as for `write_feature_page`. Everything that is not ours is escaped."""
    if not view.columns:
        raise ConfigError("a page of no features; allowed: at least one column")
    # The worst first: where there are many columns, those are worth a look.
    order = sorted(range(len(view.columns)), key=lambda place: -view.facts[place].worst_psi)
    figures = {"correlation": feature_correlation_figure(view.block, view.columns, view.split)} if len(order) > 1 else {}
    for rank, place in enumerate(order):
        if on_column is not None:
            on_column(view.columns[place])
        values = np.asarray(view.block[:, place], dtype=np.float64)
        figures[f"column-{rank}"] = column_figure(values, view.split, view.columns[place])
    return render(
        "features.html.j2",
        figures,
        title=view.title,
        headline=_headline(view),
        tone="none" if any(fact.verdict == "strong" for fact in view.facts) else "evidence",
        rows=[_row(view.facts[place]) for place in order],
        spans=view.spans,
        warmup=view.warmup,
        total=len(view.block),
        notes=list(view.notes),
        version=__version__,
    )


def _headline(view: FeatureView) -> str:
    counts = {word: sum(fact.verdict == word for fact in view.facts) for word in ("strong", "some", "little")}
    flat = sum(fact.low == fact.high for fact in view.facts)
    told = ", ".join(f"{count} drift{'s' if count == 1 else ''} {_ADVERBS[word]}" for word, count in counts.items() if count)
    constant = f"; {flat} never change{'s' if flat == 1 else ''} in the training rows" if flat else ""
    return f"{len(view.columns)} columns over {len(view.block):,} bars: {told}{constant}."


_ADVERBS = {"strong": "strongly", "some": "to some extent", "little": "little"}


def _row(fact: ColumnFacts) -> dict[str, Any]:
    return {
        "column": fact.column,
        "missing": f"{100.0 * fact.missing:.2f}",
        "spread": [number(value) for value in (fact.mean, fact.deviation, fact.low, fact.high)],
        "drift": [f"{value:.3f}" for part in (fact.validation, fact.test) for value in (part.psi, part.ks)],
        "verdict": fact.verdict,
    }
