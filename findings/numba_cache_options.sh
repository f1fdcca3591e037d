#!/usr/bin/env bash
# numba's cache (cache=True) knows a function by its source file, its signature and the CPU, not by the options that it is
# compiled with. Where the options come from another module, as from a decorator that a project shares, a changed option
# has no effect as long as the function's own file stays: here a division by 0 goes on to raise ZeroDivisionError after
# error_model was changed from "python" to "numpy", which gives inf. The same holds for nogil and fastmath. An empty cache
# folder is the remedy. In this project sorn/compiled.py is such a decorator: after a change of its options,
# remove the files *.nbi and *.nbc, or the folder that NUMBA_CACHE_DIR names. Observed 2026-11-30 with numba 0.68.1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check numba==0.68.1 numpy==2.4.6
cat > "$work/options.py" <<'PYTHON'
import os

import numba


def compiled(function):
    return numba.njit("f8(f8, f8)", cache=True, error_model=os.environ["MODEL"])(function)
PYTHON
cat > "$work/kernel.py" <<'PYTHON'
from options import compiled


@compiled
def ratio(a, b):
    return a / b


def said():
    try:
        return str(ratio(1.0, 0.0))
    except ZeroDivisionError:
        return "ZeroDivisionError"


print(said())
PYTHON
said() { (cd "$work" && MODEL="$1" NUMBA_CACHE_DIR="$work/$2" "$work/venv/bin/python" -B kernel.py); }
fresh=$(said numpy empty)
first=$(said python kept)
changed=$(said numpy kept)
echo "error_model=numpy, empty cache: $fresh"
echo "error_model=python, another empty cache: $first"
echo "error_model=numpy with the cache of that: $changed"
[ "$fresh" = inf ] && [ "$first" = ZeroDivisionError ] && [ "$changed" = ZeroDivisionError ]
