"""Comparison of evaluations."""
