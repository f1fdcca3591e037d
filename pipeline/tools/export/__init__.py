"""Export of trained networks, with a parity check."""
