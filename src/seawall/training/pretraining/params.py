"""Settings of self-supervised pre-training."""

from __future__ import annotations

from pydantic import Field, model_validator

from seawall.core.params import Params
from seawall.features.labels.targets import TargetParams
from seawall.nets.pretraining import HeadsParams


class PretrainingParams(Params):
    """What is taught, and how it is learned."""

    heads: HeadsParams = Field(default_factory=HeadsParams, description="The four heads and the weights of their losses")
    targets: TargetParams = Field(default_factory=TargetParams, description="What the heads are taught")
    epochs: int = Field(default=5, ge=1, le=100_000, description="Times that the training windows are gone through")
    epoch_windows: int | None = Field(
        default=None, ge=1, description="Windows drawn for an epoch; null takes all, of which neighbours are nearly the same"
    )
    validation_windows: int | None = Field(
        default=4_096, ge=1, description="Windows that an epoch is judged on, evenly spaced; null takes all"
    )
    batch_size: int = Field(default=64, ge=1, le=1_000_000, description="Windows of a gradient step")
    learning_rate: float = Field(default=3e-4, gt=0.0, le=1.0, description="AdamW's step size at the start")
    final_learning_rate: float = Field(default=1e-5, ge=0.0, le=1.0, description="Step size at the end of a cosine")
    weight_decay: float = Field(default=0.01, ge=0.0, le=1.0, description="Decoupled pull of every weight to 0")
    max_gradient_norm: float = Field(default=1.0, gt=0.0, le=1e6, description="Gradients are scaled down to this norm")
    patience: int | None = Field(
        default=3, ge=1, description="Stop after this many epochs without a lower validation loss; null never does"
    )
    validation: float = Field(default=0.2, gt=0.0, lt=1.0, description="Share of the rows, the newest, that epochs are judged on")
    embargo: float = Field(default=0.01, ge=0.0, lt=0.5, description="Share of the rows left out before these, beyond the purge")
    checkpoint_every: int = Field(default=500, ge=1, description="Gradient steps between checkpoints, beside one each epoch")

    @model_validator(mode="after")
    def _rates_fall(self) -> PretrainingParams:
        if self.final_learning_rate > self.learning_rate:
            raise ValueError(
                f"final_learning_rate is {self.final_learning_rate} and learning_rate {self.learning_rate}; the rate never rises"
            )
        return self

    @property
    def horizon(self) -> int:
        """Bars that the targets of the heads that are on look ahead."""
        returns = self.targets.horizons[-1] if "quantiles" in self.heads.on else 0
        return max(returns, self.targets.levels.horizon if "levels" in self.heads.on else 0)
