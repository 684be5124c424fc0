"""Folders of judged runs, as those of the verbs, without any training."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from evaluation.portfolio_worlds import Wandering, walking
from evaluation.worlds import edge_world, facts
from seawall.core.files import write_json, write_text
from seawall.core.run_folder import RunFolder
from seawall.evaluation.bootstrap import BootstrapParams
from seawall.evaluation.evaluate import Candidates, evaluate
from seawall.evaluation.judge import Judgement
from seawall.evaluation.ledger import Ledger, Ledgers
from seawall.evaluation.params import EvaluationParams
from seawall.evaluation.portfolio_evaluate import evaluate_portfolios
from seawall.recipes.files import dump_yaml

PARAMS = EvaluationParams(bootstrap=BootstrapParams(n_resamples=100))


def one_series() -> tuple[dict[str, Any], Ledgers]:
    """A judgement with its ledgers; rivals among them may stand for other runs."""
    candidates, setting = edge_world(True, rows=600, n_seeds=3)
    judgement, ledgers = evaluate(candidates, setting, PARAMS, facts())
    return dict(judgement.document), ledgers


def portfolio() -> tuple[dict[str, Any], Ledgers]:
    policy = Wandering(3)
    told = replace(facts("A,B,C"), costs={"taker_bps": 10.0, "spread_bps": 4.0})
    judgement, ledgers = evaluate_portfolios(Candidates(policy, {0: policy}), walking(rows=200), PARAMS, told)
    return dict(judgement.document), ledgers


def put(folder: Path, document: dict[str, Any], ensemble: Ledger | None, recipe: dict[str, Any]) -> RunFolder:
    """Write a run's folder; without an ensemble no ledger is kept."""
    run = RunFolder(folder)
    write_text(run.recipe, dump_yaml(recipe))
    Judgement(document).write(run.metrics)
    if ensemble is not None:
        kept = Ledgers(ensemble, {}, {})
        kept.write(run.ledger)
    return run


def put_walk(folder: Path, document: dict[str, Any], ensemble: Ledger, recipe: dict[str, Any]) -> RunFolder:
    run = put(folder, document, ensemble, recipe)
    run.recipe.rename(folder / "resolved.yaml")
    write_json(folder / "walkforward.json", {"key": "abc", "name": recipe["name"]})
    return run


def changed(document: dict[str, Any], part: str, **values: Any) -> dict[str, Any]:
    copy = json.loads(json.dumps(document))
    copy[part] |= values
    return copy


def of_an_older_version(document: dict[str, Any]) -> dict[str, Any]:
    """The same judgement without the parts that came later."""
    copy = {key: value for key, value in document.items() if key not in ("skill", "attainable", "leaks", "attribution")}
    copy["verdict"] = {key: value for key, value in document["verdict"].items() if key != "stamp"}
    return copy
