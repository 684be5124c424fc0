"""Labels: what a market was, or will be, at each bar. They teach an encoder, and are never a feature."""
