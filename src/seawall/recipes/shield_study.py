"""A study of shields: several runs at several fees, walked, compared and kept; the same command goes on where it stopped."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seawall import __version__
from seawall.core.errors import ConfigError
from seawall.core.fan_out import available_cores, fan_out
from seawall.core.files import digest, read_json, write_json
from seawall.core.market import RowRange
from seawall.core.run_folder import RunFolder
from seawall.evaluation.ablation import ENSEMBLE, ablation_rows, findings
from seawall.evaluation.ablation_walk import walk_policies, walk_side_by_side
from seawall.evaluation.ledger import Ledgers
from seawall.evaluation.shield import across_runs, headline, told_across_runs, told_of_settings
from seawall.evaluation.shield_page import render_shield
from seawall.recipes.ablation import course_of, facts_of, groups_of, policies_of, told_names, walk_group
from seawall.recipes.experiment import load_run_recipe, worker_count
from seawall.recipes.families import is_portfolio_run
from seawall.recipes.files import SMURF
from seawall.recipes.judging import Case, OpenedCase, open_case
from seawall.recipes.shield import Place, Shield, Wanted, shield_of

_FOLDER = "shield"
_HIGHEST_FEE_BPS = 1_000.0
_PROBE_BARS, _WARMING_BARS = 129, 9

OnProgress = Callable[[str, int, int], Any]


@dataclass(frozen=True)
class Study:
    """What is studied.

    Attributes:
        runs: The trained runs.
        fees_bps: Commissions a side, in basis points; each run's own where there is none.
        wanted: What the user says of the guards.
        smurfs: Runs trained with ``role=smurf``: none, one that supervises every run, or one for each run in their order.
        out: Where everything is kept; below the first run where None.
        data_root: Folder of imported bars.
        workers: Walks at once; as many as the first run's recipe allows where None.
    """

    runs: tuple[RunFolder, ...]
    fees_bps: tuple[float, ...] = ()
    wanted: Wanted = field(default_factory=Wanted)
    smurfs: tuple[RunFolder, ...] = ()
    out: Path | None = None
    data_root: Path = Path("data")
    workers: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be studied.

        Raises:
            ConfigError: There is no run, one is named twice or is of a portfolio, a fee is not allowed, or there are Smurfs for
                some of the runs alone.
        """
        paths = [run.path.resolve() for run in self.runs]
        if not paths or len(set(paths)) != len(paths):
            raise ConfigError(f"{len(paths)} runs are named, {len(set(paths))} of them different; allowed: at least 1, each once")
        for run in self.runs:
            if is_portfolio_run(run):
                raise ConfigError(f"{run.path} is a run of a portfolio, which has no guards; allowed: runs of one series")
        for fee in self.fees_bps:
            if not 0.0 <= fee <= _HIGHEST_FEE_BPS or math.isnan(fee):
                raise ConfigError(f"--fee-bps is {fee:g}; allowed: 0 to {_HIGHEST_FEE_BPS:g} basis points a side")
        if len(set(self.fees_bps)) != len(self.fees_bps):
            raise ConfigError(f"--fee-bps {', '.join(f'{fee:g}' for fee in self.fees_bps)} names a fee twice; allowed: each once")

        if len(self.smurfs) not in {0, 1, len(self.runs)}:
            raise ConfigError(
                f"--smurf names {len(self.smurfs)} supervisors for {len(self.runs)} runs; "
                "allowed: one for all, or one for each run in their order"
            )

    def wanted_for(self, run: RunFolder) -> Wanted:
        """Return what the user says of the guards of one run: with the Smurf that is named for it."""
        if not self.smurfs:
            return self.wanted
        smurf = self.smurfs[0 if len(self.smurfs) == 1 else self.runs.index(run)]
        named = {**self.wanted.named, SMURF: {**self.wanted.named.get(SMURF, {}), "bundle": str(smurf.path.resolve())}}
        return Wanted(named, self.wanted.plugins)

    def root(self) -> Path:
        """Return the folder that keeps walks and studies."""
        return self.runs[0].path / _FOLDER if self.out is None else self.out


