"""What is shown while seeds train: lines with score, speed and time remaining, and curves."""

import io
import shutil

import pytest
from rich.console import Console

from seawall.cli import training_display
from seawall.cli.curves import draw_curves
from seawall.cli.training_display import TrainingDisplay
from seawall.core.run_folder import RunFolder


def dots(curves, width=8, height=4):
    return [line.plain for line in draw_curves(curves, width, height)]


def test_a_rising_curve_goes_from_the_lower_left_to_the_upper_right():
    lines = dots({"seed 0": [(0, 0.0), (100, 1.0)]})
    margin = len("+1.00 ")
    assert lines[0].startswith("+1.00 ")
    assert lines[3].startswith("+0.00 ")
    assert [line[margin:].strip() != "" for line in lines[:4]] == [True] * 4
    # Sixteen dots each way: the lowest left letter has the dots (0, 0) and (1, 1), the highest right one the last two.
    assert (lines[3][margin], lines[0][margin + 7]) == (chr(0x2800 + 0x40 + 0x20), chr(0x2800 + 0x02 + 0x08))
    assert lines[4].split() == ["0", "100"]
    assert lines[5].strip() == "seed 0"


def test_a_flat_curve_lies_in_the_middle_and_one_point_is_one_dot():
    lines = dots({"a": [(0, 2.0), (10, 2.0)]})
    assert [set(line[6:]) == {" "} for line in lines[:4]] == [True, False, True, True] or [
        set(line[6:]) == {" "} for line in lines[:4]
    ] == [True, True, False, True]
    alone = "".join(dots({"a": [(5, 2.0)]})[:4])
    assert sum(0x2800 < ord(sign) <= 0x28FF for sign in alone) == 1


def test_without_braille_a_curve_is_drawn_with_the_number_of_its_seed():
    lines = draw_curves({"seed 7": [(0, 0.0), (1, 1.0)]}, 8, 4, plain=True)
    assert lines[3].plain[6] == "7"
    assert all(ord(sign) < 128 for line in lines for sign in line.plain)


def test_without_a_point_that_is_said():
    assert dots({"a": []}) == ["no score yet"]


@pytest.fixture
def terminal(monkeypatch):
    shown = Console(file=io.StringIO(), force_terminal=True, width=150, color_system=None)
    monkeypatch.setattr(training_display, "console", shown)
    return shown


def message(steps, score, at):
    return {"steps": steps, "total_steps": 4000, "score": score, "scored_at": at, "best": score, "metrics": {}}


def test_a_line_tells_share_speed_time_remaining_and_score(terminal, tmp_path):
    display, run = TrainingDisplay(watch=True), RunFolder(tmp_path / "small" / "run")
    display.add(run, 3, 4000, 0, [])
    with display.showing():
        for steps, score, at in ((1000, None, None), (2000, 2e-4, 2000), (3000, 2e-4, 2000), (4000, 3e-4, 4000)):
            display.show(run, 3, message(steps, score, at))
    text = terminal.file.getvalue()
    for words in ("small seed 3", "100%", "steps/s", "ETA", "score +3.00 bps a bar, best +3.00", "+2.00"):
        assert words in text
    assert display.curves == {"small seed 3": [(2000, pytest.approx(2.0)), (4000, pytest.approx(3.0))]}


def test_a_score_that_is_no_number_is_told_and_not_drawn(terminal, tmp_path):
    display, run = TrainingDisplay(watch=True), RunFolder(tmp_path / "small" / "run")
    display.add(run, 0, None, 0, [(500, 1e-4)])
    with display.showing():
        display.show(run, 0, {**message(1000, float("nan"), 1000), "best": None})
    assert "score not finite bps a bar" in terminal.file.getvalue()
    assert display.curves["small seed 0"] == [(500, pytest.approx(1.0))]


def test_where_nobody_watches_a_terminal_curves_are_drawn_once_and_tensorboard_is_named(seawall, trained, tmp_path):
    original = RunFolder.find(trained, "latest")
    copy = tmp_path / "runs" / original.path.parent.name / original.path.name
    shutil.copytree(original.path, copy)
    watched = seawall("resume", copy, "--watch")
    assert watched.code == 0
    assert watched.err.count("validation score by environment steps") == 1
    assert "small seed 1" in watched.err
    assert f"tensorboard --logdir {copy / 'tensorboard'}" in watched.out
    assert "validation score by" not in seawall("resume", copy).err
