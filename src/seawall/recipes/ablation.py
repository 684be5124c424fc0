"""The ablation of a trained run's guards: its policies over its test rows, before every choice of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from seawall import __version__
from seawall.agents.bundle import read_manifest
from seawall.core.bars import from_milliseconds
from seawall.core.errors import ConfigError
from seawall.core.fan_out import Channel, Interrupted, fan_out
from seawall.core.files import digest, read_json, write_json
from seawall.core.market import RowRange
from seawall.core.protocols import Guard, Policy
from seawall.evaluation.ablation import ENSEMBLE, ablation_rows, findings
from seawall.evaluation.ablation_page import render_ablation
from seawall.evaluation.ablation_walk import NO_GUARD, Course, Variant, variants_of, walk_ranges, walk_side_by_side
from seawall.evaluation.ledger import Ledgers
from seawall.guards.contradictions import refuse_contradictions
from seawall.guards.registry import GUARDS, guard
from seawall.recipes.agent_checks import shown_guards
from seawall.recipes.assembly import Parts
from seawall.recipes.experiment import worker_count
from seawall.recipes.files import parse_yaml
from seawall.recipes.judging import Case, OpenedCase, open_case
from seawall.recipes.plugins import load_plugins
from seawall.recipes.refusals import refused_recipe
from seawall.recipes.schema import Recipe
from seawall.recipes.smurf import supervise
from seawall.simulator.costs.params import CostParams

_FOLDER = "ablation"


class Ablated(Protocol):
    """What a walk must know: a run, the guards of its chain, and the choices of them."""

    @property
    def case(self) -> Case:
        """The run, and what is changed for it."""
        ...

    def guards(self, parts: Parts) -> tuple[Guard, ...]:
        """Return the guards, freshly made, in the order of the chain."""
        ...

    def variants(self) -> tuple[Variant, ...]:
        """Return every choice of the guards."""
        ...


@dataclass(frozen=True)
class Ablation:
    """What is ablated.

    Attributes:
        case: The run, and what is changed for it.
        added: Guards beside those of its recipe, and their settings.
        plugins: Python files with guards of the user's own.
    """

    case: Case
    added: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    plugins: tuple[Path, ...] = ()

    def settings(self) -> dict[str, dict[str, Any]]:
        """Return every guard's settings by its name, in the order of the chain.

        Those that may block an exit come first, as a chain needs it; else the recipe's come before those that were added.

        Raises:
            ConfigError: A guard is unknown, in the recipe already, or its settings are not allowed; or there is none.
        """
        load_plugins(self.plugins)
        own = self.case.recipe().guards
        for name in self.added:
            if name in own:
                raise ConfigError(
                    f"guard {name!r} is in the run's recipe already; allowed: other guards, or guards.{name}.KEY=VALUE "
                    "to change its settings"
                )
        made = {**own, **{name: resolved(name, settings) for name, settings in self.added.items()}}
        if not made:
            raise ConfigError(f"the run's recipe has no guard; name one with --guard, out of {', '.join(GUARDS)}")
        return dict(sorted(made.items(), key=lambda item: not _made(*item).may_block_exit))

    def guards(self, parts: Parts) -> tuple[Guard, ...]:
        """Return the guards, freshly made with what is known of the run, in the order of the chain.

        Raises:
            ConfigError: As `settings`; or guards contradict each other, or the run lacks what one needs to know.
        """
        made = tuple(parts.guard(name, GUARDS[name].params(**settings)) for name, settings in self.settings().items())
        refuse_contradictions(made, parts.dataset.market.timeframe)
        return made

    def variants(self) -> tuple[Variant, ...]:
        """Return every choice of the guards."""
        return variants_of(tuple(self.settings()))

    def folder(self) -> Path:
        """Return where its walks, table and page are kept: below the run, named by everything that they depend on."""
        case = self.case
        manifest = read_manifest(case.run.bundle)
        members = [member["weights_hash"] for member in manifest["members"]]
        made_of = {
            "recipe": case.recipe().digest(),
            "weights": members if case.checkpoint == "best" else [case.checkpoint, *members],
            "guards": list(self.settings().items()),
            "data_root": str(case.data_root.resolve()) if case.overrides else "",
            "version": __version__,
        }
        return case.run.path / _FOLDER / digest({**made_of, **chained_tests(case)})[:12]


def chained_tests(case: Case) -> dict[str, Any]:
    """Return what the name of a case's kept walks must tell of its test ranges: nothing where there is one."""
    more = read_json(case.run.dataset, "split")["split"].get("more_test", ())
    return {"tests": 1 + len(more)} if more else {}


