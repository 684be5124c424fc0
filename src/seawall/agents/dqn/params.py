"""Settings of Q-learning."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from seawall.agents.schedule import Schedule
from seawall.core.params import Params


class DQNParams(Params):
    """Settings of DQN."""

    total_steps: int = Field(default=262_144, ge=1, description="environment steps of the whole training, over all environments")
    n_envs: int = Field(default=256, ge=1, le=65_536, description="environments stepped together")
    update_steps: int = Field(default=32, ge=1, le=65_536, description="steps of each environment between diagnostics")
    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="Adam's step size at the start")
    learning_rate_schedule: Schedule = Field(default="linear", description="linear falls to 0 at total_steps")
    gamma: float = Field(default=0.95, ge=0, le=1, description="discount per bar")
    buffer_size: int = Field(default=1_000_000, ge=2, le=1_000_000_000, description="transitions that are remembered")
    batch: int = Field(default=1_024, ge=1, le=1_048_576, description="replayed samples per gradient step")
    learning_starts: int = Field(default=8_192, ge=1, description="environment steps before the first gradient step")
    replay_ratio: float = Field(default=8.0, gt=0, le=1_024, description="replayed samples per environment step")
    double: bool = Field(default=True, description="let the learning network choose the action that the target network values")
    dueling: bool = Field(default=False, description="value a state and the advantages of its actions apart")
    quantiles: int = Field(default=1, ge=1, le=1_024, description="quantiles of the return that are learned; 1 learns its mean")
    n_step: int = Field(default=1, ge=1, le=1_024, description="rewards that are added up before the target network is asked")
    prioritised: bool = Field(default=False, description="replay transitions in proportion to how much they surprised")
    priority_alpha: float = Field(default=0.6, ge=0, le=1, description="exponent of the surprise: 0 replays all alike")
    priority_beta: float = Field(
        default=0.4, ge=0, le=1, description="how far the preference is corrected for at the start; it rises to 1 at total_steps"
    )
    loss: Literal["huber", "mse"] = Field(default="huber", description="huber grows linearly beyond its threshold")
    huber_threshold: float = Field(default=1.0, gt=0, le=1_000, description="error beyond which the loss grows linearly")
    target_tau: float = Field(
        default=1.0, gt=0, le=1, description="share of the way that the target network moves at a time: 1 copies, less is Polyak's"
    )
    target_every: int = Field(default=64, ge=1, description="gradient steps between moves of the target network")
    epsilon_start: float = Field(default=1.0, ge=0, le=1, description="share of random actions at the start")
    epsilon_end: float = Field(default=0.05, ge=0, le=1, description="share of random actions once the exploring is over")
    epsilon_fraction: float = Field(default=0.3, ge=0, le=1, description="part of total_steps over which the share falls")
    max_gradient_norm: float = Field(default=10.0, gt=0, description="gradients are scaled down to this norm")
    weight_decay: float = Field(
        default=6.0, ge=0, le=100, description="decoupled pull of every weight to 0: replay learns noise by heart without it"
    )
    normalise_reward: bool = Field(default=True, description="divide rewards by the running deviation of their discounted sum")

    @model_validator(mode="after")
    def _fits_together(self) -> DQNParams:
        if self.slots < self.n_step + 2:
            raise ValueError(
                f"buffer_size {self.buffer_size} leaves {self.slots - 1} transitions to each of {self.n_envs} environments; "
                f"n_step {self.n_step} needs at least {self.n_step + 1}"
            )
        if self.learning_starts > self.buffer_size:
            raise ValueError(f"learning_starts is {self.learning_starts}; allowed: at most buffer_size {self.buffer_size}")
        if self.quantiles > 1 and self.loss == "mse":
            raise ValueError(f"loss mse has no form for {self.quantiles} quantiles; allowed: huber, or quantiles 1")
        if self.epsilon_end > self.epsilon_start:
            raise ValueError(f"epsilon_end is {self.epsilon_end}; allowed: at most epsilon_start {self.epsilon_start}")
        return self

    def epsilon_at(self, done: float) -> float:
        """Return the share of random actions when a share of the training is done."""
        start, end, fraction = self.epsilon_start, self.epsilon_end, self.epsilon_fraction
        return end if done >= fraction else start + (end - start) * done / fraction

    @property
    def slots(self) -> int:
        """Places of each environment's ring: its share of the transitions, and the observation that waits for its action."""
        return -(-self.buffer_size // self.n_envs) + 1
