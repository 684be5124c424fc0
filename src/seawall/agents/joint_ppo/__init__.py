"""PPO for portfolios, whose autoencoder learns with the policy; `joint_ppo` is the algorithm on one page."""

from seawall.agents.joint_ppo.joint_ppo import JointPPO
from seawall.agents.joint_ppo.params import JointPPOParams

__all__ = ["JointPPO", "JointPPOParams"]
