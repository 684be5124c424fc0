"""What other commands found out about a run, as further sections of its page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import plotly.graph_objects as go


@dataclass(frozen=True)
class Addendum:
    """A section of a page.

    Attributes:
        template: Name of a template of this package; it sees ``part`` (its values) and draws its figures with
            ``figure(name, title, caption)``.
        values: What it shows.
        figures: Its figures by name; a name is used once on a page.
    """

    template: str
    values: Mapping[str, Any]
    figures: Mapping[str, go.Figure] = field(default_factory=dict)


def figures_of(addenda: Sequence[Addendum]) -> dict[str, go.Figure]:
    """Return the figures of all sections."""
    return {name: figure for addendum in addenda for name, figure in addendum.figures.items()}
