"""The feature sets of the five designs, a module each, and what only one of them is made of."""
