"""Markets that are made, not recorded: one that looks like a market, and ones whose best result is known."""