def guards_named(words: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return guards and their settings as words give them: ``name`` or ``name.key=value``, several keys one after the other.

    Raises:
        ConfigError: A word is neither, or names a key twice.
    """
    named: dict[str, dict[str, Any]] = {}
    for word in words:
        place, has_value, value = word.partition("=")
        name, has_key, key = place.strip().partition(".")
        if not name or bool(has_key) != bool(has_value) or (has_key and not key):
            raise ConfigError(f"--guard {word!r} is not understood; allowed: NAME, or NAME.KEY=VALUE")
        settings = named.setdefault(name, {})
        if key in settings:
            raise ConfigError(f"--guard {word!r} sets {name}.{key} twice; allowed: once")
        if key:
            settings[key] = parse_yaml(value, f"--guard {word}")
    return named


def ablate(ablation: Ablation, on_progress: Callable[[str, int, int], Any]) -> dict[str, Any]:
    """Walk every policy of a run before every choice of guards, compare them, and keep table and page in the run's folder.

    All test ranges of a fold of cross-validation are walked, and chained as ``seawall backtest`` chains them. A policy's walks are
    kept as soon as they are whole, and not made again.

    Args:
        ablation: What to ablate.
        on_progress: Told a policy's name, the bars that it has walked, and all that it will.

    Returns:
        The document: what was ablated, ``rows`` as `evaluation.ablation.ablation_rows` gives them, ``findings``, and files.

    Raises:
        ConfigError: A guard is not known or not allowed, or there is none.
        DataError: The run is not trained, or its bundle does not fit.
        Interrupted: Ctrl-C; the same call goes on with the policies that are not walked yet.
    """
    settings, variants = ablation.settings(), ablation.variants()
    opened = open_case(ablation.case)
    ablation.guards(opened.parts)
    folder = ablation.folder()
    files = {name: folder / f"{name.replace(' ', '-')}.parquet" for name in policies_of(opened)}
    waiting = {name: str(path) for name, path in files.items() if not path.is_file()}
    groups = groups_of(waiting, together=walk_side_by_side(policies_of(opened).values()))
    workers = min(worker_count(opened.recipe), max(1, len(groups)))
    fan_out(
        walk_group,
        [(ablation, group) for group in groups],
        workers=workers,
        on_progress=lambda number, message: on_progress(told_names(groups[number]), message["bars"], message["total"]),
    )
    walks = {name: Ledgers.read(path).baselines for name, path in files.items()}
    rows = ablation_rows(walks, variants, opened.recipe.evaluation.bootstrap)
    described = [_described(name, values, opened.recipe) for name, values in settings.items()]
    document = {**facts_of(ablation.case, opened), "guards": described, "rows": rows, "findings": findings(rows)}
    write_json(folder / "ablation.json", document)
    page = render_ablation(document, folder / "index.html")
    return {**document, "files": {"folder": str(folder), "table": str(folder / "ablation.json"), "page": str(page)}}


def groups_of(waiting: Mapping[str, str], *, together: bool) -> list[dict[str, str]]:
    """Return which policies are walked in one process, each with its file."""
    if together:
        return [dict(waiting)] if waiting else []
    return [{name: path} for name, path in waiting.items()]


def told_names(group: Mapping[str, str]) -> str:
    """Return what a bar of progress says of policies that are walked together."""
    names = list(group)
    return ", ".join(names) if len(names) < 3 else f"{names[0]} and {len(names) - 1} more"


def walk_group(ablation: Ablated, files: Mapping[str, str], channel: Channel) -> None:
    """Walk some policies of a run and keep the ledgers of each in its file; called in a process of its own."""
    variants, opened = ablation.variants(), open_case(ablation.case)
    courses = [course_of(opened, _supervised(ablation, opened), rows, opened.recipe.costs) for rows in opened.ranges]
    every = policies_of(opened)
    policies = {name: every[name] for name in files}
    total = sum(len(rows) - 1 for rows in opened.ranges) * len(policies)

    def tell(bars: int) -> None:
        channel.send({"bars": bars, "total": total})
        if channel.should_stop():
            raise Interrupted("the ablation was stopped; policies that are walked whole are kept")

    for name, ledgers in walk_ranges(policies, courses, variants, tell).items():
        Ledgers(ledgers[NO_GUARD], {}, ledgers).write(Path(files[name]))
    channel.send({"bars": total, "total": total})


def _supervised(ablation: Ablated, opened: OpenedCase) -> tuple[Guard, ...]:
    guards = ablation.guards(opened.parts)
    supervise(guards, opened.parts)
    return guards


def policies_of(opened: OpenedCase) -> dict[str, Policy]:
    """Return a case's policies by name: the ensemble, then each seed."""
    return {ENSEMBLE: opened.ensemble, **{f"seed {seed}": policy for seed, policy in opened.seeds.items()}}


def course_of(opened: OpenedCase, guards: tuple[Guard, ...], rows: RowRange, costs: CostParams) -> Course:
    """Return where a case's policies walk before choices of some guards, over some rows and at some costs."""
    recipe, parts = opened.recipe, opened.parts
    return Course(
        market=parts.dataset.market,
        rows=rows,
        scheme=parts.scheme,
        guards=guards,
        account_columns=recipe.environment.account_columns,
        shown=shown_guards(recipe),
        costs=costs,
        simulator=recipe.simulator,
    )


def facts_of(case: Case, opened: OpenedCase) -> dict[str, Any]:
    """Return what a table of guards says of the run that it is of."""
    recipe, market, ranges = opened.recipe, opened.parts.dataset.market, opened.ranges
    first, last = from_milliseconds(market.timestamps[[ranges[0].start, ranges[-1].stop - 1]])
    return {
        "run": str(case.run.path),
        "recipe": recipe.name,
        "symbol": market.symbols[0],
        "timeframe": market.timeframe.label,
        "test": {
            "first": f"{first:%Y-%m-%d %H:%M}",
            "last": f"{last:%Y-%m-%d %H:%M}",
            "bars": sum(map(len, ranges)),
            "ranges": len(ranges),
        },
        "overrides": list(case.overrides),
        "checkpoint": case.checkpoint,
        "training_finished": opened.stopped is None,
        "costs": recipe.costs.model_dump(),
        "confidence": recipe.evaluation.bootstrap.confidence,
        "seeds": list(opened.seeds),
        "version": __version__,
    }


def _described(name: str, settings: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
    in_recipe = name in recipe.guards
    shown = in_recipe and recipe.environment.guard_columns
    made = _made(name, settings)
    return {"name": name, "settings": settings, "in_recipe": in_recipe, "shown": shown, "may_block_exit": made.may_block_exit}


def _made(name: str, settings: Mapping[str, Any]) -> Guard:
    return guard(name, GUARDS[name].params(**settings))


def resolved(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return every setting of a guard.

    Raises:
        ConfigError: The guard is unknown, or its settings are not allowed.
    """
    if name not in GUARDS:
        raise ConfigError(f"guard {name!r} is unknown; allowed: {', '.join(GUARDS)}")
    try:
        return GUARDS[name].params.model_validate(settings).model_dump()
    except ValidationError as error:
        raise refused_recipe(f"of guard {name}", error) from error
