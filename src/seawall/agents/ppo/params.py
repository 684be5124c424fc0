"""The settings of PPO."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from seawall.agents.schedule import Schedule
from seawall.core.params import Params


class PPOParams(Params):
    """Settings of PPO."""

    total_steps: int = Field(default=262_144, ge=1, description="environment steps of the whole training, over all environments")
    n_envs: int = Field(default=256, ge=1, le=65_536, description="environments stepped together")
    n_steps: int = Field(default=64, ge=1, le=65_536, description="steps of each environment between updates")
    learning_rate: float = Field(default=5e-4, gt=0, le=1, description="Adam's step size at the start")
    learning_rate_schedule: Schedule = Field(default="linear", description="linear falls to 0 at total_steps")
    gamma: float = Field(default=0.95, ge=0, le=1, description="discount per bar")
    gae_lambda: float = Field(default=0.95, ge=0, le=1, description="weight of longer advantage estimates")
    clip_range: float = Field(default=0.2, gt=0, lt=1, description="how far a probability ratio may move before it stops paying")
    clip_schedule: Schedule = Field(default="constant", description="linear narrows clip_range to 0 at total_steps")
    value_clip: float | None = Field(
        default=None, gt=0, description="how far a value may move in an update before it stops paying; null sets no limit"
    )
    n_epochs: int = Field(default=4, ge=1, le=100, description="passes over each rollout")
    minibatch: int = Field(default=512, ge=2, description="samples per gradient step; must divide n_envs * n_steps")
    sequence: int | None = Field(
        default=None,
        ge=1,
        description="steps through which the gradient of a recurrent network goes back; must divide n_steps; null takes n_steps",
    )
    entropy_coefficient: float = Field(default=0.01, ge=0, le=10, description="weight of the entropy bonus: more explores longer")
    entropy_schedule: Schedule = Field(default="constant", description="linear lets entropy_coefficient fall to 0 at total_steps")
    value_coefficient: float = Field(default=0.5, ge=0, le=100, description="weight of the value loss")
    weight_decay: float = Field(
        default=0.5, ge=0, le=100, description="decoupled pull of every weight to 0: more forgets the noise of few bars"
    )
    max_gradient_norm: float = Field(default=0.5, gt=0, description="gradients are scaled down to this norm")
    target_kl: float | None = Field(
        default=None, gt=0, description="leave an update early once the policy moved this far; null never does"
    )
    normalise_advantage: bool = Field(default=True, description="centre and scale advantages within each minibatch")
    normalise_reward: bool = Field(default=True, description="divide rewards by the running deviation of their discounted sum")
    precision: Literal["fp32", "bf16"] = Field(
        default="fp32", description="bf16 runs the encoders in half the digits while learning: faster where the processor has it"
    )

    @property
    def steps_back(self) -> int:
        """Steps through which the gradient of a recurrent network goes back."""
        return self.n_steps if self.sequence is None else self.sequence

    @model_validator(mode="after")
    def _whole_parts(self) -> PPOParams:
        if self.n_envs * self.n_steps % self.minibatch:
            raise ValueError(
                f"minibatch {self.minibatch} does not divide the {self.n_envs * self.n_steps} samples of a rollout "
                f"(n_envs {self.n_envs} * n_steps {self.n_steps}); choose a divisor"
            )
        if self.n_steps % self.steps_back:
            raise ValueError(f"sequence {self.sequence} does not divide n_steps {self.n_steps}; choose a divisor")
        return self
