"""Runs: configuration, file layout, stamps and locks."""
