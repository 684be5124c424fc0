"""The Q-network: what turns encodings and the account row into the value of each action."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 (the name that torch users know)
from torch import Tensor, nn

from seawall.core.errors import ConfigError
from seawall.nets.head import LINEAR, HeadShape, last_layer
from seawall.nets.heads import encoder_width
from seawall.nets.params import NetworkParams, NetworkShape
from seawall.nets.registry import build_encoder, refuse_batch_statistics, weights_generator
from seawall.nets.weights import initialise

ACCOUNT_UNITS = 16
HEAD_GAIN = 0.01


class QNetwork(nn.Module):
    """An encoder with heads that value every action, in quantiles of the return or by its mean alone.

    The account row joins after the encoder, through a small layer of its own: what a change of position costs is bent at the
    position held, and heads that are linear in the exposure would take staying flat for as dear as leaving a position.

    With 21 features, a window of 12, the default encoder, one account column and three actions: 166,400 + 32 + 819 parameters.

    Attributes:
        encoder: Maps windows (B, L, F) to (B, width).
        n_account: A, length of the account row.
        n_actions: Number of discrete actions.
        quantiles: K, numbers that describe the return of one action.
        reward_scale: What one unit of the heads' output is worth in reward, float32, shape (); saved with the weights.
    """

    reward_scale: Tensor

    def __init__(
        self,
        encoder: nn.Module,
        n_account: int,
        n_actions: int,
        *,
        dueling: bool = False,
        quantiles: int = 1,
        generator: torch.Generator | None = None,
        head: HeadShape = LINEAR,
    ) -> None:
        """Join the parts and draw the initial weights, with which every action is worth about 0.

        Args:
            encoder: Maps windows (B, L, F) to (B, width); has an integer `width`.
            n_account: A, length of the account row.
            n_actions: Number of discrete actions.
            dueling: Value a state and the advantages of its actions apart (Wang et al. 2016, arXiv 1511.06581, equation 9).
            quantiles: K; 1 learns the mean alone.
            generator: Source of the initial weights (on the CPU); None takes torch's global one.
            head: What the heads have between their inputs and outputs.

        Raises:
            ConfigError: There are no numbered actions, or no quantile.
        """
        super().__init__()
        if n_actions < 1:
            raise ConfigError(
                f"the action scheme has {n_actions} numbered actions and Q-learning needs at least 1; "
                "choose a scheme with discrete actions, or the agent ppo"
            )
        if quantiles < 1:
            raise ConfigError(f"quantiles is {quantiles}; at least 1 is needed")
        self.encoder = encoder
        self.account_layer = nn.Linear(n_account, ACCOUNT_UNITS) if n_account else None
        width = encoder_width(encoder) + (ACCOUNT_UNITS if n_account else 0)
        self.advantage_head = head.build(width, n_actions * quantiles)
        self.value_head = head.build(width, quantiles) if dueling else None
        self.n_account, self.n_actions, self.quantiles = n_account, n_actions, quantiles
        heads = [each for each in (self.advantage_head, self.value_head) if each is not None]
        initialise(self, {last_layer(each): HEAD_GAIN for each in heads}, generator)
        self.register_buffer("reward_scale", torch.ones(()))

    def forward(self, windows: Tensor, account: Tensor) -> Tensor:
        """Return what each action is worth, in the learner's units.

        Args:
            windows: Features known at the close of the decision's bar, float32, shape (B, L, F).
            account: Account rows at that close, float32, shape (B, A).

        Returns:
            Quantiles of the discounted return at the fractions (2k + 1) / 2K, shape (B, n_actions, K); their mean is Q.
        """
        return self.heads(self.encoder(windows), account)

    def heads(self, encoding: Tensor, account: Tensor) -> Tensor:
        """Return the quantiles (B, n_actions, K) of encodings (B, width), with account rows (B, A)."""
        if self.account_layer is not None:
            encoding = torch.cat((encoding, F.gelu(self.account_layer(account))), 1)
        advantages = self.advantage_head(encoding).view(-1, self.n_actions, self.quantiles)
        if self.value_head is None:
            return advantages
        return self.value_head(encoding)[:, None] + advantages - advantages.mean(1, keepdim=True)

    def values(self, windows: Tensor, account: Tensor) -> Tensor:
        """Return Q of each action in units of reward, shape (B, n_actions)."""
        return self(windows, account).mean(2) * self.reward_scale


def build_q_network(
    name: str, params: NetworkParams, shape: NetworkShape, seed: int, *, dueling: bool = False, quantiles: int = 1
) -> QNetwork:
    """Build a Q-network around a registered encoder, with weights drawn from a seed.

    Args:
        name: A key of `NETWORKS`.
        params: Settings, of that network's own class; whether an encoder is shared does not matter, for there is but one.
        shape: Sizes of inputs and outputs.
        seed: The run's seed; the same one gives the same weights.
        dueling: As in `QNetwork`.
        quantiles: As in `QNetwork`.

    Raises:
        ConfigError: No network of that name, settings of another, a network that remembers earlier bars or normalises by the
            statistics of a batch, or no numbered actions.
    """
    encoder = build_encoder(name, params, shape)
    refuse_batch_statistics(name, encoder)
    source, head = weights_generator(seed), HeadShape.of(params)
    return QNetwork(encoder, shape.n_account, shape.n_actions, dueling=dueling, quantiles=quantiles, generator=source, head=head)
