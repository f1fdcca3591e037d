"""Overview of all runs: `sorn runs` and runs/index.html."""
