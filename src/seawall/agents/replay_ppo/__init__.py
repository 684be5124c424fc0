"""PPO that learns from replayed transitions; `seawall.agents.replay_ppo.replay_ppo` is the algorithm on one page."""

from seawall.agents.replay_ppo.params import ReplayPPOParams
from seawall.agents.replay_ppo.replay_ppo import ReplayPPO

__all__ = ["ReplayPPO", "ReplayPPOParams"]
