"""Explaining a trained run: what its policies look at, whether its seeds agree, and whether an untrained network looks alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from seawall import __version__
from seawall.agents.explaining.attention import attention_maps, mean_attention, rollout
from seawall.agents.explaining.methods import (
    MOST_STEPS,
    STEPS,
    TOLERANCE,
    Gradients,
    Inputs,
    integrated_gradients,
    occlusion,
    require_captum,
)
from seawall.agents.explaining.scores import Scores, as_it_decides, scores_of
from seawall.agents.explaining.targets import Target, target_named
from seawall.core.files import write_json
from seawall.core.run_folder import RunFolder
from seawall.core.seeding import derived_seed
from seawall.evaluation.explain import (
    Importance,
    against_untrained,
    by_action,
    correlation,
    of_gradients,
    of_occlusion,
    summary,
)
from seawall.evaluation.explain_page import EXPLANATION
from seawall.evaluation.explain_words import cautions, findings
from seawall.recipes import portfolio_run
from seawall.recipes.explain_ground import Ground, ground_of_portfolio, ground_of_series
from seawall.recipes.families import is_portfolio_run
from seawall.recipes.judging import Case, report_case

Method = Literal["ig", "occlusion", "both"]
Tell = Callable[[str, int, int], Any]
_UNTRAINED = "untrained network of an explanation"


@dataclass(frozen=True)
class Question:
    """What is asked of a run.

    Attributes:
        bars: At how many of its test bars, evenly spaced.
        method: Integrated gradients, occlusion, or both.
        target: What is explained, as `agents.explaining.targets.target_named` takes it.
    """

    bars: int = 64
    method: Method = "both"
    target: str = "exposure"

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods, one by one."""
        return ("ig", "occlusion") if self.method == "both" else (self.method,)


def explain(case: Case, question: Question, tell: Tell) -> dict[str, Any]:
    """Explain a run's policies, keep what was found in its folder, and write its page anew where it has one.

    Args:
        case: The run, and which of its weights.
        question: What is asked.
        tell: Told the name of a piece of work, how much of it is done, and how much there is.

    Returns:
        What was found, and the paths of its files.

    Raises:
        ConfigError: captum is missing, the target is none of the policy's, or its network cannot be followed.
        DataError: The run is not trained, or its bundle does not fit.
    """
    require_captum()
    portfolio = is_portfolio_run(case.run)

    def walked(done: int, total: int) -> None:
        tell("walking the test bars", done, total)

    if portfolio:
        ground = ground_of_portfolio(case.run, case.checkpoint, question.bars, walked)
    else:
        ground = ground_of_series(case, question.bars, walked)
    document = _found(ground, question, tell)
    folder = case.run if portfolio else case.folder()
    path = folder.path / EXPLANATION
    write_json(path, document)
    page = _page(case, folder, portfolio)
    return {**document, "files": {"explanation": str(path), "report": None if page is None else str(page)}}


def _page(case: Case, folder: RunFolder, portfolio: bool) -> Path | None:
    """Write the page of a judged run anew; return None where it is not judged."""
    if not folder.metrics.is_file():
        return None
    return portfolio_run.report_run(folder) if portfolio else report_case(case)


@dataclass(frozen=True)
class _Answer:
    """What was found of one seed.

    Attributes:
        target: What is explained.
        trained: By method.
        untrained: By the first method, of a network with random weights.
        gradients: Where integrated gradients were asked for.
        attention: Maps of its transformers, averaged over the bars; None where it has none.
    """

    target: Target
    trained: dict[str, Importance]
    untrained: Importance
    gradients: Gradients | None
    attention: dict[str, Any] | None


def _found(ground: Ground, question: Question, tell: Tell) -> dict[str, Any]:
    answers = {seed: _asked(ground, question, seed, tell) for seed in ground.seeds}
    target = next(iter(answers.values())).target
    names = (*ground.names.features, *ground.names.account)
    methods, sizes = {}, []
    for method in question.methods:
        found = {seed: answer.trained[method] for seed, answer in answers.items()}
        told = summary(found, names, len(ground.names.features), ground.names.lags, ground.names.assets)
        methods[method] = {**told, "by_action": by_action(found, names, ground.actions)}
        sizes.append(np.mean([each.size for each in found.values()], axis=0))
    first = question.methods[0]
    trained = {seed: answer.trained[first].size for seed, answer in answers.items() if not answer.trained[first].nothing}
    document = {
        **ground.facts,
        "version": __version__,
        "seeds": list(ground.seeds),
        "target": {"name": target.name, "words": target.words},
        "bars_are": "evenly spaced over the decisions of the test rows, first and last among them",
        "baseline": {
            "windows": f"the mean of each column over the training rows, after scaling ({ground.facts['scaling']})",
            "account": "the account row before the first decision, without a position",
        },
        "remembers": any(memory.shape[1] for memory in ground.memories.values()),
        "methods": methods,
        "untrained": against_untrained(trained, {seed: answer.untrained.size for seed, answer in answers.items()}),
        "completeness": _completeness([answer.gradients for answer in answers.values() if answer.gradients is not None]),
        "methods_agree": correlation(*sizes) if len(sizes) == 2 else None,
        "attention": _attention([answer.attention for answer in answers.values() if answer.attention is not None], ground),
    }
    return {**document, "findings": findings(document), "cautions": cautions(document)}


