"""What a null test repeats, on which markets, and what that will take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seawall import __version__
from seawall.core.errors import ConfigError
from seawall.core.files import digest
from seawall.core.run_folder import RunFolder
from seawall.evaluation.null_positions import KINDS
from seawall.market.synthetic.surrogates import Drift
from seawall.recipes.experiment import training_summary, worker_count
from seawall.recipes.families import AnyRecipe
from seawall.recipes.pretrained import kept_encoder

WALK, SHUFFLE = "walk", "shuffle"
_MOST_MARKETS = 10_000
_DRIFTS = ("keep", "remove")


@dataclass(frozen=True)
class NullPlan:
    """Which null markets, and how much of the pipeline.

    Attributes:
        markets: Of each kind.
        kinds: Of `KINDS`, each once.
        seeds: Trained on each market, the first ones of the run; all of them where None.
        block: Bars that stay together in a shuffled market.
        drift: Whether a shuffled market ends where the bars ended, or has lost its mean log return.
        seed: Of the markets.
    """

    markets: int = 20
    kinds: tuple[str, ...] = tuple(KINDS)
    seeds: int | None = None
    block: int = 1
    drift: Drift = "keep"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be made."""
        for name, value, least, most in (
            ("markets", self.markets, 1, _MOST_MARKETS),
            ("block", self.block, 1, None),
            ("seed", self.seed, 0, 2**53 - 1),
        ):
            if value < least or (most is not None and value > most):
                raise ConfigError(
                    f"--{name} is {value}; allowed: {least} to {most:,}" if most else f"--{name} is {value}; least: 1"
                )
        if not self.kinds or any(kind not in KINDS for kind in self.kinds):
            raise ConfigError(
                f"null markets of kind {', '.join(self.kinds) or 'none'} are unknown; allowed: {', '.join(KINDS)}, both"
            )
        if self.drift not in _DRIFTS:
            raise ConfigError(f"--drift is {self.drift!r}; allowed: {', '.join(_DRIFTS)}")

    def recipe(self, recipe: AnyRecipe) -> AnyRecipe:
        """Return the recipe that each null market is given: the run's own, with fewer seeds where so planned.

        Raises:
            ConfigError: More seeds than the run has, or none; or it starts from weights that have learned on real bars.
        """
        training, has = recipe.training, recipe.training.n_seeds
        if training.start_from is not None:
            raise ConfigError(
                f"training.start_from is {training.start_from!r}: those weights have learned on real bars, so that no null market "
                "can repeat how they came about; allowed: a run that starts from fresh weights"
            )
        if self.seeds is None:
            return recipe
        if not 1 <= self.seeds <= has:
            raise ConfigError(f"--seeds is {self.seeds}; allowed: 1 to {has}, of the run's own seeds")
        return recipe.model_copy(update={"training": training.model_copy(update={"n_seeds": self.seeds})})

    def key(self, kind: str, recipe: AnyRecipe, facts: Mapping[str, Any]) -> str:
        """Return a short name of everything that the results of one kind depend on, their number apart.

        Args:
            kind: Of the markets.
            recipe: As `recipe` gives it.
            facts: Of the bars: their hash and split.
        """
        order = {"block": self.block, "drift": self.drift} if kind == SHUFFLE else {}
        marks = {"kind": kind, **order, "seed": self.seed, "recipe": recipe.digest(), "version": __version__, **facts}
        return digest(marks)[:8]

    def deviations(self, recipe: AnyRecipe) -> list[str]:
        """Say in what the null runs differ from the run, beyond their bars."""
        has = recipe.training.n_seeds
        if self.seeds is None or self.seeds == has:
            return []
        return [
            f"The null runs were trained with {self.seeds} of the run's {has} seeds, so this is not quite the same pipeline: a "
            "smaller ensemble scatters more, which as a rule makes p larger."
        ]

    def made(self, kind: str) -> str:
        """Say how the markets of a kind are made."""
        if kind == WALK:
            return "Random walks: each bar keeps its time, size and volume, and a coin says whether it is turned over."
        drift = "their drift is kept" if self.drift == "keep" else "their mean log return is removed"
        if self.block == 1:
            return f"Shuffled markets: the same bars in another order at the same times; {drift}."
        return (
            f"Shuffled markets: the same bars at the same times, blocks of {self.block} in another order; {drift}. Within a block "
            "the order stays: an edge that lives there is in this noise too."
        )

    def budget(self, run: RunFolder, recipe: AnyRecipe, waiting: int, workers: int | None) -> dict[str, Any]:
        """Return what is ahead, by the time that the run itself was measured to take.

        Args:
            run: The trained run.
            recipe: As `recipe` gives it.
            waiting: Null markets that are not judged yet.
            workers: Processes at once; as many as the recipe says where None.

        Raises:
            DataError: The run has not been trained to its end.
        """
        measured: Sequence[float] = [each["seconds"] for each in training_summary(run)["seeds"]]
        encoder = kept_encoder(run)
        taught = 0.0 if encoder is None else float(encoder.manifest["judgement"]["seconds"])
        each = sum(measured) / len(measured)
        at_once = max(1, min(workers or worker_count(recipe), max(1, waiting)))
        total = waiting * (recipe.training.n_seeds * each + taught)
        return {
            "waiting": waiting,
            "seeds": recipe.training.n_seeds,
            "seconds_per_seed": each,
            "encoder_seconds": taught,
            "total_seconds": total,
            "workers": at_once,
            "wall_seconds": total / at_once,
        }
