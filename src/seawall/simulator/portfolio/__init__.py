"""Portfolios: accounts over several assets and cash."""
