"""Statistics of luck: how likely a Sharpe ratio is chance, how overfitted a choice is, and how sure a figure over seeds is."""
