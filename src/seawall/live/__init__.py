"""Trading as bars close: the growing tail of bars, brokers, the paper account; and whether venues answer the keys that are set."""
