"""The settings of an evaluation, gathered from its parts."""

from __future__ import annotations

from pydantic import Field

from seawall.core.params import Params
from seawall.evaluation.baselines import BaselineParams
from seawall.evaluation.bootstrap import BootstrapParams
from seawall.evaluation.evidence import VerdictParams
from seawall.evaluation.stress import StressParams


class EvaluationParams(Params):
    """How a policy is judged."""

    bootstrap: BootstrapParams = Field(default=BootstrapParams(), description="Intervals")
    baselines: BaselineParams = Field(default=BaselineParams(), description="Rivals")
    stress: StressParams = Field(default=StressParams(), description="Cost multiples and delay")
    verdict: VerdictParams = Field(default=VerdictParams(), description="The bars that evidence must clear")
