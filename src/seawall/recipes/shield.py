"""The shield of a trained run: every guard that can act on its bars, in the settings that are compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from seawall import __version__
from seawall.agents.bundle import read_manifest
from seawall.core.errors import ConfigError
from seawall.core.files import digest
from seawall.core.protocols import Guard
from seawall.evaluation.ablation_walk import Variant
from seawall.evaluation.shield import Renamed, shield_variants
from seawall.guards.contradictions import refuse_contradictions
from seawall.guards.registry import GUARDS
from seawall.recipes.ablation import chained_tests, resolved
from seawall.recipes.agent_checks import shown_guards
from seawall.recipes.assembly import Parts
from seawall.recipes.files import SMURF
from seawall.recipes.judging import Case, OpenedCase
from seawall.recipes.plugins import load_plugins
from seawall.recipes.smurf import supervise

_LIVE_ALONE = {"kill_switch": "it looks at a file of today, which says nothing about recorded bars"}
_FEWEST_SEEDS = 2


@dataclass(frozen=True)
class Place:
    """One guard with its settings, and its part in the shield.

    Attributes:
        label: Its name in the chain and in tables.
        guard: Its name in the registry.
        settings: All its settings.
        instead_of: Label of the guard whose other setting it is; empty for a guard of the shield itself.
        trained: Whether the run was trained behind it as it is.
        watches: Whether it only watches, so that the policy sees the state that it was trained with.
    """

    label: str
    guard: str
    settings: Mapping[str, Any]
    instead_of: str = ""
    trained: bool = False
    watches: bool = False


@dataclass(frozen=True)
class Shield:
    """What is walked: a run at some costs, and the guards of its shield.

    Attributes:
        case: The run, and what is changed for it.
        places: The guards, in the order of the chain.
        plugins: Python files with guards of the user's own.
    """

    case: Case
    places: tuple[Place, ...]
    plugins: tuple[Path, ...] = ()

    def guards(self, parts: Parts) -> tuple[Guard, ...]:
        """Return the guards, freshly made with what is known of the run, under their labels."""
        load_plugins(self.plugins)
        return tuple(_ready(place, parts) for place in self.places)

    def variants(self) -> tuple[Variant, ...]:
        """Return every choice of the guards that is compared."""
        own = [place for place in self.places if not place.instead_of and not place.watches]
        others = {place.label: place.instead_of for place in self.places if place.instead_of}
        return shield_variants([place.label for place in own], others, [place.label for place in own if place.trained])

    def key(self) -> str:
        """Return a name made of everything that the walks depend on."""
        case = self.case
        members = [member["weights_hash"] for member in read_manifest(case.run.bundle)["members"]]
        smurfs = [str(place.settings["bundle"]) for place in self.places if place.guard == SMURF]
        made_of = {
            "run": str(case.run.path.resolve()),
            "recipe": case.recipe().digest(),
            "weights": [case.checkpoint, *members],
            "places": [vars(place) for place in self.places],
            "smurfs": [_weights_of(reference) for reference in smurfs],
            "version": __version__,
            **chained_tests(case),
        }
        return digest(made_of)[:12]


@dataclass(frozen=True)
class Wanted:
    """What the user says of the guards.

    Attributes:
        named: Settings of guards by their names, beside those of the recipe.
        plugins: Python files with guards of the user's own.
    """

    named: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    plugins: tuple[Path, ...] = ()


def shield_of(opened: OpenedCase, case: Case, wanted: Wanted) -> tuple[Shield, dict[str, str]]:
    """Put together the shield of a run: every registered guard that can act on its bars, with its default settings.

    Settings of the recipe take precedence over defaults, and named ones over both. A guard that cannot act on this run is left out,
    unless it was named: then it is refused.

    Returns:
        The shield, and why each guard that is left out is so.

    Raises:
        ConfigError: A guard is unknown, its settings are not allowed, or one that was named or is the recipe's cannot stand here.
        DataError: A Smurf does not fit the run.
    """
    load_plugins(wanted.plugins)
    for name in wanted.named:
        resolved(name, {**opened.recipe.guards.get(name, {}), **wanted.named[name]})
    own: list[Place] = []
    left_out: dict[str, str] = {}
    asked = list(dict.fromkeys([*opened.recipe.guards, *wanted.named]))
    for name in [*asked, *(name for name in GUARDS if name not in asked)]:
        reason = "" if name in asked else _cannot(name, opened)
        if reason:
            left_out[name] = reason
            continue
        place = _place(name, opened, wanted)
        try:
            made = [_ready(each, opened.parts, renamed=False) for each in (*own, place)]
            refuse_contradictions(made, opened.parts.dataset.market.timeframe)
        except ConfigError as error:
            if name in asked:
                raise
            left_out[name] = str(error)
            continue
        own.append(place)
    places = [*_watching(own, opened), *(each for place in own for each in (place, *_other_settings(place)))]
    exits_first = sorted(places, key=lambda place: not _ready(place, opened.parts).may_block_exit)
    return Shield(case, tuple(exits_first), wanted.plugins), left_out


def _cannot(name: str, opened: OpenedCase) -> str:
    """Return why a guard that nobody named cannot act on a run with its default settings; empty where it can."""
    if name in _LIVE_ALONE:
        return _LIVE_ALONE[name]
    if name == SMURF:
        return "it needs a trained supervisor; name one with --smurf RUN"
    if name == "disagreement" and len(opened.seeds) < _FEWEST_SEEDS:
        return f"it needs at least {_FEWEST_SEEDS} seeds, and the run has {len(opened.seeds)}"
    try:
        GUARDS[name].params()
    except ValidationError:
        return f"it has no default settings; name it with --guard {name}.KEY=VALUE"
    return ""


def _place(name: str, opened: OpenedCase, wanted: Wanted) -> Place:
    in_recipe = opened.recipe.guards.get(name)
    settings = resolved(name, {**(in_recipe or {}), **wanted.named.get(name, {})})
    trained = in_recipe is not None and settings == resolved(name, in_recipe)
    changed = in_recipe is not None and not trained and _is_shown(name, opened)
    return Place(f"{name} (as named)" if changed else name, name, settings, trained=trained)


def _watching(own: Sequence[Place], opened: OpenedCase) -> list[Place]:
    """Return the guards of the recipe that have other settings in the shield, and whose state the policy sees."""
    kept = [place.guard for place in own if place.label == place.guard]
    recipe = opened.recipe.guards
    return [
        Place(name, name, resolved(name, settings), watches=True)
        for name, settings in recipe.items()
        if name not in kept and _is_shown(name, opened)
    ]


def _is_shown(name: str, opened: OpenedCase) -> bool:
    return any(column.startswith(f"{name}.") for column in shown_guards(opened.recipe))


def _other_settings(place: Place) -> list[Place]:
    """Return the settings of a guard that are compared with the one that it has: what it costs to read its rule so."""
    changes = _CHOICES.get(place.guard, lambda _settings: [])(place.settings)
    return [
        Place(f"{place.guard} ({words})", place.guard, resolved(place.guard, {**place.settings, **change}), place.label)
        for words, change in changes
    ]


def _readings(settings: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the other three of both readings of the N-consecutive rule, with exits held and with exits exempt."""
    found = []
    for mode in ("veto_repeat", "confirm"):
        for exempt in (False, True):
            if (mode, exempt) == (settings["mode"], settings["exits_exempt"]):
                continue
            # To confirm by what was executed would hold for ever.
            record = "suggested" if mode == "confirm" else settings["record"]
            words = f"{mode}, exits {'exempt' if exempt else 'held'}"
            found.append((words, {"mode": mode, "exits_exempt": exempt, "record": record}))
    return found


def _exits(settings: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    exempt = not settings["exits_exempt"]
    return [(f"exits {'exempt' if exempt else 'held'}", {"exits_exempt": exempt})]


_CHOICES: dict[str, Callable[[Mapping[str, Any]], list[tuple[str, dict[str, Any]]]]] = {
    "n_consecutive": _readings,
    SMURF: _exits,
}


def _ready(place: Place, parts: Parts, *, renamed: bool = True) -> Guard:
    """Return a place's guard, with its supervisor where it needs one."""
    made = parts.guard(place.guard, GUARDS[place.guard].params(**place.settings))
    supervise((made,), parts)
    return Renamed(made, place.label) if renamed and place.label != made.name else made


def _weights_of(reference: str) -> list[str]:
    """Return the hashes of a Smurf's weights where its bundle can be found by its path; a run's own is part of its recipe."""
    folder = Path(reference)
    for each in (folder, folder / "bundle"):
        if (each / "bundle.json").is_file():
            return [str(member["weights_hash"]) for member in read_manifest(each)["members"]]
    return []
