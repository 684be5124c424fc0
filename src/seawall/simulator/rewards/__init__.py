"""Rewards: weighted sums of named per-bar terms."""
