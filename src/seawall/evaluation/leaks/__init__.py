"""The leak detector: who looks into the future, how far, and from which bar."""
