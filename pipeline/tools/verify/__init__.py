"""`sorn verify`: whether a run is what its own files say. Reads every file of it, writes and repairs nothing.

run.py says which folders a run has and what became of each; reading.py reads the files, by threads; stage_files.py,
evaluation.py and beside.py hold their contents against each other; checks.py counts and collects what is wrong.
"""
