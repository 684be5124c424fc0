"""Arithmetic on the arrays of bars: windows, flows, indicators, the clock; each value known at its row."""
