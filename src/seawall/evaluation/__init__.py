"""Judging a policy out of sample: backtest, rivals, intervals, stress, a verdict in plain words, and the page that shows them."""
