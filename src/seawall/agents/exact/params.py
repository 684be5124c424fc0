"""Settings of the exact policy gradient."""

from __future__ import annotations

from pydantic import Field

from seawall.agents.schedule import Schedule
from seawall.core.params import Params


class ExactParams(Params):
    """Settings of the exact policy gradient."""

    total_steps: int = Field(default=1_048_576, ge=1, description="bars evaluated in the whole training, each from every position")
    n_segments: int = Field(default=8, ge=1, le=65_536, description="stretches of bars in one gradient step")
    segment_bars: int = Field(
        default=128, ge=2, le=65_536, description="decisions in a stretch; what follows is left to the critic"
    )
    gradient_steps: int = Field(default=32, ge=1, le=10_000, description="gradient steps of one update, after which others look on")
    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="Adam's step size at the start")
    learning_rate_schedule: Schedule = Field(default="linear", description="linear falls to 0 at total_steps")
    gamma: float = Field(default=0.99, ge=0, le=1, description="discount per bar")
    entropy_coefficient: float = Field(
        default=0.25, ge=0, le=100, description="weight of the entropy bonus at the start, beside returns in deviations of a bar"
    )
    entropy_schedule: Schedule = Field(default="linear", description="linear falls to 0 at total_steps")
    value_coefficient: float = Field(
        default=0.02, ge=0, le=100, description="weight of the value loss; small, since its noise drowns the policy's gradient"
    )
    even_share: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="share of the weight that all positions have alike; the rest goes by how often the policy visits them",
    )
    weight_decay: float = Field(
        default=0.5, ge=0, le=100, description="decoupled pull of every weight to 0: more forgets the noise of few bars"
    )
    account_rate: float = Field(
        default=32.0,
        ge=1,
        le=1_000,
        description="factor on the learning rate of the weights that read the account row, few beside those that read the encoding",
    )
    max_gradient_norm: float = Field(default=1.0, gt=0, description="gradients are scaled down to this norm")
    normalise_reward: bool = Field(
        default=True, description="divide rewards by the largest deviation, over the training bars, of those of one decision"
    )

    @property
    def bars_per_update(self) -> int:
        """Bars that one update evaluates."""
        return self.gradient_steps * self.n_segments * self.segment_bars