@dataclass(frozen=True)
class Cell:
    """One run at one fee.

    Attributes:
        shield: What is walked.
        fee_bps: Commission a side, in basis points.
        facts: What the table says of the run.
        files: Where the walks of each policy are kept, by its name.
        left_out: Why guards are not in the shield, by name.
        together: Whether its policies are walked side by side in one process.
    """

    shield: Shield
    fee_bps: float
    facts: Mapping[str, Any]
    files: Mapping[str, Path]
    left_out: Mapping[str, str]
    together: bool

    def waiting(self) -> list[dict[str, str]]:
        """Return the policies that are not walked yet, with their files: those of a dictionary are walked in one process."""
        return groups_of({name: str(path) for name, path in self.files.items() if not path.is_file()}, together=self.together)


@dataclass(frozen=True)
class Prepared:
    """A study that is ready to begin.

    Attributes:
        study: What is studied.
        cells: Its runs at their fees.
        folder: Where its document and page go.
        budget: What is ahead: ``walks``, ``waiting``, ``choices``, ``bars`` to walk, ``bars_per_second`` of the ensemble and of a
            seed as a short probe measured them (one rate where they walk side by side), ``opening_seconds`` of a run, ``seconds``
            in all, ``workers`` and ``wall_seconds``.
    """

    study: Study
    cells: tuple[Cell, ...]
    folder: Path
    budget: Mapping[str, Any]


def prepare_study(study: Study) -> Prepared:
    """Open every run, put its shield together, and measure on a few bars what the study will take.

    Raises:
        ConfigError: A guard or a fee is not allowed.
        DataError: A run is not trained, or its bundle or its Smurf does not fit.
    """
    cells: list[Cell] = []
    probe: dict[str, float] = {}
    root = study.root()
    for run in study.runs:
        own_fee = load_run_recipe(run).costs.taker_bps
        began = time.perf_counter()
        opened = open_case(Case(run, (), study.data_root))
        opening = time.perf_counter() - began
        of_run = [_cell(study, opened, run, fee, root, fee == own_fee) for fee in study.fees_bps or (own_fee,)]
        cells += of_run
        if not probe and any(cell.waiting() for cell in of_run):
            # Each walk opens its run in a process of its own, and the first run that is opened here loads as much.
            probe = {**_probe(opened, of_run[0].shield, together=of_run[0].together), "opening": opening}
    key = digest([[cell.shield.key(), cell.fee_bps] for cell in cells])[:12]
    folder = root if study.out is not None else root / key
    return Prepared(study, tuple(cells), folder, _budget(study, cells, probe))


def _cell(study: Study, opened: OpenedCase, run: RunFolder, fee: float, root: Path, is_own: bool) -> Cell:
    case = Case(run, () if is_own else (f"costs.taker_bps={fee!r}",), study.data_root)
    shield, left_out = shield_of(opened, case, study.wanted_for(run))
    folder = root / "walks" / shield.key()
    files = {name: folder / f"{name.replace(' ', '-')}.parquet" for name in policies_of(opened)}
    guards = [
        _described(place, made.may_block_exit) for place, made in zip(shield.places, shield.guards(opened.parts), strict=True)
    ]
    facts = {**facts_of(case, opened), "costs": case.recipe().costs.model_dump(), "guards": guards}
    return Cell(shield, fee, facts, files, left_out, walk_side_by_side(policies_of(opened).values()))


def _described(place: Place, may_block_exit: bool) -> dict[str, Any]:
    return {
        "name": place.label,
        "settings": dict(place.settings),
        "in_recipe": place.trained or place.watches,
        "may_block_exit": may_block_exit,
        "instead_of": place.instead_of,
        "only_watches": place.watches,
    }


def _probe(opened: OpenedCase, shield: Shield, *, together: bool) -> dict[str, float]:
    """Return the bars a second that ensemble and seeds walk before all choices at once, without what the first bars load."""
    policies = policies_of(opened)
    groups = [policies] if together else [{name: policy} for name, policy in list(policies.items())[:2]]
    rates: dict[str, float] = {}
    for group in groups:
        for bars in (_WARMING_BARS, _PROBE_BARS):
            rows = RowRange(opened.rows.start, min(opened.rows.stop, opened.rows.start + bars))
            course = course_of(opened, shield.guards(opened.parts), rows, opened.recipe.costs)
            began = time.perf_counter()
            walk_policies(group, course, shield.variants())
            rate = len(group) * (len(rows) - 1) / (time.perf_counter() - began)
            rates |= {ENSEMBLE if name == ENSEMBLE else "seed": rate for name in group}
    return rates


