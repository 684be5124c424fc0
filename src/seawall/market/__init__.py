"""Bars in: read from files, checked, stored, made up, and split. Nothing here knows of features or money."""
