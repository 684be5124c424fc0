"""Proximal policy optimisation; `seawall.agents.ppo.ppo` is the algorithm on one page."""

from seawall.agents.ppo.params import PPOParams
from seawall.agents.ppo.ppo import PPO

__all__ = ["PPO", "PPOParams"]
