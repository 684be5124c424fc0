"""Recipes choose the parts: the typed recipe, its files, and the only code that knows concrete classes."""
