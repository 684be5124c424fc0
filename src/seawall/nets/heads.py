"""The actor-critic: what turns encodings and the account row into action preferences and a value."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seawall.core.errors import InvariantError
from seawall.nets.head import LINEAR, HeadShape, last_layer
from seawall.nets.recurrent import LstmMemory
from seawall.nets.weights import initialise

POLICY_GAIN = 0.01
VALUE_GAIN = 1.0
START_LOG_DEVIATION = -0.5
_LOG_DEVIATIONS = (-5.0, 2.0)


class ActorCritic(nn.Module):
    """Encoders, with a memory of earlier bars or without, a policy head and a value head.

    The account row (exposure, guard state, ...) joins after encoder and memory, so heads take ``width + A`` numbers and an
    encoder keeps the parameter count of its design.

    Attributes:
        n_actions: Number of discrete actions; 0 where an action is one continuous number.
        n_preferences: P, numbers that the policy head makes: one per discrete action, or mean and log deviation.
        state_width: S, length of a row of memory; 0 for a network that sees its window and nothing before.
    """

    def __init__(
        self,
        actor_encoder: nn.Module,
        critic_encoder: nn.Module | None,
        n_account: int,
        n_actions: int,
        generator: torch.Generator | None = None,
        memory: int = 0,
        head: HeadShape = LINEAR,
    ) -> None:
        """Join the parts and draw the initial weights.

        Args:
            actor_encoder: Maps windows (B, L, F) to (B, width); has an integer `width`.
            critic_encoder: The critic's own encoder, or None to share the actor's and its memory.
            n_account: A, length of the account row.
            n_actions: Number of discrete actions; 0 for one continuous number.
            generator: Source of the initial weights (on the CPU); None takes torch's global one.
            memory: Units of an LSTM between each encoder and its head; 0 for none.
            head: What policy and value head have between their inputs and outputs.
        """
        super().__init__()
        self.actor_encoder = actor_encoder
        self.critic_encoder = critic_encoder
        critic = actor_encoder if critic_encoder is None else critic_encoder
        widths = encoder_width(actor_encoder), encoder_width(critic)
        remembering = () if not memory else widths[:1] if critic_encoder is None else widths
        memories = [LstmMemory(width, memory, generator) for width in remembering]
        self.memories = nn.ModuleList(memories)
        self.state_width = sum(part.state_width for part in memories)
        actor_width, critic_width = (memory, memory) if memory else widths
        self.policy_head = head.build(actor_width + n_account, n_actions or 1)
        self.value_head = head.build(critic_width + n_account, 1)
        # One deviation for all states: it shrinks as the policy becomes sure, and is no way to express a view.
        self.log_deviation = None if n_actions else nn.Parameter(torch.tensor([START_LOG_DEVIATION]))
        self.n_account, self.n_actions, self.n_preferences = n_account, n_actions, n_actions or 2
        gains = {last_layer(self.policy_head): POLICY_GAIN, last_layer(self.value_head): VALUE_GAIN}
        initialise(self, gains, generator)

    def forward(self, windows: Tensor, account: Tensor) -> tuple[Tensor, Tensor]:
        """Return preferences and values of a network without a memory.

        Args:
            windows: Features known at the close of the decision's bar, float32, shape (B, L, F).
            account: Account rows at that close, float32, shape (B, A).

        Returns:
            Preferences, shape (B, P): unnormalised log-probabilities of the actions, or mean and log deviation of a number
            before it is squashed; and values, shape (B,).
        """
        self._refuse_forgetting()
        return self.heads(*self.encode(windows), account)

    def encode(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Return what policy and value see of windows, shape (B, width) each: the same tensor where they share an encoder."""
        actor = self.actor_encoder(windows)
        return actor, actor if self.critic_encoder is None else self.critic_encoder(windows)

    def remember(self, actor: Tensor, critic: Tensor, state: Tensor, starts: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Let encodings of bars in a row pass the memory; without one they come back as they are.

        Args:
            actor: Encodings for the policy, shape (T, B, width), or (B, width) for a single bar.
            critic: Likewise for the value.
            state: What is remembered before the first bar, shape (B, S).
            starts: Whether a bar is the first of its episode, bool, shape (T, B); None where none is.

        Returns:
            What policy and value see of the bars, and what is remembered after the last, shape (B, S).
        """
        if not self.state_width:
            return actor, critic, state
        single = actor.ndim == 2
        parts, states = [], []
        width = self.state_width // len(self.memories)
        for memory, encodings, held in zip(self.memories, (actor, critic), state.split(width, 1), strict=False):
            told, after = memory(encodings[None] if single else encodings, held, starts)
            parts.append(told[0] if single else told)
            states.append(after)
        return parts[0], parts[-1], torch.cat(states, 1)

    def heads(self, actor: Tensor, critic: Tensor, account: Tensor) -> tuple[Tensor, Tensor]:
        """Return preferences (..., P) and values (...) of what policy and value see, with account rows (..., A)."""
        seen = torch.cat((actor, account), -1)
        values = self.value_head(seen if critic is actor else torch.cat((critic, account), -1))
        return self._preferences(self.policy_head(seen)), values[..., 0]

    def logits(self, windows: Tensor, account: Tensor) -> Tensor:
        """Return the preferences alone, shape (B, P)."""
        self._refuse_forgetting()
        return self._preferences(self.policy_head(torch.cat((self.actor_encoder(windows), account), 1)))

    def logits_of_one(self, window: Tensor, account: Tensor) -> Tensor:
        """Return the preferences alone, shape (B, P), of accounts that all see one window, shape (1, L, F)."""
        self._refuse_forgetting()
        seen = self.actor_encoder(window).expand(len(account), -1)
        return self._preferences(self.policy_head(torch.cat((seen, account), 1)))

    def values(self, windows: Tensor, account: Tensor) -> Tensor:
        """Return the values alone, shape (B,)."""
        self._refuse_forgetting()
        encoder = self.actor_encoder if self.critic_encoder is None else self.critic_encoder
        return self.value_head(torch.cat((encoder(windows), account), 1))[:, 0]

    def _preferences(self, numbers: Tensor) -> Tensor:
        if self.log_deviation is None:
            return numbers
        return torch.cat((numbers, self.log_deviation.clamp(*_LOG_DEVIATIONS).expand_as(numbers)), -1)

    def _refuse_forgetting(self) -> None:
        if self.state_width:
            raise InvariantError("a network with a memory was asked about bars out of their order; call encode, remember and heads")


def encoder_width(encoder: nn.Module) -> int:
    """Return the length of what an encoder makes of a window."""
    return int(encoder.width)  # pyright: ignore[reportArgumentType]
