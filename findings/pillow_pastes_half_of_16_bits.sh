#!/usr/bin/env bash
# Image.paste of a number into a 16-bit picture (mode I;16, in which Pillow opens 16-bit grey PNG) writes the low byte
# twice: person 5 of an instance map becomes 1285, person 256 becomes 0, the background. 0 and 65535 come out right, so
# that tests with black and white pass. It is so with a box and with a mask of mode 1; with a mask of mode L, and with
# ImageDraw, putpixel and Image.new, the number is right: the same obstacle has two ids, as it was given by its box or
# by its soft mask.
# Observed 2026-11-29 with Pillow 11.3.0, 12.0.0 and 13.0.0: 5 -> 1285, 256 -> 0, 3000 -> 47288, 65535 -> 65535.
# This program draws masks in modes L and 1 (pipeline/datasets/coco/), and pastes pictures only, into RGB
# (pipeline/reports/canvas.py).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
status=0
for version in 11.3.0 12.0.0 13.0.0; do
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check "pillow==$version"
  "$work/venv/bin/python" - <<'PYTHON' || status=1
import io
import sys

import PIL
from PIL import Image, ImageDraw

WANTED = (5, 256, 3000, 65535)
SIZE = (6, 4)


def by_box(ids, number):
    ids.paste(number, (1, 1, 5, 3))


def by_hard_mask(ids, number):
    ids.paste(number, mask=Image.new("1", SIZE, 1))


def by_soft_mask(ids, number):
    ids.paste(number, mask=Image.new("L", SIZE, 255))


def drawn(ids, number):
    ImageDraw.Draw(ids).rectangle((1, 1, 4, 2), fill=number)


def read_back(put, number):
    """The number at the middle of a 16-bit map, after a round through a PNG."""
    file = io.BytesIO()
    ids = Image.new("I;16", SIZE)
    put(ids, number)
    ids.save(file, "PNG")
    with Image.open(file) as opened:
        assert opened.mode == "I;16"
        return opened.getpixel((2, 1))


seen = {put.__name__: [read_back(put, number) for number in WANTED] for put in (by_box, by_hard_mask, by_soft_mask, drawn)}
print(f"Pillow {PIL.__version__}: {list(WANTED)} put into a map:", ", ".join(f"{name} {found}" for name, found in seen.items()))
assert seen["drawn"] == seen["by_soft_mask"] == list(WANTED)
twice = [number % 256 * 257 for number in WANTED]
sys.exit(0 if seen["by_box"] == seen["by_hard_mask"] == twice else 1)
PYTHON
done
exit $status
