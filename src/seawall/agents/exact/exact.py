"""The exact policy gradient: no action is sampled, since the market's path does not depend on ours.

For a stretch of bars the encoder runs once per bar; the heads then tell the policy in every position. Backward over the stretch
goes the value of every position under that very policy, from the critic's at its end; forward goes how likely each position is. The
loss is −Σ w π A over positions and actions, with the advantages A held fixed: the policy gradient theorem without sampling (Sutton
et al. 2000, theorem 1; all actions as in Ciosek and Whiteson 2018, arXiv 1706.05374; a path that is given from outside as in
Sinclair et al. 2023, arXiv 2207.06272). What departs from the theorem is named in docs/concepts/exact-gradient.md: positions are
weighted evenly (`even_share`), the critic ends each stretch, and an entropy bonus is added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from seawall.agents.exact.params import ExactParams
from seawall.agents.exact.positions import positions_of
from seawall.agents.exact.problem import ExactProblem
from seawall.agents.exact.recursions import advantages_and_values, visiting_probabilities
from seawall.agents.exact.rewards import reward_table
from seawall.agents.failure import stop_training
from seawall.agents.losses import entropies, value_loss
from seawall.agents.policy import NetworkPolicy
from seawall.agents.schedule import Schedule, scheduled, share_done
from seawall.agents.state import adam_state, host_weights, join_state, load_adam_state, load_weights, split_state
from seawall.core.errors import ConfigError
from seawall.core.seeding import derived_seed
from seawall.nets.heads import ActorCritic
from seawall.nets.windows import WindowGatherer, feature_tensor

_TALLIED: tuple[str, ...] = ("value_loss", "entropy", "gradient_norm", "mean_reward", "turnover")
_LEAST_DEVIATION = 1e-12


@dataclass(frozen=True)
class Stretch:
    """B stretches of L bars, as the network and the recursions see them.

    Attributes:
        log_policy: Log-probability of each action in each position, with its gradient, shape (B, L, P, A).
        values: Predicted values, with their gradient, shape (B, L, P).
        advantages: Exact advantages of the actions, shape (B, L, P, A).
        returns: Exact values of the positions, which the critic should predict, shape (B, L, P).
        visits: Probability of each position, shape (B, L, P).
    """

    log_policy: Tensor
    values: Tensor
    advantages: Tensor
    returns: Tensor
    visits: Tensor


def policy_loss(log_policy: Tensor, advantages: Tensor, weights: Tensor) -> Tensor:
    """Return −Σ w π A over positions and actions, the mean over stretches and bars, to be minimised.

    Args:
        log_policy: Log-probability of each action, shape (B, L, P, A).
        advantages: Of each action, the same shape; held fixed.
        weights: Of each position, shape (B, L, P); held fixed.
    """
    return -(weights[..., None] * log_policy.exp() * advantages).sum((2, 3)).mean()


def position_weights(visits: Tensor, even_share: float) -> Tensor:
    """Return the weight of each position: a share spread evenly, the rest as visited; shape of `visits`, (B, L, P)."""
    return even_share / visits.shape[-1] + (1.0 - even_share) * visits


def _whole_stretches(decisions: Sequence[int], segment_bars: int) -> Tensor:
    """Return the places at which a stretch begins that its range holds whole, int64; the ranges follow each other."""
    ends = np.cumsum(decisions)
    parts = [torch.arange(end - count, end - segment_bars + 1) for end, count in zip(ends.tolist(), decisions, strict=True)]
    return torch.cat(parts)


class ExactGradient:
    """One learner: a reward table, a network, and where training stands."""

    def __init__(self, network: ActorCritic, params: ExactParams, problem: ExactProblem, *, seed: int, device: str = "cpu") -> None:
        """Read the reward table off the simulator.

        Args:
            network: Changed in place.
            params: Settings.
            problem: What is to be learned.
            seed: The run's seed.
            device: Where the network and the features live.

        Raises:
            ConfigError: The problem depends on more than bar, position and action, its rows are too few, or the network has other
                sizes.
        """
        problem.check()
        self.params, self.problem, self.device = params, problem, torch.device(device)
        self.positions = positions_of(problem.scheme)
        self._refuse_other_sizes(network)
        self.network = network.to(self.device)
        self.steps = 0
        self.failure_folder: Path | None = None
        ranges = problem.decision_ranges(params.segment_bars)
        tables = [reward_table(problem.market, each, self.positions, problem.costs, problem.simulator) for each in ranges]
        self.table = torch.from_numpy(np.concatenate(tables))
        # The market row of each decision of the table, and the decisions at which a whole stretch within one range begins.
        self._row_of = torch.cat([torch.arange(each.start, each.stop - 1) for each in ranges])
        self._first = _whole_stretches([len(each) for each in tables], params.segment_bars)
        deviation = float(self.table.std(0).max()) if params.normalise_reward else 1.0
        self.reward_scale = deviation if deviation > _LEAST_DEVIATION else 1.0
        self._account = torch.from_numpy(self.positions.account_rows(problem.account_columns)).to(self.device)
        self._traded = torch.from_numpy(self.positions.traded).float()
        self._gather = WindowGatherer(feature_tensor(problem.market.features, self.device), problem.window)
        self._optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=params.learning_rate, eps=1e-5, weight_decay=params.weight_decay, fused=True
        )
        self._sampling = torch.Generator().manual_seed(derived_seed(seed, "segments"))

    def _refuse_other_sizes(self, network: ActorCritic) -> None:
        wanted = len(self.problem.account_columns), self.positions.following.shape[1]
        if network.state_width:
            raise ConfigError(
                f"the network remembers {network.state_width} numbers from bar to bar, and agent 'exact' begins anywhere; allowed: "
                "a network without a memory, or agent ppo"
            )
        if (network.n_account, network.n_actions) != wanted:
            raise ConfigError(
                f"the network takes {network.n_account} account columns and has {network.n_actions} actions; needed: {wanted[0]} "
                f"for {self.problem.account_columns} and {wanted[1]} for scheme {self.problem.scheme.name!r}"
            )

    @property
    def total_steps(self) -> int:
        """Bars evaluated in the whole training."""
        return self.params.total_steps

    def update(self) -> dict[str, float]:
        """Take some gradient steps, each on new stretches of bars.

        Returns:
            Diagnostics: value loss, entropy, gradient norm; mean reward per bar before scaling, exposure traded per bar and the
            share of each action, which are exact expectations under the policy from positions spread evenly; learning rate,
            entropy coefficient, steps so far, steps per second.

        Raises:
            InvariantError: A loss is no longer finite; the message names the likely cause.
        """
        started, before, learning_rate, bonus = perf_counter(), self.steps, self._learning_rate(), self._entropy_coefficient()
        tallies = [self._gradient_step() for _ in range(self.params.gradient_steps)]
        means = torch.stack(tallies).mean(0).tolist()
        diagnostics = dict(zip(_TALLIED, means, strict=False))
        shares = means[len(_TALLIED) :]
        return {
            **diagnostics,
            **{f"action_share_{action}": share for action, share in enumerate(shares)},
            "learning_rate": learning_rate,
            "entropy_coefficient": bonus,
            "steps": float(self.steps),
            "steps_per_second": (self.steps - before) / (perf_counter() - started),
        }

    def _gradient_step(self) -> Tensor:
        """Take one gradient step; return the tallied numbers in the order of their names, then the share of each action."""
        params = self.params
        self._optimiser.param_groups[0]["lr"] = self._learning_rate()
        starts = self._first[torch.randint(len(self._first), (params.n_segments,), generator=self._sampling)]
        stretch = self.evaluate(starts)
        weights = position_weights(stretch.visits, params.even_share)
        policy_part = policy_loss(stretch.log_policy, stretch.advantages, weights)
        value_part = value_loss(stretch.values, stretch.returns)
        entropy_part = (weights * entropies(stretch.log_policy)).sum(-1).mean()
        loss = policy_part + params.value_coefficient * value_part - self._entropy_coefficient() * entropy_part
        self._optimiser.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), params.max_gradient_norm)
        loss_now = loss.detach()
        if not bool(torch.isfinite(norm + loss_now)):
            self._stop(starts, float(loss_now), float(norm))
        self._step_weights()
        self.steps += params.n_segments * params.segment_bars
        return torch.cat((torch.stack((value_part, entropy_part, norm)).detach().cpu(), self._facts(starts, stretch)))

    def _step_weights(self) -> None:
        """Take Adam's step, and a longer one, without decay, with the weights that read the account row.

        Adam moves every weight about as far. The weights that read the encoding move a preference by hundreds of such steps at
        once, the one that reads an account column by a single one: before the policy could tell its positions apart, it would have
        learned what suits all of them alike, which is to stay flat.
        """
        heads = (self.network.policy_head, self.network.value_head)
        read = [head.weight.detach()[:, head.in_features - self.network.n_account :] for head in heads]
        before = [part.clone() for part in read]
        self._optimiser.step()
        kept = 1.0 - self._learning_rate() * self.params.weight_decay
        for part, old in zip(read, before, strict=True):
            part.copy_(old + self.params.account_rate * (part - old * kept))

    def evaluate(self, starts: Tensor, start: Tensor | None = None) -> Stretch:
        """Evaluate every position and action of some stretches under the policy as it is.

        Args:
            starts: First decision of each, as a place in `table`; int64, shape (B,), on the host.
            start: Probability of each position at the first decision, shape (P,); evenly spread where None.
        """
        bars, (n_positions, n_actions) = self.params.segment_bars, self.positions.following.shape
        places = starts[:, None] + torch.arange(bars)
        rows = self._row_of[starts][:, None] + torch.arange(bars + 1)
        actor, critic = self.network.encode(self._gather(rows.flatten().to(self.device)))
        told = [self.network.heads(actor, critic, row.expand(len(actor), -1)) for row in self._account]
        shape = (len(starts), bars + 1, n_positions)
        log_policy = torch.log_softmax(torch.stack([logits for logits, _ in told], 1), -1).view(*shape, n_actions)[:, :bars]
        values = torch.stack([value for _, value in told], 1).view(shape)
        policy = log_policy.detach().exp().cpu().numpy()
        rewards = (self.table[places] / self.reward_scale).to(log_policy.dtype).numpy()
        following, end_values = self.positions.following, values[:, bars].detach().cpu().numpy()
        advantages, returns = advantages_and_values(policy, rewards, following, end_values, self.params.gamma)
        spread = torch.full((n_positions,), 1.0 / n_positions) if start is None else start
        visits = visiting_probabilities(policy, following, np.tile(spread.to(log_policy.dtype).numpy(), (len(starts), 1)))
        found = (torch.from_numpy(block).to(self.device) for block in (advantages, returns, visits))
        return Stretch(log_policy, values[:, :bars], *found)

    def _facts(self, starts: Tensor, stretch: Stretch) -> Tensor:
        """Return expectations under the policy: mean reward, exposure traded per bar, share of each action; shape (2 + A,)."""
        taken = (stretch.visits[..., None] * stretch.log_policy.detach().exp()).cpu()
        rewards = self.table[starts[:, None] + torch.arange(self.params.segment_bars)]
        facts = torch.stack(((taken * rewards).sum((2, 3)).mean(), (taken * self._traded).sum((2, 3)).mean()))
        return torch.cat((facts, taken.sum(2).mean((0, 1))))

    def _scheduled(self, start: float, schedule: Schedule) -> float:
        return scheduled(start, schedule, share_done(self.steps, self.params.total_steps))

    def _learning_rate(self) -> float:
        return self._scheduled(self.params.learning_rate, self.params.learning_rate_schedule)

    def _entropy_coefficient(self) -> float:
        return self._scheduled(self.params.entropy_coefficient, self.params.entropy_schedule)

    def _stop(self, starts: Tensor, loss: float, norm: float) -> NoReturn:
        places = starts[:, None] + torch.arange(self.params.segment_bars)
        kept = {"rows": self._row_of[places], "rewards": self.table[places]}
        seen = {"loss": loss, "gradient_norm": norm}
        cause = self._explain_divergence(loss, norm, starts)
        stop_training(cause, kept, self.params, step=self.steps, folder=self.failure_folder, tallied=seen)

    def _explain_divergence(self, loss: float, norm: float, starts: Tensor) -> str:
        where = f"training diverged at step {self.steps}: loss {loss:.3g}, gradient norm {norm:.3g}"
        first, bars = self._row_of[starts], self.params.segment_bars
        for row in first.tolist():
            seen = self.problem.market.features[row - self.problem.window + 1 : row + bars + 1]
            if not np.isfinite(seen).all():
                bad = row - self.problem.window + 1 + int(np.argwhere(~np.isfinite(seen))[0, 0])
                return f"{where}; a feature of row {bad} is not finite"
        finite = all(bool(parameter.isfinite().all()) for parameter in self.network.parameters())
        state = "still finite" if finite else "no longer finite"
        settings = f"learning_rate {self.params.learning_rate} or max_gradient_norm {self.params.max_gradient_norm}"
        return f"{where}; the weights are {state} and the features of this batch are: lower {settings}"

    def policy(self) -> NetworkPolicy:
        """Return the policy as it is now; it follows the learner's further updates."""
        return NetworkPolicy(self.network, self.problem.window, str(self.device))

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the network's weights, on the host."""
        return host_weights(self.network)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return all that an exact resumption needs: tensors by path, and values for JSON."""
        state = {"network": self.weights(), "generators": {"segments": self._sampling.get_state()}, "steps": self.steps}
        tensors, values = split_state(state, "exact")
        return tensors | adam_state(self._optimiser, self.network, "adam"), values

    def load_state(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Continue from what `state` returned; further updates equal those of a learner that was never stopped.

        Raises:
            DataError: The weights do not fit this network.
        """
        state = join_state(tensors, values, "exact")
        load_weights(self.network, state["network"], "the checkpoint")
        load_adam_state(self._optimiser, self.network, tensors, "adam")
        self._sampling.set_state(torch.from_numpy(state["generators"]["segments"]))
        self.steps = int(state["steps"])
