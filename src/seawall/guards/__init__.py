"""Rules that may only veto or reduce what a policy proposes, and the chain that holds them to it."""
