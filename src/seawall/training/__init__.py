"""Drivers that train an agent: progress, validation, the choice of the best weights, checkpoints and resuming."""
