"""Feature extraction: network and images -> feature banks."""
