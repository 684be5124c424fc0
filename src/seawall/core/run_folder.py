"""The run folder: everything one run reads and writes, in a place that explains itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from seawall.core.errors import ConfigError, disk_errors


@dataclass(frozen=True)
class RunFolder:
    """One run: ``runs/<recipe>/<time>-<hash>/``.

    Attributes:
        path: The folder.
    """

    path: Path

    @classmethod
    def create(cls, root: Path, recipe: str, recipe_hash: str) -> RunFolder:
        """Make a new, empty run folder, named by the time and the recipe's hash.

        Args:
            root: Folder of all runs.
            recipe: The recipe's name.
            recipe_hash: Hash of the resolved recipe; its first eight letters are used.
        """
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        parent = root / recipe
        with disk_errors(parent):
            parent.mkdir(parents=True, exist_ok=True)
            for attempt in range(1_000):
                suffix = "" if attempt == 0 else f"-{attempt}"
                path = parent / f"{stamp}-{recipe_hash[:8]}{suffix}"
                try:
                    path.mkdir()
                except FileExistsError:
                    continue
                return cls(path)
        raise ConfigError(f"cannot name a new run under {parent}: {stamp}-{recipe_hash[:8]} is taken a thousand times")

    @classmethod
    def find(cls, root: Path, reference: str) -> RunFolder:
        """Find a run by its path, by the start of its name, or as ``latest``.

        Args:
            root: Folder of all runs.
            reference: A path, ``<recipe>/<name>``, a unique beginning of a run's name, or ``latest``.

        Raises:
            ConfigError: No run, or more than one, answers to the reference.
        """
        direct = Path(reference)
        for candidate in (direct, root / reference):
            if (candidate / "recipe.yaml").is_file():
                return cls(candidate)
        if direct.is_dir():
            raise ConfigError(f"{reference} is a folder, but no run: it has no recipe.yaml")
        runs = cls.all(root)
        if reference == "latest":
            if not runs:
                raise ConfigError(f"there is no run under {root.resolve()}; make one with: seawall train RECIPE")
            return runs[-1]
        matches = [run for run in runs if run.path.name.startswith(reference)]
        if len(matches) == 1:
            return matches[0]
        found = "none" if not matches else ", ".join(run.path.name for run in matches)
        raise ConfigError(
            f"run {reference!r} is not one run under {root.resolve()} (found: {found}); "
            "allowed: a path, the beginning of one run's name, or latest"
        )

    @classmethod
    def all(cls, root: Path) -> list[RunFolder]:
        """Return every run under a root, oldest first."""
        paths = (path.parent for path in root.glob("*/*/recipe.yaml"))
        return [cls(path) for path in sorted(paths, key=lambda path: (path.name, path.parent.name))]

    @property
    def recipe(self) -> Path:
        """The resolved recipe."""
        return self.path / "recipe.yaml"

    @property
    def market(self) -> Path:
        """The memory-mapped market block."""
        return self.path / "market"

    @property
    def dataset(self) -> Path:
        """Where the bars came from, what was done to them, and how the rows are split."""
        return self.path / "dataset.json"

    @property
    def bundle(self) -> Path:
        """What training saves and everything else loads."""
        return self.path / "bundle"

    @property
    def metrics(self) -> Path:
        """The judgement as numbers."""
        return self.path / "metrics.json"

    @property
    def ledger(self) -> Path:
        """Every decision, fill, cost and mark of the judged policy."""
        return self.path / "ledger.parquet"

    @property
    def report(self) -> Path:
        """The page to look at."""
        return self.path / "report" / "index.html"

    @property
    def log(self) -> Path:
        """Structured log, one JSON object a line."""
        return self.path / "log.jsonl"

    def checkpoint(self, seed: int) -> Path:
        """Return the folder of one seed's training checkpoint."""
        return self.path / "checkpoints" / f"seed-{seed}"

    def tensorboard(self, seed: int) -> Path:
        """Return the folder of one seed's TensorBoard events."""
        return self.path / "tensorboard" / f"seed-{seed}"
