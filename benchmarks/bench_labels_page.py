"""The labels page of many images in a real browser: how long it takes to open, and to filter. Needs chromium.

Writes a run of plain images and masks into a temporary folder, and its page. The page is opened from disk in a frame of
1280 and of 390 pixels, in light and dark, several times. Opening: from the start of its navigation to its second frame
on the screen. Filtering: from a key to the second frame. Everything is done by keys. The goals are held against the
fastest of the rounds, because other programs on the machine can only add to a time; the table has all of them.
Run: python benchmarks/bench_labels_page.py [--quick] [--images 16000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from report import Figure, emit

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from browser import BROWSER, DESK, PHONE, SCHEMES
from label_runs import SIZE, write_labels

from pipeline.reports.labels.page import LabelsPageOptions, write_labels_page
from pipeline.runs.layout import Paths
from sorn.parts import CLASSES
from sorn.sample import Sample, Status

OPENS, FILTERS = 2.0, 0.2  # seconds
WAIT = 120  # seconds for one frame

# In the page: what is timed. `shown` waits for the second frame, the first that surely has the change.
ACT = """<script>
const shown = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())));
const timed = async (act) => {
  const before = performance.now();
  act();
  await shown();
  return performance.now() - before;
};
const key = (name, target) => target.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
const form = document.getElementById("filters"), field = (name) => form.elements[name];
const write = (name, text) => { field(name).focus(); field(name).value = text;
  field(name).dispatchEvent(new Event("input", { bubbles: true })); };
addEventListener("load", async () => {
  await shown();
  const found = { open: performance.now(), images: document.getElementById("count").textContent };
  found["filter by name"] = await timed(() => write("words", "7"));
  found["filter by name, all again"] = await timed(() => write("words", ""));
  found["filter by foreground"] = await timed(() => write("least", "50"));
  found["filter by person"] = await timed(() => write("person", "7"));
  write("least", ""); write("person", "");
  const grid = document.getElementById("grid");
  grid.focus();
  found["to the last image"] = await timed(() => key("End", grid));
  found["mark"] = await timed(() => key(" ", grid));
  parent.postMessage(found, "*");
});
</script>"""

FRAME = """<!doctype html><body><script>
addEventListener("message", (event) => console.log("FOUND " + JSON.stringify(event.data)));
document.body.append(Object.assign(document.createElement("iframe"),
  { src: "page.html", height: 800, width: Number(location.hash.slice(1)) }));
</script>"""


def write_run(folder: Path, images: int) -> Path:
    """A page of images of one colour each; the folder. Every body part, several statuses, people and cameras."""
    rng, samples = np.random.default_rng(0), []
    for number in range(images):
        mask = np.zeros(SIZE, np.uint8)
        mask[: number % SIZE[0]] = 1 + number % (len(CLASSES) - 1)
        image = np.full((*SIZE, 3), rng.integers(0, 255, 3), np.uint8)
        status = Status.OK if number % 7 else Status.EMPTY
        samples.append(Sample(image, mask, number // 20, number % 6, f"train/{number:05d}.jpg", status))
    paths = Paths("bench", "danet", folder / "data", folder / "runs")
    write_labels(paths, samples, shard_images=1024)
    return write_labels_page([paths.run_name], paths.runs, paths.data_root, LabelsPageOptions()).parent


def look(page: Path, width: int, scheme: str) -> dict[str, Any]:
    """Milliseconds of what was timed in a window of that width, and `images` as the page says it."""
    assert BROWSER is not None
    words = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--enable-logging=stderr"]
    words += ["--window-size=1800,900", f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}"]
    with (
        tempfile.TemporaryDirectory() as profile,
        subprocess.Popen(
            [BROWSER, *words, f"--user-data-dir={profile}", f"{(page / 'frame.html').as_uri()}#{width}"],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        ) as process,
    ):
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if said := re.search(r"FOUND (\{.*?\})", line.replace('\\"', '"')):
                    found: dict[str, Any] = json.loads(said[1])
                    return found
        finally:
            process.terminate()
            process.wait(WAIT)
    raise RuntimeError("the browser ended without an answer")


def slowest_window(rows: Mapping[str, list[float]], what: str) -> float:
    """The fastest round of each window, the slowest of them."""
    return max(min(values) for name, values in rows.items() if name.startswith(what))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer images and rounds")
    parser.add_argument("--images", type=int, help="default 16000, or 2000 with --quick")
    parser.add_argument("--rounds", type=int, help="default 5, or 1 with --quick")
    given = parser.parse_args()
    images, rounds = given.images or (2000 if given.quick else 16_000), given.rounds or (1 if given.quick else 5)
    if BROWSER is None:
        print("no chromium here: apt-get install chromium")
        emit("labels_page", {}, {})
        return
    rows: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        page = write_run(Path(name), images)
        (page / "frame.html").write_text(FRAME)
        text = (page / "index.html").read_text(encoding="utf-8")
        (page / "page.html").write_text(text.replace("</body>", f"{ACT}</body>"), encoding="utf-8")
        for _ in range(rounds):
            for width in (PHONE, DESK):
                for scheme in SCHEMES:
                    found = look(page, width, scheme)
                    assert found.pop("images") == f"{images:,} of {images:,} images", found
                    for what, value in found.items():
                        rows.setdefault(f"{what}, {width}, {scheme}", []).append(value)
    opened, filtered = (slowest_window(rows, what) / 1000 for what in ("open", "filter"))
    print(f"{images} images, {rounds} rounds; the slowest window's fastest round counts")
    figures = {
        "opens_seconds": Figure(opened, f"<{OPENS:g}", opened < OPENS),
        "filters_seconds": Figure(filtered, f"<{FILTERS:g}", filtered < FILTERS),
    }
    emit("labels_page", rows, figures, unit="ms")


if __name__ == "__main__":
    main()
