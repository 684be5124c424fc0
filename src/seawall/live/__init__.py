"""Where Seawall meets venues. For now: whether each venue answers the keys that are set."""
