"""The settings of joint PPO."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from seawall.core.params import Params


class JointPPOParams(Params):
    """Settings of joint PPO. An update is one rollout and what is learned from it."""

    total_steps: int = Field(default=10_240_000, ge=1, description="environment steps of the whole training, over all environments")
    n_envs: int = Field(default=16, ge=1, le=65_536, description="environments stepped together")
    n_steps: int = Field(default=128, ge=1, le=65_536, description="steps of each environment between updates")
    learning_rate: float = Field(default=5e-4, gt=0, le=1, description="Adam's step size for all but the autoencoder")
    encoder_learning_rate: float = Field(default=5e-5, gt=0, le=1, description="step size for the autoencoder")
    encoder_optimiser: Literal["adam", "adafactor"] = Field(
        default="adam", description="adafactor keeps a row and a column for each matrix where adam keeps two more matrices"
    )
    gamma: float = Field(default=0.99, ge=0, le=1, description="discount per bar")
    gae_lambda: float = Field(default=0.95, ge=0, le=1, description="weight of longer advantage estimates")
    clip_range: float = Field(default=0.2, gt=0, lt=1, description="how far a density ratio may move before it stops paying")
    n_epochs: int = Field(default=4, ge=1, le=100, description="passes over each rollout")
    minibatch: int = Field(default=512, ge=2, description="samples per gradient step; must divide n_envs * n_steps")
    value_coefficient: float = Field(default=0.5, ge=0, le=100, description="weight of the squared error of the values")
    entropy_coefficient: float = Field(default=0.01, ge=0, le=10, description="weight of the entropy bonus: more explores longer")
    policy_weight: float = Field(default=0.7, gt=0, le=100, description="weight of policy, values and entropy in the joint loss")
    reconstruction_weight: float = Field(default=0.3, ge=0, le=100, description="weight of the reconstruction in the joint loss")
    max_gradient_norm: float = Field(default=1.0, gt=0, description="the gradient of everything is scaled down to this norm")
    exploration: float = Field(default=0.075, ge=0, lt=1, description="share of uniformly random weights at the start")
    exploration_decay: float = Field(default=0.9995, gt=0, le=1, description="factor on that share after each update")
    exploration_floor: float = Field(default=0.02, ge=0, lt=1, description="that share falls no lower")
    reward_window: int = Field(default=50, ge=1, le=100_000, description="updates in the rolling mean reward")
    warmup_updates: int = Field(default=20, ge=0, le=100_000, description="updates before a rolling reward can be the best")
    patience_updates: int = Field(
        default=100, ge=1, le=1_000_000, description="updates without a better rolling reward before the step sizes fall"
    )
    rate_factor: float = Field(default=0.5, gt=0, le=1, description="factor by which they fall")
    rate_floor: float = Field(default=1e-6, gt=0, le=1, description="no step size falls below this")
    normalise_advantage: bool = Field(default=True, description="centre and scale advantages within each minibatch")
    normalise_reward: bool = Field(default=True, description="divide rewards by the running deviation of their discounted sum")
    pretrain_epochs: int = Field(
        default=0,
        ge=0,
        le=1_000,
        description="passes over the training rows in which the autoencoder learns alone, before all else",
    )
    pretrain_learning_rate: float = Field(default=1.5e-3, gt=0, le=1, description="step size of these passes")
    precision: Literal["fp32", "bf16"] = Field(
        default="fp32", description="bf16 runs the network in half the digits, alike while it acts and while it learns"
    )

    @model_validator(mode="after")
    def _whole_parts(self) -> JointPPOParams:
        if self.n_envs * self.n_steps % self.minibatch:
            raise ValueError(
                f"minibatch {self.minibatch} does not divide the {self.n_envs * self.n_steps} samples of a rollout "
                f"(n_envs {self.n_envs} * n_steps {self.n_steps}); choose a divisor"
            )
        if self.exploration_floor > self.exploration:
            raise ValueError(f"exploration_floor {self.exploration_floor} is above exploration {self.exploration}; it must not be")
        return self

    def exploration_at(self, updates: int) -> float:
        """Return the share of uniformly random weights after some updates."""
        return max(self.exploration * self.exploration_decay**updates, self.exploration_floor)
