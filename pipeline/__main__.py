"""`python -m pipeline` is `sorn`."""

from pipeline.cli.app import main

main()
