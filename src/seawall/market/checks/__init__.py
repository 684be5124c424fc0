"""What can be wrong with bars: found, told, and treated as asked."""
