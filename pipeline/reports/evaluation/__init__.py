"""Report of one evaluation."""
