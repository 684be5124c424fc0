"""The picture of the learning curves: every seed is drawn, at its share of the attainable, and no control."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

DRAWING = runpy.run_path(str(Path(__file__).parents[2] / "bench" / "selftest_curves.py"))


def row(agent, share, **changes):
    curve = [[1, 5.0, 1e-4 * share / 2], [2, 10.0, 1e-4 * share]]
    return {
        "agent": agent,
        "rung": "ar1",
        "strength": "weak",
        "control": False,
        "mean_share": share,
        "attainable_bps": 1.0,
        "required": 0.7,
        "curves": [curve, curve],
        **changes,
    }


def lines(svg):
    return [[tuple(map(float, point.split(","))) for point in found.split()] for found in re.findall(r'points="([^"]+)"', svg)]


def test_each_seed_is_a_line_that_ends_at_its_share_and_its_seconds():
    drawn = lines(DRAWING["drawing"]([row("exact", 1.0), row("ppo", 0.5)]))
    assert len(drawn) == 4
    # A share of a half lies halfway between those of 0, where each line begins, and 1; all end at the same second.
    (start, _, top), (begin, _, half) = drawn[0], drawn[2]
    assert start == begin
    assert abs((start[1] - half[1]) / (start[1] - top[1]) - 0.5) < 1e-2  # places are rounded to a tenth
    assert top[0] == half[0] > start[0]


def test_controls_and_walks_are_not_drawn():
    only = DRAWING["drawing"]([row("exact", 0.9), row("exact", 0.0, control=True), row("exact", 0.0, rung="walk", mean_share=None)])
    assert len(lines(only)) == 2
    assert "walk" not in only