def _asked(ground: Ground, question: Question, seed: int, tell: Tell) -> _Answer:
    """Ask one seed, and a network of its kind that was never trained."""
    scores = scores_of(ground.seeds[seed])
    target = target_named(question.target, scores.kind, ground.names.outputs)
    memory = ground.memories[seed]
    inputs = _inputs(ground, scores, memory)
    total, done = len(inputs) * (len(question.methods) + 1), 0

    def count(bars: int) -> None:
        nonlocal done
        done = min(done + bars, total)
        tell(f"seed {seed}", done, total)

    trained: dict[str, Importance] = {}
    gradients = None
    for method in question.methods:
        trained[method], found = _importance(method, scores, target, inputs, count)
        gradients = found if found is not None else gradients
    random = scores_of(ground.untrained(derived_seed(seed, _UNTRAINED)))
    untrained, _ = _importance(question.methods[0], random, target, _inputs(ground, random, np.zeros_like(memory)), count, STEPS)
    return _Answer(target, trained, untrained, gradients, _attended(scores, inputs))


def _importance(
    method: str, scores: Scores, target: Target, inputs: Inputs, tell: Callable[[int], Any], most_steps: int = MOST_STEPS
) -> tuple[Importance, Gradients | None]:
    if method == "ig":
        found = integrated_gradients(scores, target, inputs, tell, most_steps=most_steps)
        return of_gradients(found.windows, found.account), found
    changed = occlusion(scores, target, inputs, tell)
    return of_occlusion(changed.features, changed.account, changed.lags, changed.assets), None


def _inputs(ground: Ground, scores: Scores, memory: np.ndarray) -> Inputs:
    """Return what a network saw, on its device."""

    def there(values: np.ndarray) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.float32, device=scores.device)

    return Inputs(
        windows=ground.windows.to(scores.device),
        account=there(ground.seen.account),
        memory=there(memory),
        levels=there(ground.levels),
        chosen=torch.tensor(ground.chosen, device=scores.device),
        usual_windows=there(ground.usual),
        usual_account=there(ground.seen.flat_account),
    )


def _completeness(found: list[Gradients]) -> dict[str, Any] | None:
    """Say how well integrated gradients add up, over all seeds and bars; None where none were taken."""
    if not found:
        return None
    gaps, changes = (np.concatenate([np.abs(getattr(each, name)) for each in found]) for name in ("gap", "change"))
    change = float(changes.mean())
    return {
        "complete": all(each.complete for each in found),
        "tolerance": TOLERANCE,
        "mean_change": change,
        "mean_gap": float(gaps.mean()),
        "largest_gap": float(gaps.max()),
        "largest_gap_share": max(_largest_share(each) for each in found),
        "most_steps": max(int(each.steps.max()) for each in found),
    }


def _largest_share(found: Gradients) -> float:
    """Return the largest gap of a seed as a share of its own mean change, by which its points were chosen."""
    change = float(np.abs(found.change).mean())
    return float(np.abs(found.gap).max()) / change if change > 0.0 else 0.0


def _attended(scores: Scores, inputs: Inputs) -> dict[str, Any] | None:
    """Return where a network's transformers attend, mean over the bars."""
    sums: list[np.ndarray] = []
    blocks = 0
    with as_it_decides(scores.network):
        for part in inputs.parts(2):
            own = inputs.at(part)
            maps = attention_maps(scores.network, lambda own=own: scores.forward(own.windows, own.account, own.memory))
            if not maps or len({each.shape for each in maps}) > 1:
                return None
            blocks = len(maps)
            whole = torch.stack(maps).double().mean((0, 1)).cpu().numpy()
            stacked = np.vstack([mean_attention(maps).mean(0), rollout(maps).mean(0), whole])
            sums.append(stacked * len(own))
    mean = np.sum(sums, axis=0) / len(inputs)
    return {"blocks": blocks, "mean": mean[0], "rollout": mean[1], "map": mean[2:]}


def _attention(found: list[dict[str, Any]], ground: Ground) -> dict[str, Any] | None:
    """Return the attention of all seeds together; None where there is none, or its tokens stand for nothing that has a name."""
    tokens = ground.names.tokens
    if not found or len(found[0]["mean"]) != len(tokens):
        return None
    mean, rolled, whole = (np.mean([each[name] for each in found], axis=0) for name in ("mean", "rollout", "map"))
    return {
        "tokens": tokens,
        "are_assets": bool(ground.names.assets),
        "blocks": found[0]["blocks"],
        "mean": mean,
        "rollout": rolled,
        "map": whole,
    }
