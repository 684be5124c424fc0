"""The settings of PPO with replay."""

from __future__ import annotations

from pydantic import Field, model_validator

from seawall.agents.schedule import Schedule
from seawall.core.params import Params


class ReplayPPOParams(Params):
    """Settings of PPO that learns from replayed transitions."""

    total_steps: int = Field(default=262_144, ge=1, description="environment steps of the whole training, over all environments")
    n_envs: int = Field(default=16, ge=1, le=65_536, description="environments stepped together; 1 is the design's single stream")
    n_steps: int = Field(default=5, ge=1, le=65_536, description="steps of each environment between rounds of learning")
    rounds: int = Field(default=32, ge=1, le=65_536, description="rounds of collecting and learning between diagnostics")
    buffer_size: int = Field(
        default=10_000, ge=1, le=100_000_000, description="transitions that are remembered, over all environments"
    )
    minibatch: int = Field(
        default=32,
        ge=1,
        le=1_048_576,
        description="replayed samples per gradient step and environment: n_envs times as many are drawn",
    )
    n_epochs: int = Field(default=4, ge=1, le=1_000, description="gradient steps of a round")
    learning_starts: int = Field(default=32, ge=1, description="transitions remembered before the first gradient step")
    max_age: int = Field(
        default=16,
        ge=0,
        description="samples are used for this many rounds after the one that brought them; 0 uses fresh ones alone",
    )
    priority_alpha: float = Field(
        default=0.0, ge=0, le=1, description="draw in proportion to this power of the size of the advantage; 0 draws evenly"
    )
    priority_beta: float = Field(
        default=1.0, ge=0, le=1, description="how far a preference for large advantages is corrected for in the losses; 1 wholly"
    )
    learning_rate: float = Field(default=1e-4, gt=0, le=1, description="Adam's step size at the start")
    learning_rate_schedule: Schedule = Field(default="constant", description="linear falls to 0 at total_steps")
    gamma: float = Field(default=0.99, ge=0, le=1, description="discount per bar")
    gae_lambda: float = Field(default=0.95, ge=0, le=1, description="weight of longer advantage estimates")
    clip_range: float = Field(default=0.2, gt=0, lt=1, description="how far a probability ratio may move before it stops paying")
    entropy_coefficient: float = Field(default=0.01, ge=0, le=10, description="weight of the entropy bonus: more explores longer")
    value_coefficient: float = Field(
        default=1.0, ge=0, le=100, description="weight of half the mean squared error of the values: 1 is the design's 0.5 * MSE"
    )
    weight_decay: float = Field(
        default=0.0, ge=0, le=100, description="decoupled pull of every weight to 0: more forgets the noise of few bars"
    )
    max_gradient_norm: float = Field(default=1.0, gt=0, description="gradients are scaled down to this norm")
    target_kl: float | None = Field(
        default=None, gt=0, description="leave a round early once the policy moved this far; null never does"
    )
    normalise_advantage: bool = Field(default=True, description="centre and scale advantages within each minibatch")
    normalise_reward: bool = Field(default=True, description="divide rewards by the running deviation of their discounted sum")
    legacy_origin: bool = Field(
        default=False,
        description="learn as the published code did: no probability of the time of acting in the ratio, and advantages and "
        "targets of the next reward alone; to compare with, and no sound method",
    )

    @property
    def steps_back(self) -> int:
        """Steps of a sequence; networks that remember are refused, so it only says how often nothing is remembered."""
        return self.n_steps

    @property
    def slots(self) -> int:
        """Steps of all environments that are remembered."""
        return self.buffer_size // self.n_envs

    @model_validator(mode="after")
    def _fits_together(self) -> ReplayPPOParams:
        if self.slots < self.n_steps:
            raise ValueError(
                f"buffer_size {self.buffer_size} leaves {self.slots} steps to each of {self.n_envs} environments; "
                f"n_steps {self.n_steps} needs a buffer_size of at least {self.n_steps * self.n_envs}"
            )
        most = self.slots * self.n_envs
        if self.learning_starts > most:
            raise ValueError(
                f"learning_starts is {self.learning_starts}; the buffer holds {most} transitions; allowed: 1 to {most}"
            )
        return self
