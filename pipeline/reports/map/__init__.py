"""Embedding map of one evaluation."""
