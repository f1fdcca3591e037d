#!/usr/bin/env bash
# Pillow scrambles an uncompressed TIFF that is stored on its side (orientation 5 to 8) and has one byte or four per pixel (modes
# L, P, CMYK, RGBA) when it opens it by its path: it maps the file into memory with width and height already exchanged.
# Opened from bytes, or compressed, the same file is right. Seen with Pillow 13.0.0.
# pipeline/io/images.py decodes bytes, never a path; a PIL image that a Python program hands to Searcher is its own.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0 numpy==2.4.6
"$work/venv/bin/python" - <<'PYTHON'
import io, sys, tempfile
import numpy as np
import PIL
from PIL import Image

stored = np.arange(24 * 40, dtype=np.uint16).astype(np.uint8).reshape(24, 40)
exif = Image.Exif()
exif[274] = 6
with tempfile.NamedTemporaryFile(suffix=".tif") as file:
    Image.fromarray(stored).save(file.name, exif=exif)
    by_path = np.asarray(Image.open(file.name))
    by_bytes = np.asarray(Image.open(io.BytesIO(open(file.name, "rb").read())))
shown = np.rot90(stored, -1)
print(f"Pillow {PIL.__version__}: shown {shown.shape}; by path {by_path.shape}, right: {np.array_equal(by_path, shown)};",
      f"from bytes {by_bytes.shape}, right: {np.array_equal(by_bytes, shown)}")
assert np.array_equal(by_bytes, shown), "what this program does is wrong too"
sys.exit(int(np.array_equal(by_path, shown)))
PYTHON
