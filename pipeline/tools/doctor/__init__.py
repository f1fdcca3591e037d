"""Doctor: what this machine can run."""
