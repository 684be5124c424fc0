"""Action schemes: what a network's numbers mean."""
