"""Shards: samples <-> HDF5 files <-> batches."""
