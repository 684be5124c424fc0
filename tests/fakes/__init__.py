"""Venues on this machine: small servers that answer the real clients as the venues document."""
