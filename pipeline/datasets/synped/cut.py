"""People cut off by the border of the picture, from whole pictures.

Reads and writes no files. Which picture is cut, and where, depends on the plan alone: the pictures of one camera of
every person in a gallery become queries. The gallery stays as it is, since a query is never compared with its own
camera's pictures of the person.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.datasets.synped.plan import CUT_STREAM, DatasetPlan, ImageSpec

FOLDERS = {"val_gallery": "val_query/cut", "gallery": "query/cut"}
# Split of the whole pictures -> folder of the cut ones, below images/ and masks/; so their images are called.

HEIGHT, WIDTH, LEGS = (0.35, 0.7), (0.5, 0.75), (0.6, 1.0)
# Shares that stay; LEGS: of the height, where the width is cut.


@dataclass(frozen=True)
class Cut:
    """Picture that is cut.

    source: the whole picture; the cut one has its name. folder: of FOLDERS.
    """

    source: ImageSpec
    folder: str


def find_cuts(plan: DatasetPlan) -> list[Cut]:
    """Pictures of the plan that are cut, in its order.

    The camera is that of a person's first picture without an obstacle. A person of one camera is left out.
    """
    cuts = []
    for split, folder in FOLDERS.items():
        people: dict[int, list[ImageSpec]] = {}
        for spec in plan.images:
            if spec.split == split:
                people.setdefault(spec.pid, []).append(spec)
        for specs in people.values():
            camera = min(specs, key=lambda spec: spec.occluded).camid
            if any(spec.camid != camera for spec in specs):
                cuts += [Cut(spec, folder) for spec in specs if spec.camid == camera]
    return cuts


def cut_box(seed: int, index: int, width: int, height: int) -> tuple[int, int, int, int]:
    """Box of what stays: left, top, right, bottom, in pixels.

    Half of the pictures keep their upper part, a quarter the lower part, a quarter one side. seed: of the plan. index:
    of the picture.
    """
    rng = np.random.default_rng([seed, CUT_STREAM, index])
    kind, kept = rng.integers(4), rng.uniform(*HEIGHT)
    if kind < 2:
        return 0, 0, width, round(height * kept)
    if kind == 2:
        return 0, height - round(height * kept), width, height
    kept, left = rng.uniform(*WIDTH), rng.integers(2)
    bottom = round(height * rng.uniform(*LEGS))
    return (0, 0, round(width * kept), bottom) if left else (width - round(width * kept), 0, width, bottom)


def cut_joints(joints: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """Joints of the cut picture, float32 [17, 3] in its pixels.

    Joints outside are not visible. box: as `cut_box` returns it.
    """
    left, top, right, bottom = box
    moved = joints - np.array([left, top, 0], np.float32)
    x, y = moved[:, 0], moved[:, 1]
    inside = (x >= 0) & (x < right - left) & (y >= 0) & (y < bottom - top)
    moved[~inside, 2] = 0
    return moved.astype(np.float32)
