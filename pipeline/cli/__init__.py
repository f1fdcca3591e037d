"""Command line: parses options, calls one function, prints."""
