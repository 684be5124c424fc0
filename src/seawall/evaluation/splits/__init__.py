"""Splits of one series into folds: walk-forward, purged k-fold and combinatorial purged cross-validation."""
