"""Datasets: manifests -> image records, ground truth, SynPed."""
