"""The agents of Stable-Baselines3 and sb3-contrib; `seawall.agents.zoo.learner` trains them.

The libraries come with the extra ``zoo``. The settings, here and in `seawall.agents.zoo.params`, do without them.
"""

from seawall.agents.zoo.params import ZooParams

__all__ = ["ZooParams"]
