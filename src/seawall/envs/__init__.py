"""Gymnasium faces of the simulator: one environment, or thousands stepped in one compiled call."""
