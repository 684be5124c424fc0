"""The best attainable log growth with all costs: exact where a dynamic programme finds it, elsewhere a proven upper bound."""
