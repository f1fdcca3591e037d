"""SORN: the network, its losses, matching and metrics. Knows tensors, never paths."""
