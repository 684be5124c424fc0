"""The exact policy gradient: every position and every action of each bar, without sampled actions."""
