"""Brokers: where orders go. For now the paper broker, whose fills are the simulator's."""
