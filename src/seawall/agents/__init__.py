"""Learning algorithms, one file each, the pure maths that they share, and the bundle that keeps what was learned."""
