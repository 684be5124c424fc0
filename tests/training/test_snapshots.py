"""Weights of single evaluations: which are kept, that they are those that acted, and what a stop or damage does to them."""

import pytest
import torch
from test_training import run

from seawall.core.errors import DataError
from seawall.core.fan_out import Interrupted
from seawall.training.snapshots import load_snapshot, save_snapshot, snapshot_steps, snapshots_folder

EVALUATED = [20, 40, 60, 80, 100]


@pytest.mark.parametrize(("keep", "steps"), [("best", [100]), (1, [100]), (2, [80, 100]), (99, EVALUATED), ("all", EVALUATED)])
def test_so_many_newest_evaluations_are_kept(tmp_path, keep, steps):
    run(tmp_path / "checkpoint", keep=keep)
    assert snapshot_steps(tmp_path / "checkpoint") == steps
    assert [float(load_snapshot(tmp_path / "checkpoint", step)["count"]) for step in steps] == [step / 10 for step in steps]


@pytest.mark.parametrize("stop_after", [3, 4, 5])
def test_a_stopped_and_resumed_training_keeps_what_one_never_stopped_keeps(tmp_path, stop_after):
    with pytest.raises(Interrupted):
        run(tmp_path / "checkpoint", keep=3, stop_after=stop_after)
    run(tmp_path / "checkpoint", keep=3)
    assert snapshot_steps(tmp_path / "checkpoint") == [60, 80, 100]


def test_a_killed_training_whose_snapshot_is_ahead_of_its_checkpoint_ends_with_the_same_ones(tmp_path):
    def killed(report):
        if report["steps"] == 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "checkpoint", keep=2, on_progress=killed)
    assert snapshot_steps(tmp_path / "checkpoint") == [20, 40]
    run(tmp_path / "checkpoint", keep=2)
    assert snapshot_steps(tmp_path / "checkpoint") == [80, 100]


def test_progress_tells_at_which_step_the_score_was(tmp_path):
    reports = []
    run(tmp_path / "checkpoint", on_progress=reports.append)
    assert [report["scored_at"] for report in reports[:5]] == [None, 20, 20, 40, 40]


@pytest.fixture
def saved(tmp_path):
    save_snapshot(tmp_path / "seed-0", 40, {"count": torch.arange(3.0)}, "all")
    return tmp_path / "seed-0"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "cannot be read"),
        (lambda path: path.write_bytes(b"no weights"), "cannot be read"),
        (lambda path: path.write_bytes(path.read_bytes()[:-4] + b"\x00\x00\x80\x3f"), "the file was changed"),
    ],
)
def test_a_damaged_snapshot_is_refused_by_name(saved, damage, message):
    path = snapshots_folder(saved) / "40.safetensors"
    damage(path)
    with pytest.raises(DataError, match=rf"40\.safetensors .*{message}"):
        load_snapshot(saved, 40)


def test_other_files_beside_the_snapshots_are_no_steps(saved):
    (snapshots_folder(saved) / "notes.safetensors").write_text("")
    assert snapshot_steps(saved) == [40]
