import errno
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from seawall.core.errors import DataError
from seawall.core.files import array_digest, digest, read_json, replacing_file, replacing_folder, to_json, write_json, write_text


class Crash(Exception):
    """Stands for a process that dies in the middle of a write."""


def _crash_after(temporary: Path) -> None:
    temporary.write_text("half")
    raise Crash


def _write_to_full_disk(temporary: Path) -> None:
    temporary.write_text("half")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(temporary))


@pytest.mark.parametrize("fault", [_crash_after, _write_to_full_disk])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, fault):
    path = tmp_path / "metrics.json"
    write_text(path, "old")
    with pytest.raises((Crash, DataError)), replacing_file(path) as temporary:
        fault(temporary)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["metrics.json"]


def test_a_full_disk_is_refused_by_name(tmp_path):
    path = tmp_path / "metrics.json"
    with pytest.raises(DataError, match=r"no room left to write .*metrics\.json"), replacing_file(path) as temporary:
        _write_to_full_disk(temporary)


def test_a_failed_folder_leaves_the_old_folder_and_nothing_else(tmp_path):
    folder = tmp_path / "bundle"
    with replacing_folder(folder) as temporary:
        (temporary / "weights").write_text("old")
    with pytest.raises(Crash), replacing_folder(folder) as temporary:
        _crash_after(temporary / "weights")
    assert (folder / "weights").read_text() == "old"
    assert os.listdir(tmp_path) == ["bundle"]


def test_a_folder_is_replaced_whole(tmp_path):
    folder = tmp_path / "bundle"
    for name in ("first", "second"):
        with replacing_folder(folder) as temporary:
            (temporary / name).write_text(name)
    assert os.listdir(folder) == ["second"]
    assert os.listdir(tmp_path) == ["bundle"]


def test_written_files_are_readable_by_others(tmp_path):
    write_text(tmp_path / "report.html", "page")
    assert stat.S_IMODE((tmp_path / "report.html").stat().st_mode) == 0o644


def test_json_is_strict_and_undefined_numbers_become_null(tmp_path):
    path = tmp_path / "metrics.json"
    write_json(path, {"sharpe": float("nan"), "growth": np.float64(0.5), "seeds": np.arange(2), "path": Path("a"), "bound": np.inf})
    assert path.read_text().count("NaN") == 0
    assert read_json(path) == {"sharpe": None, "growth": 0.5, "seeds": [0, 1], "path": "a", "bound": None}


def test_json_that_cannot_be_read_is_refused_by_name(tmp_path):
    (tmp_path / "metrics.json").write_text("{")
    with pytest.raises(DataError, match=r"metrics\.json is not readable JSON"):
        read_json(tmp_path / "metrics.json")
    with pytest.raises(DataError, match=r"no file .*absent\.json"):
        read_json(tmp_path / "absent.json")


def test_a_digest_ignores_the_order_of_keys_but_not_the_values():
    assert digest({"a": 1, "b": [1.5]}) == digest({"b": (1.5,), "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})


def test_an_array_digest_tells_shapes_and_types_apart():
    values = np.arange(6.0)
    assert array_digest(values) == array_digest(values.copy())
    assert len({array_digest(values), array_digest(values.reshape(2, 3)), array_digest(values.astype(np.float32))}) == 3


def test_floats_survive_json_exactly():
    value = 0.1 + 0.2
    assert float(to_json(value)) == value
