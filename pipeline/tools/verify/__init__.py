"""Verification of all files of a run: `sorn verify`.

Reads every file of a run, writes and repairs nothing. folders.py lists the folders of the run, and verification.py
gives the state of each. hashing.py reads the files, by threads. stages.py, evaluation.py, tables.py and exports.py
compare their contents. checks.py counts the checks and collects the faults.
"""
