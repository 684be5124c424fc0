"""Fetching a series from a source: walked page by page, kept while it goes, and resumed where it stopped."""
