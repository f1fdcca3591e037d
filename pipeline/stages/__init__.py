"""Stages: driver and one module per stage."""
