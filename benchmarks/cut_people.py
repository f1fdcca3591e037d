"""People half out of the picture, from SynPed's val: a dataset to choose options on for Partial-REID and Partial-iLIDS.

Of every person in val_gallery the pictures of one camera become queries, cut to 35 to 70 % of their height from above
(half of them) or below (a quarter), or to 50 to 75 % of their width (a quarter); the other cameras' pictures are the
gallery. Nothing of the test is touched. docs/evidence.md has figures.
Run: python benchmarks/cut_people.py [--data-root data] [--out data/cut_people]
then, as it says at the end: make eval DATASET=data/cut_people/people.csv ...
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import numpy as np
from PIL import Image

SOURCE = "synped/images/val_gallery"
HEIGHT, WIDTH, LEGS = (0.35, 0.7), (0.5, 0.75), (0.6, 1.0)  # shares that stay; LEGS: of the height, with WIDTH


def box(rng: np.random.Generator, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what stays."""
    kind, kept = rng.integers(4), rng.uniform(*HEIGHT)
    if kind < 2:
        return 0, 0, width, int(height * kept)
    if kind == 2:
        return 0, int(height * (1 - kept)), width, height
    kept, left = rng.uniform(*WIDTH), rng.integers(2)
    bottom = int(height * rng.uniform(*LEGS))
    return (0, 0, int(width * kept), bottom) if left else (int(width * (1 - kept)), 0, width, bottom)


def by_person(folder: Path) -> dict[int, list[tuple[int, Path]]]:
    """pid -> (camid, picture), in the order of the names."""
    found: dict[int, list[tuple[int, Path]]] = {}
    for path in sorted(folder.glob("*.jpg")):
        pid, camera, _ = path.stem.split("_")
        found.setdefault(int(pid), []).append((int(camera[1:]), path))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path, default=Path("data/cut_people"))
    given = parser.parse_args()
    people = by_person(given.data_root / SOURCE)
    if not people:
        sys.exit(f"there is no {given.data_root / SOURCE}. Run `make data DATASET=synped` first.")
    rng, rows = np.random.default_rng(0), []
    (given.out / "images").mkdir(parents=True, exist_ok=True)
    for pid, pictures in people.items():
        cameras = sorted({camid for camid, _ in pictures})
        if len(cameras) < 2:
            continue
        asked = cameras[rng.integers(len(cameras))]
        for camid, path in pictures:
            with Image.open(path) as opened:
                image = opened.convert("RGB")
            if camid == asked:
                image = image.crop(box(rng, *image.size))
            name = f"images/{path.stem}.png"
            image.save(given.out / name)
            rows.append((name, pid, camid, "query" if camid == asked else "gallery"))
    table = given.out / "people.csv"
    with open(table, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("path", "pid", "camid", "split"), *rows])
    print(f"{sum(row[3] == 'query' for row in rows)} queries, {len(rows)} images -> {table}")
    print(f"make eval DATASET={table} LABELER=none CONFIG=synped TRAINED_ON=synped-danet")


if __name__ == "__main__":
    main()
