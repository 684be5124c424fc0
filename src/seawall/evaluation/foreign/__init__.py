"""Ledgers of other programs: read from their files, laid out over bars, checked against these, and judged like our own."""
