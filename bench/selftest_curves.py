"""Draw the learning curves of a self-test as one SVG: `python bench/selftest_curves.py RUN/selftest.json OUT.svg`.

A column for each strength, a row for each rung, a colour for each agent, a line for each seed: the share of the attainable on the
validation rows, by the known drift, after each CPU second of training.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

COLOURS = {"exact": "#3b7ddd", "ppo": "#dd7f2b", "dqn": "#2a9d6f"}
STRENGTHS = ("strong", "medium", "weak")
WIDTH, HEIGHT, LEFT, TOP, GAP_X, GAP_Y = 280, 120, 56, 54, 26, 46
LOWEST, HIGHEST = -0.25, 1.1


def panel(rows: Sequence[Mapping[str, Any]], x: float, y: float, title: str) -> list[str]:
    """Return the marks of one rung at one strength, whose upper left corner is at (x, y)."""
    longest = max(curve[-1][1] for row in rows for curve in row["curves"])

    def place(seconds: float, share: float) -> str:
        shown = min(max(share, LOWEST), HIGHEST)
        return f"{x + WIDTH * seconds / longest:.1f},{y + HEIGHT * (HIGHEST - shown) / (HIGHEST - LOWEST):.1f}"

    marks = [
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#c8ccd2"/>',
        f'<text x="{x}" y="{y - 7}" class="title">{title}</text>',
        f'<text x="{x + WIDTH}" y="{y + HEIGHT + 14}" text-anchor="end">{longest:.0f} CPU s</text>',
    ]
    for share in (0.0, 0.5, 1.0):
        (left, height), right = place(0.0, share).split(","), x + WIDTH
        marks.append(f'<path d="M{left},{height}H{right}" stroke="#e4e7eb"/>')
        marks.append(f'<text x="{x - 5}" y="{float(height) + 4}" text-anchor="end">{share:.0%}</text>')
    for row in rows:
        colour, attainable = COLOURS.get(row["agent"], "#8a8f98"), 1e-4 * row["attainable_bps"]
        for curve in row["curves"]:
            points = [place(0.0, 0.0), *(place(seconds, growth / attainable) for _, seconds, growth in curve)]
            marks.append(f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="1.3" opacity="0.75"/>')
        if row["required"] is not None:
            ends = f"M{place(0.0, row['required'])}H{x + WIDTH}"
            marks.append(f'<path d="{ends}" stroke="{colour}" stroke-dasharray="2 3"/>')
    return marks


def drawing(ladder: Sequence[Mapping[str, Any]]) -> str:
    """Return the SVG of a self-test's table."""
    drawn = [row for row in ladder if row["mean_share"] is not None and not row["control"]]
    rungs = list(dict.fromkeys(row["rung"] for row in drawn))
    strengths = [each for each in STRENGTHS if any(row["strength"] == each for row in drawn)]
    agents = list(dict.fromkeys(row["agent"] for row in drawn))
    marks = [
        f'<text x="{LEFT + 90 * number}" y="20" class="title" style="fill:{COLOURS.get(agent, "#8a8f98")}">&#9632; {agent}</text>'
        for number, agent in enumerate(agents)
    ]
    for down, rung in enumerate(rungs):
        for across, strength in enumerate(strengths):
            rows = [row for row in drawn if (row["rung"], row["strength"]) == (rung, strength)]
            if rows:
                x, y = LEFT + across * (WIDTH + GAP_X + 22), TOP + down * (HEIGHT + GAP_Y)
                marks += panel(rows, x, y, f"{rung}, {strength}")
    width, height = LEFT + len(strengths) * (WIDTH + GAP_X + 22), TOP + len(rungs) * (HEIGHT + GAP_Y)
    style = "<style>text{font:11px sans-serif;fill:#59616b}.title{font-size:12px;font-weight:bold}</style>"
    ground = f'<rect width="{width}" height="{height}" fill="#fff"/>'
    inside = "\n".join([style, ground, *marks])
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">\n{inside}\n</svg>\n'


def main() -> None:
    """Read the table, write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, help="selftest.json of a run")
    parser.add_argument("picture", type=Path, help="the SVG to write")
    arguments = parser.parse_args()
    arguments.picture.write_text(drawing(json.loads(arguments.table.read_text(encoding="utf-8"))["ladder"]), encoding="utf-8")


if __name__ == "__main__":
    main()