def _budget(study: Study, cells: Sequence[Cell], probe: Mapping[str, float]) -> dict[str, Any]:
    groups = [(group, cell.facts["test"]["bars"] - cell.facts["test"]["ranges"]) for cell in cells for group in cell.waiting()]
    walks = [(name, bars) for group, bars in groups for name in group]
    seconds = sum(bars / probe[ENSEMBLE if name == ENSEMBLE else "seed"] for name, bars in walks)
    seconds += len(groups) * probe.get("opening", 0.0)
    workers = _workers(study, len(groups))
    return {
        "walks": sum(len(cell.files) for cell in cells),
        "waiting": len(walks),
        "choices": max(len(cell.shield.variants()) for cell in cells),
        "bars": sum(bars for _, bars in walks),
        "bars_per_second": {name: rate for name, rate in probe.items() if name != "opening"},
        "opening_seconds": probe.get("opening", 0.0),
        "seconds": seconds,
        "workers": workers,
        "wall_seconds": seconds / workers,
    }


def _workers(study: Study, waiting: int) -> int:
    most = study.workers or min(worker_count(load_run_recipe(study.runs[0])), available_cores())
    return max(1, min(most, waiting))


def run_study(prepared: Prepared, on_progress: OnProgress) -> dict[str, Any]:
    """Walk what is not walked yet, compare, and keep document and page.

    Args:
        prepared: From `prepare_study`.
        on_progress: Told a walk's name, the bars that it has walked, and all that it will.

    Returns:
        The document: ``tables`` of each run at each fee with ``rows`` as `evaluation.ablation.ablation_rows` gives them, and
        ``findings`` and ``choices`` in words; ``fees`` with the ``summary`` across runs; the ``budget`` stated; and ``files``.

    Raises:
        Interrupted: Ctrl-C; the same call goes on with the policies that are not walked yet.
    """
    tasks = [
        (f"{_named(cell.facts)} at {cell.fee_bps:g} bps, {told_names(group)}", (cell.shield, group))
        for cell in prepared.cells
        for group in cell.waiting()
    ]
    fan_out(
        walk_group,
        [task for _, task in tasks],
        workers=_workers(prepared.study, len(tasks)),
        on_progress=lambda number, message: on_progress(tasks[number][0], message["bars"], message["total"]),
    )
    tables = [_table(cell) for cell in prepared.cells]
    document = {
        "tables": tables,
        "fees": _by_fee(tables),
        "budget": dict(prepared.budget),
        "version": __version__,
    }
    folder = prepared.folder
    write_json(folder / "shield.json", document)
    page = render_shield(document, folder / "shield.html")
    return {**document, "files": {"folder": str(folder), "table": str(folder / "shield.json"), "page": str(page)}}


def _named(facts: Mapping[str, Any]) -> str:
    return f"{facts['recipe']} on {facts['symbol']}"


def _table(cell: Cell) -> dict[str, Any]:
    """Return the comparison of one run at one fee; it is kept beside its walks, and not made again."""
    bootstrap = cell.shield.case.recipe().evaluation.bootstrap
    place = next(iter(cell.files.values())).parent / f"rows-{digest(bootstrap.model_dump())[:8]}.json"
    if not place.is_file():
        walks = {name: Ledgers.read(path).baselines for name, path in cell.files.items()}
        write_json(place, {"rows": ablation_rows(walks, cell.shield.variants(), bootstrap)})
    rows = read_json(place, "rows")["rows"]
    return {
        **cell.facts,
        "fee_bps": cell.fee_bps,
        "left_out": dict(cell.left_out),
        "rows": rows,
        "findings": findings(rows),
        "choices": told_of_settings(rows),
    }


def _by_fee(tables: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for fee in dict.fromkeys(table["fee_bps"] for table in tables):
        of_fee = [table for table in tables if table["fee_bps"] == fee]
        summary = across_runs([table["rows"] for table in of_fee])
        found.append(
            {
                "fee_bps": fee,
                "runs": [table["run"] for table in of_fee],
                "headline": headline(summary, fee),
                "summary": summary,
                "findings": told_across_runs(summary),
            }
        )
    return found
