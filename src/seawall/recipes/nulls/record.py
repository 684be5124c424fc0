"""What the null tests of a run came to, as its folder keeps it."""

from __future__ import annotations

from pathlib import Path

from seawall.core.files import read_json
from seawall.core.run_folder import RunFolder
from seawall.evaluation.addenda import Addendum
from seawall.evaluation.nulls_page import nulls_section

FOLDER = "nulls"


def document_path(run: RunFolder) -> Path:
    """Return the file of what the newest null tests of a run came to."""
    return run.path / FOLDER / "nulls.json"


def nulls_of(run: RunFolder) -> Addendum | None:
    """Return the section of a run's page; None where no null test was run.

    Raises:
        DataError: The file is damaged.
    """
    path = document_path(run)
    if not path.is_file():
        return None
    return nulls_section(read_json(path, "kinds", "real", "found", "deviations"))
