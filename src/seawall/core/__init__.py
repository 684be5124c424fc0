"""The words every other part shares; imports nothing of Seawall but itself."""
