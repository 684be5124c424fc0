"""One decision: observe, act, guard, intend, record. Shared by every driver."""
