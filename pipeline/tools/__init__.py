"""Tools for finished runs: verify, export, tables, doctor, clean."""
