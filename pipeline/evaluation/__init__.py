"""Evaluation: feature banks and part masks -> figures."""
