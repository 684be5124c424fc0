"""Q-learning with a network: the learner, its replay, and its networks as policies."""
