"""`python -m pipeline` is `sorn`."""

from pipeline.cli import main

main()
