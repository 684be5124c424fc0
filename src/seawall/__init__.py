"""Seawall trains deep-reinforcement-learning trading agents, judges them honestly and runs them behind guards."""

__version__ = "0.1.0"
