"""The registry of trials: which configurations were tried on which bars, one JSON object a line, kept apart from the runs.

Whoever tries many configurations and keeps the best finds a good one by chance. How many were tried is what a deflated Sharpe ratio
needs; the registry survives the deletion of runs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from filelock import FileLock, Timeout

from seawall.core.errors import DataError, TransientError, disk_errors
from seawall.core.files import to_json

REGISTRY = "trials.jsonl"

_LEVELS_UP = 4
_WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class Trial:
    """One configuration tried on some bars.

    Attributes:
        data_hash: Hash of the bars.
        config_hash: Hash of what the policy came from, seeds apart.
        recipe: Name of the recipe.
        symbol: The traded series; empty for made bars, which share nothing with others of their name.
        timeframe: Length of a bar.
        test_first_ms: Opening time of the first test bar.
        test_last_ms: Opening time of the last one.
    """

    data_hash: str
    config_hash: str
    recipe: str = ""
    symbol: str = ""
    timeframe: str = ""
    test_first_ms: int = 0
    test_last_ms: int = 0

    def same_bars(self, other: Trial) -> bool:
        """Say whether two trials were judged on the same bars, or on test bars of one series that overlap."""
        if self.data_hash == other.data_hash:
            return True
        overlap = self.test_first_ms <= other.test_last_ms and other.test_first_ms <= self.test_last_ms
        return self.symbol != "" and self.symbol == other.symbol and overlap


def registry_path(runs: Path) -> Path:
    """Return the registry that a folder of runs uses: its own, or that of a folder a few levels above where one is already.

    Args:
        runs: Folder of runs; one inside a suite or a walk-forward counts where the user's own runs do.
    """
    folder = runs.absolute()
    for place in (folder, *folder.parents[:_LEVELS_UP]):
        if (place / REGISTRY).is_file():
            return place / REGISTRY
    return folder / REGISTRY


def open_registry(runs: Path) -> Path:
    """Make sure that there is a registry, so that runs in folders below count in it; returns its path.

    Raises:
        DataError: It cannot be written.
    """
    path = registry_path(runs)
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return path


def record(runs: Path, trial: Trial) -> bool:
    """Note that a configuration is tried; the same one on the same bars and test span is noted once.

    Args:
        runs: Folder of runs.
        trial: What is tried.

    Returns:
        Whether it was new.

    Raises:
        DataError: The registry is damaged or cannot be written.
        TransientError: Another process has held it for a minute.
    """
    path = registry_path(runs)
    with _held(path):
        if trial in _read(path)[0]:
            return False
        _append(path, {"kind": "trial", **asdict(trial)})
    return True


@dataclass(frozen=True)
class KeptLedger:
    """Where what a trial made on its test bars is kept.

    Attributes:
        path: The file of its ledgers.
        ground: Hash of the bars that it was judged on, and of the costs.
    """

    path: Path
    ground: str


def record_sharpe(runs: Path, trial: Trial, sharpe: float | None, ledger: KeptLedger | None = None) -> None:
    """Note the Sharpe ratio per bar at which a trial was judged on its test bars; the last one counts.

    Args:
        runs: Folder of runs.
        trial: What was judged.
        sharpe: Per bar; None where undefined.
        ledger: Its ledger, where it was judged just as its recipe says.

    Raises:
        DataError, TransientError: As for `record`.
    """
    path = registry_path(runs)
    line = {"kind": "judged", "data_hash": trial.data_hash, "config_hash": trial.config_hash, "sharpe": sharpe}
    if ledger is not None:
        # Relative, so that the folder of runs may be moved.
        line |= {"ledger": os.path.relpath(ledger.path.absolute(), path.parent), "ground": ledger.ground}
    with _held(path):
        _append(path, line)


def trials(runs: Path) -> list[Trial]:
    """Return every trial in the registry of a folder of runs, oldest first; none where there is no registry.

    Raises:
        DataError: The registry is damaged or cannot be read.
    """
    return _read(registry_path(runs))[0]


def count(runs: Path, data_hash: str) -> int:
    """Return how many distinct configurations were tried on exactly these bars; 0 means that none is known.

    Raises:
        DataError: As for `trials`.
    """
    return len({trial.config_hash for trial in trials(runs) if trial.data_hash == data_hash})


def tried(runs: Path, trial: Trial) -> dict[tuple[str, str], float | None]:
    """Return the distinct configurations tried on the same bars as a trial, or on test bars of its series that overlap.

    Args:
        runs: Folder of runs.
        trial: Whose bars they are. Where it is not among what is returned, it was trained elsewhere, and the number is unknown.

    Returns:
        For each configuration hash and timeframe the Sharpe ratio per bar at which it was last judged, or None.

    Raises:
        DataError: As for `trials`.
    """
    known, judged = _read(registry_path(runs))
    found: dict[tuple[str, str], float | None] = {}
    for each in known:
        if trial.same_bars(each):
            key = (each.config_hash, each.timeframe)
            sharpe = judged.get((each.data_hash, each.config_hash))
            found[key] = found.get(key) if sharpe is None else sharpe
    return found


def kept_ledgers(runs: Path, trial: Trial) -> dict[tuple[str, str], list[KeptLedger]]:
    """Return the ledgers of the distinct configurations tried on the same bars as a trial, its own among them.

    Args:
        runs: Folder of runs.
        trial: Whose bars they are.

    Returns:
        For each configuration hash and timeframe, as in `tried`, the files that were noted, each once and with its newest note;
        none where it was never judged. Whether they are still there is not looked at.

    Raises:
        DataError: As for `trials`.
    """
    path = registry_path(runs)
    shared: dict[tuple[str, str], str] = {}
    noted: dict[tuple[str, str], dict[Path, KeptLedger]] = {}
    for saved in _lines(path):
        key = _key(saved)
        if saved["kind"] != "judged":
            each = _trial(saved)
            if trial.same_bars(each):
                shared[key] = each.timeframe
        elif saved.get("ledger") is not None:
            file = path.parent / str(saved["ledger"])
            noted.setdefault(key, {})[file] = KeptLedger(file, str(saved.get("ground", "")))
    found: dict[tuple[str, str], list[KeptLedger]] = {}
    for key, timeframe in shared.items():
        found.setdefault((key[1], timeframe), []).extend(noted.get(key, {}).values())
    return found


def judged_before(runs: Path, trial: Trial) -> tuple[Trial, str] | None:
    """Return the first other configuration that was judged on the same test bars before a trial was first tried.

    Whoever sets up a configuration after that has seen what the test bars favour.

    Args:
        runs: Folder of runs.
        trial: Which may have been set up with knowledge of its test bars.

    Returns:
        That configuration, and when it was judged, ISO 8601; None where there is none, or the trial itself is not known.

    Raises:
        DataError: As for `trials`.
    """
    known: dict[tuple[str, str], Trial] = {}
    looked: list[tuple[Trial, str]] = []
    for saved in _lines(registry_path(runs)):
        key = _key(saved)
        if saved["kind"] != "judged":
            known[key] = _trial(saved)
            if key == (trial.data_hash, trial.config_hash):
                return looked[0] if looked else None
        elif key in known and trial.same_bars(known[key]):
            looked.append((known[key], str(saved.get("time", ""))))
    return None


@contextmanager
def _held(path: Path) -> Generator[None]:
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_suffix(".lock"))
        try:
            lock.acquire(timeout=_WAIT_SECONDS, poll_interval=0.02)
        except Timeout:
            raise TransientError(f"{path} is held by another process; wait for it to end, then run again", kind="timeout") from None
        try:
            yield
        finally:
            lock.release()


def _append(path: Path, line: Mapping[str, Any]) -> None:
    """Add a line; half a line that a dying process left at the end is cut off before."""
    with open(path, "ab+") as file:
        whole = _whole_size(path)
        file.truncate(whole)
        file.write(f"{to_json({**line, 'time': datetime.now(UTC).isoformat(timespec='seconds')}, indent=None)}\n".encode())
        file.flush()
        os.fsync(file.fileno())


def _whole_size(path: Path) -> int:
    return path.read_bytes().rfind(b"\n") + 1


def _lines(path: Path) -> Generator[dict[str, Any]]:
    """Yield what each whole line holds; half a line at the end is none."""
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    for number, line in enumerate(lines, start=1):
        try:
            saved = cast("dict[str, Any]", json.loads(line))
            if saved["kind"] == "judged":
                _key(saved)
                _number(saved["sharpe"])
            else:
                _trial(saved)
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"line {number} of {path} is damaged; repair or remove that line: without it a trial may go uncounted"
            ) from error
        yield saved


def _key(saved: Mapping[str, Any]) -> tuple[str, str]:
    return str(saved["data_hash"]), str(saved["config_hash"])


def _trial(saved: Mapping[str, Any]) -> Trial:
    return Trial(**{name: saved[name] for name in Trial.__dataclass_fields__})


def _read(path: Path) -> tuple[list[Trial], dict[tuple[str, str], float | None]]:
    """Return the trials, and the last Sharpe ratio of each data hash and configuration."""
    found: dict[Trial, None] = {}
    judged: dict[tuple[str, str], float | None] = {}
    for saved in _lines(path):
        if saved["kind"] == "judged":
            judged[_key(saved)] = _number(saved["sharpe"])
        else:
            found[_trial(saved)] = None
    return list(found), judged


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
