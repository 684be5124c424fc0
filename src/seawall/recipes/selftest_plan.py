"""Which agents climb which rungs of the known-answer ladder, how often, and what they must reach there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from seawall import __version__
from seawall.core.errors import ConfigError
from seawall.core.files import digest
from seawall.market.synthetic.ladder_chains import RUNGS, STRENGTHS
from seawall.recipes.selftest_agents import LADDER_AGENTS

BARS = "bars"
"""The rung of `twins`: a planted edge seen through candles alone, and its driftless twin, judged as any run is."""
WALK = "walk"
CONTROL_RUNG = "ar1"
_REQUIRED = {"strong": 0.75}
_REQUIRED_OF = {"exact": {"strong": 0.9, "medium": 0.9, "weak": 0.7}}
_USUAL_SEEDS, _FULL_SEEDS = 3, 5
_SMALL_EDGES = ("ar1", "regime", "threshold")
_USUAL_RUNGS = {"medium": _SMALL_EDGES, "weak": _SMALL_EDGES}
"""A usual run climbs the smaller edges here alone, the hardest: what lasts in a single column, what two columns tell together, and
what is barely worth its costs."""


@dataclass(frozen=True)
class Unit:
    """One training: an agent on a rung at a strength, with a seed of market and agent.

    Attributes:
        agent: A key of `LADDER_AGENTS`.
        rung: A key of `RUNGS`.
        strength: A key of `STRENGTHS`.
        seed: Of the market and of the agent.
        control: Whether the signal is cut off from the moves in the rows to learn from; then nothing can be learned.
    """

    agent: str
    rung: str
    strength: str
    seed: int
    control: bool = False

    @property
    def name(self) -> str:
        """The name of its files."""
        return f"{self.agent}-{self.rung}-{self.strength}-seed-{self.seed}{'-control' if self.control else ''}"

    @property
    def cell(self) -> Unit:
        """The unit without its seed: what is judged together."""
        return replace(self, seed=0)

    @property
    def required(self) -> float | None:
        """Least mean share of the attainable over seeds; None where none is asked for."""
        return None if self.control or self.rung == WALK else required_share(self.agent, self.strength)


@dataclass(frozen=True)
class Plan:
    """What one self-test runs.

    Attributes:
        units: The trainings.
        bars: Whether the rung of candles is climbed too.
        seeds: Seeds of each cell.
    """

    units: tuple[Unit, ...]
    bars: bool
    seeds: int

    def digest(self) -> str:
        """Return a hash of the plan, the version and the agents' settings: a stopped run of another plan is not gone on with."""
        agents = {name: LADDER_AGENTS[name].settings() for name in sorted({unit.agent for unit in self.units})}
        return digest({"version": __version__, "agents": agents, **self.to_dict()})

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain values."""
        return asdict(self)


def required_share(agent: str, strength: str) -> float | None:
    """Return the least mean share of the attainable that an agent must reach at a strength; None where none is asked for."""
    return _REQUIRED_OF.get(agent, _REQUIRED).get(strength)


def make_plan(
    agents: Sequence[str] = (),
    strengths: Sequence[str] = (),
    rungs: Sequence[str] = (),
    *,
    seeds: int | None = None,
    full: bool = False,
) -> Plan:
    """Choose the trainings.

    Args:
        agents: Who climbs; all where none is named.
        strengths: Which strengths; where none is named, those at which something is required, or all of a full run. Where no rung
            is named either, a usual run has medium and weak edges on three rungs alone, as they take the most time.
        rungs: Which rungs; where none is named, all but the candles, which a full run has too.
        seeds: Seeds of each cell; 3 where None, 5 in a full run.
        full: Whether every agent climbs every rung at every strength.

    Raises:
        ConfigError: A name is unknown, or no training is left.
    """
    for what, given, allowed in (
        ("agent", agents, LADDER_AGENTS),
        ("strength", strengths, STRENGTHS),
        ("rung", rungs, (*RUNGS, BARS)),
    ):
        unknown = [name for name in given if name not in allowed]
        if unknown:
            raise ConfigError(f"{what} {unknown[0]!r} is unknown; allowed: {', '.join(allowed)}")
    chosen = tuple(dict.fromkeys(rungs)) or (*RUNGS, *((BARS,) if full else ()))
    count = seeds or (_FULL_SEEDS if full else _USUAL_SEEDS)
    cells = [
        cell
        for agent in dict.fromkeys(agents or LADDER_AGENTS)
        for rung in chosen
        if rung != BARS
        for cell in _cells(agent, rung, tuple(strengths), full)
        if rungs or strengths or full or rung in _USUAL_RUNGS.get(cell.strength, RUNGS)
    ]
    units = tuple(replace(cell, seed=seed) for cell in cells for seed in range(count))
    if not units and BARS not in chosen:
        raise ConfigError(f"nothing is required at strengths {list(strengths)}; allowed: --full, or other strengths")
    return Plan(units, BARS in chosen, count)


def _cells(agent: str, rung: str, strengths: tuple[str, ...], full: bool) -> list[Unit]:
    """Return an agent's cells on a rung. A walk has no strength, and the control is run on one rung alone."""
    if rung == WALK:
        return [Unit(agent, WALK, "strong", 0)]
    asked = [name for name in STRENGTHS if name in strengths] if strengths else list(STRENGTHS)
    cells = [Unit(agent, rung, name, 0) for name in asked if full or strengths or required_share(agent, name) is not None]
    control = [Unit(agent, rung, "strong", 0, control=True)] if rung == CONTROL_RUNG else []
    return cells + control
