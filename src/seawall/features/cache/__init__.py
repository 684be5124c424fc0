"""Computed blocks of features, kept on disk by what they depend on."""
