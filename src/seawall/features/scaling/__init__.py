"""Scaling by what the training rows showed: of features, and of files for other programs."""
