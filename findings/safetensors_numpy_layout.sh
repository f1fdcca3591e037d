#!/usr/bin/env bash
# safetensors.numpy 0.8.0 writes the memory of an array as it lies, and beside it the shape as numpy shows it. An array
# that is a transposed view, or in Fortran order, comes back with its numbers in other places, without a word. 0.7.0
# wrote such arrays right; safetensors.torch refuses them ("non contiguous tensor"). Such arrays are common: images
# turned from HWC to CHW, the maps of a channels_last network after .numpy(), components of scikit-learn's PCA. Known as
# safetensors issue 825; 0.8.0 is the newest release.
# Observed 2026-11-29: 0.7.0 gives both arrays back; 0.8.0 neither, with 22 of 24 numbers in a wrong place.
# This program writes safetensors through safetensors.torch alone (pipeline/io/checkpoints.py).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"

changed() {  # whether this version changes the numbers: "yes" or "no" for each of the two arrays
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check "safetensors==$1" numpy==2.4.6
  "$work/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import safetensors
from safetensors.numpy import load, save

image = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)  # rows, columns, colours
arrays = {"colours_first": image.transpose(2, 0, 1), "fortran": np.asfortranarray(image)}
answers = []
for name, array in arrays.items():
    back = load(save({name: array}))[name]
    assert back.shape == array.shape and back.dtype == array.dtype
    moved = int((back != array).sum())
    print(f"safetensors {safetensors.__version__}, {name}: {moved} of {array.size} numbers in a wrong place", file=sys.stderr)
    answers.append("yes" if moved else "no")
print(*answers)
PYTHON
}

[ "$(changed 0.7.0)" = "no no" ] && [ "$(changed 0.8.0)" = "yes yes" ]
