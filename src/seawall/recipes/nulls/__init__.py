"""Null tests of a run: its whole pipeline, repeated on markets without an edge."""
