"""Training: shards -> checkpoint."""
