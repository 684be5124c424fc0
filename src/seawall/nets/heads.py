"""The actor-critic: what turns encodings and the account row into action preferences and a value."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

import torch
from torch import Tensor, nn

POLICY_GAIN = 0.01
VALUE_GAIN = 1.0


class ActorCritic(nn.Module):
    """Encoders with a policy head and a value head.

    The account row (exposure, guard state, ...) joins after the encoder, so heads take ``width + A`` numbers and an
    encoder keeps the parameter count of its design.
    """

    def __init__(
        self,
        actor_encoder: nn.Module,
        critic_encoder: nn.Module | None,
        n_account: int,
        n_actions: int,
        generator: torch.Generator | None = None,
    ) -> None:
        """Join the parts and draw the initial weights.

        Args:
            actor_encoder: Maps windows (B, L, F) to (B, width); has an integer `width`.
            critic_encoder: The critic's own encoder, or None to share the actor's.
            n_account: A, length of the account row.
            n_actions: Number of discrete actions.
            generator: Source of the initial weights (on the CPU); None takes torch's global one.
        """
        super().__init__()
        self.actor_encoder = actor_encoder
        self.critic_encoder = critic_encoder
        critic = actor_encoder if critic_encoder is None else critic_encoder
        self.policy_head = nn.Linear(encoder_width(actor_encoder) + n_account, n_actions)
        self.value_head = nn.Linear(encoder_width(critic) + n_account, 1)
        self.n_account, self.n_actions = n_account, n_actions
        initialise(self, {self.policy_head: POLICY_GAIN, self.value_head: VALUE_GAIN}, generator)

    def forward(self, windows: Tensor, account: Tensor) -> tuple[Tensor, Tensor]:
        """Return preferences and values.

        Args:
            windows: Features known at the close of the decision's bar, float32, shape (B, L, F).
            account: Account rows at that close, float32, shape (B, A).

        Returns:
            Unnormalised log-probabilities of the actions, shape (B, n_actions); and values, shape (B,).
        """
        return self.heads(*self.encode(windows), account)

    def encode(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Return what policy and value see of windows, shape (B, width) each: the same tensor where they share an encoder."""
        actor = self.actor_encoder(windows)
        return actor, actor if self.critic_encoder is None else self.critic_encoder(windows)

    def heads(self, actor: Tensor, critic: Tensor, account: Tensor) -> tuple[Tensor, Tensor]:
        """Return preferences (B, n_actions) and values (B,) of encodings, with account rows (B, A)."""
        return self.policy_head(torch.cat((actor, account), 1)), self.value_head(torch.cat((critic, account), 1))[:, 0]

    def logits(self, windows: Tensor, account: Tensor) -> Tensor:
        """Return the preferences alone, shape (B, n_actions)."""
        return self.policy_head(torch.cat((self.actor_encoder(windows), account), 1))

    def values(self, windows: Tensor, account: Tensor) -> Tensor:
        """Return the values alone, shape (B,)."""
        encoder = self.actor_encoder if self.critic_encoder is None else self.critic_encoder
        return self.value_head(torch.cat((encoder(windows), account), 1))[:, 0]


def encoder_width(encoder: nn.Module) -> int:
    """Return the length of what an encoder makes of a window."""
    return int(encoder.width)  # pyright: ignore[reportArgumentType]


def initialise(network: nn.Module, gains: Mapping[nn.Module, float], generator: torch.Generator | None) -> None:
    """Draw orthogonal weights, with zero biases.

    Args:
        network: Changed in place.
        gains: Of layers that want another one than a hidden layer's √2. A small one of a policy head makes every action start
            about equally likely.
        generator: Source of the weights; None takes torch's global one.
    """
    for module in network.modules():
        if not isinstance(module, (nn.Linear, nn.Conv1d)):
            continue
        gain = gains.get(module, sqrt(2.0))
        nn.init.orthogonal_(module.weight, gain, generator=generator)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
