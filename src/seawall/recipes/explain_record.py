"""What ``seawall explain`` left in a run's folder, as a section of its page."""

from __future__ import annotations

from seawall.agents.bundle import read_manifest
from seawall.core.files import read_json
from seawall.core.run_folder import RunFolder
from seawall.evaluation.addenda import Addendum
from seawall.evaluation.explain_page import EXPLANATION, explanation_addendum

_NEEDED = ("run", "methods", "findings", "cautions", "weights", "target", "attention", "baseline")


def explanation_of(run: RunFolder) -> Addendum | None:
    """Return the section of a run's explanation; None where it was not explained.

    Raises:
        DataError: The explanation, or the bundle beside it, is damaged.
    """
    path = run.path / EXPLANATION
    if not path.is_file():
        return None
    document = read_json(path, *_NEEDED)
    # The folder of a judgement under other conditions has no bundle of its own.
    members = read_manifest(run.bundle)["members"] if run.bundle.exists() else None
    outdated = members is not None and [member["weights_hash"] for member in members] != document["weights"]
    return explanation_addendum(document, outdated=outdated)
