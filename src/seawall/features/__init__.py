"""From bars to causal, scaled columns: what a policy is allowed to see."""
