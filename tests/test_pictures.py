"""docs/pictures/draw.py: the README's pictures are the demo's, and the same demo draws the same bytes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

DRAW = Path(__file__).parents[1] / "docs/pictures/draw.py"
SOURCES = ("synped_demo/data/contact-sheet.jpg", "synped_demo-danet/masks/pictures/labels.png")


def draw(runs: Path, out: Path) -> subprocess.CompletedProcess[str]:
    out.mkdir()
    command = [sys.executable, str(DRAW), "--runs", str(runs), "--out", str(out)]
    return subprocess.run(command, capture_output=True, text=True, env={"PATH": ""})  # no browser


def test_the_same_outputs_draw_the_same_bytes(tmp_path):
    for seed, name in enumerate(SOURCES):
        (tmp_path / name).parent.mkdir(parents=True)
        pixels = np.random.default_rng(seed).integers(0, 255, (40, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
    done = draw(tmp_path, tmp_path / "early")
    assert done.returncode == 1 and "report.html. Run `make demo` first." in done.stderr
    report = tmp_path / "synped_demo-danet/eval/report.html"
    report.parent.mkdir()
    report.write_text("<p>figures</p>")
    drawn = []
    for name in ("one", "two"):
        done = draw(tmp_path, tmp_path / name)
        assert done.returncode == 0 and "report.jpg stays as it is" in done.stdout, done.stderr
        drawn.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert drawn[0] == drawn[1] and drawn[0].keys() == {"synped.jpg", "labels.jpg"}
