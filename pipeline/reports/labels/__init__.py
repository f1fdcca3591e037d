"""Report of part labels, and comparison of two labelers."""
