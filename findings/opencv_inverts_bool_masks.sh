#!/usr/bin/env bash
# OpenCV 5 takes numpy's bool arrays, which OpenCV 4 refuses. bitwise_not then turns the eight bits of every byte: True
# (1) becomes 254, which is True again. What was meant as "outside the person" is true everywhere, with the right shape
# and dtype, and numpy's ~mask differs. bitwise_and and bitwise_xor of two masks are right. A mask written
# as PNG has 0 and 1 in it, not 0 and 255.
# Observed 2026-11-29 with opencv-python-headless 5.0.0.93: 8192 of 8192 pixels true, 6272 expected; 4.14.0.94 raises
# cv2.error.
# This program does not use OpenCV; masks of other tools come to it as files (pipeline/datasets/mask_files.py).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"

look() {
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check "opencv-python-headless==$1" numpy==2.4.6
  "$work/venv/bin/python" - "$2" <<'PYTHON'
import sys

import cv2
import numpy as np

mask = np.zeros((128, 64), bool)
mask[20:116, 22:42] = True
try:
    outside = cv2.bitwise_not(mask)
except cv2.error:
    print(f"OpenCV {cv2.__version__}: refuses a bool mask")
    sys.exit(sys.argv[1] != "refused")
shown, meant = np.count_nonzero(outside.astype(np.uint8) != 0), np.count_nonzero(~mask)
print(f"OpenCV {cv2.__version__}: {outside.dtype} {outside.shape}, bytes {np.unique(outside.view(np.uint8)).tolist()};",
      f"{shown} of {mask.size} pixels true, {meant} expected")
assert np.array_equal(cv2.bitwise_and(mask, mask), mask) and not cv2.bitwise_xor(mask, mask).any()
png = cv2.imdecode(cv2.imencode(".png", mask)[1], cv2.IMREAD_UNCHANGED)
print(f"  as PNG: values {np.unique(png).tolist()}")
sys.exit(not (sys.argv[1] == "all true" and shown == mask.size))
PYTHON
}

look 4.14.0.94 refused
look 5.0.0.93 "all true"
