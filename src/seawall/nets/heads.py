"""The actor-critic: what turns encodings and the account row into action preferences and a value."""

from __future__ import annotations

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
        self.policy_head = nn.Linear(_width(actor_encoder) + n_account, n_actions)
        self.value_head = nn.Linear(_width(critic) + n_account, 1)
        self.n_account, self.n_actions = n_account, n_actions
        _initialise(self, generator)

    def forward(self, windows: Tensor, account: Tensor) -> tuple[Tensor, Tensor]:
        """Return preferences and values.

        Args:
            windows: Features known at the close of the decision's bar, float32, shape (B, L, F).
            account: Account rows at that close, float32, shape (B, A).

        Returns:
            Unnormalised log-probabilities of the actions, shape (B, n_actions); and values, shape (B,).
        """
        encoding = self.actor_encoder(windows)
        logits = self.policy_head(torch.cat((encoding, account), 1))
        if self.critic_encoder is not None:
            encoding = self.critic_encoder(windows)
        return logits, self.value_head(torch.cat((encoding, account), 1))[:, 0]

    def logits(self, windows: Tensor, account: Tensor) -> Tensor:
        """Return the preferences alone, shape (B, n_actions)."""
        return self.policy_head(torch.cat((self.actor_encoder(windows), account), 1))

    def values(self, windows: Tensor, account: Tensor) -> Tensor:
        """Return the values alone, shape (B,)."""
        encoder = self.actor_encoder if self.critic_encoder is None else self.critic_encoder
        return self.value_head(torch.cat((encoder(windows), account), 1))[:, 0]


def _width(encoder: nn.Module) -> int:
    return int(encoder.width)  # pyright: ignore[reportArgumentType]


def _initialise(network: ActorCritic, generator: torch.Generator | None) -> None:
    """Orthogonal weights, zero biases; a small policy head, so that every action starts about equally likely."""
    gains: dict[nn.Module, float] = {network.policy_head: POLICY_GAIN, network.value_head: VALUE_GAIN}
    for module in network.modules():
        if not isinstance(module, (nn.Linear, nn.Conv1d)):
            continue
        gain = gains.get(module, sqrt(2.0))
        nn.init.orthogonal_(module.weight, gain, generator=generator)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
