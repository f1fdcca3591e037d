"""Plan of SynPed: identities per split, and person and camera per picture.

Reads and writes nothing. A plan is drawn from (size, seed) alone. The picture `index` then depends on
default_rng([seed, index]), its person on default_rng([seed, IDENTITY_STREAM, pid]) and its camera on default_rng([seed,
CAMERA_STREAM, camid]); the style defines what is drawn from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

RENDERER_VERSION = 5
# Raise it when pictures change: folders rendered by another version are rendered again.

# Beyond any index of a picture, so that no two streams coincide.
PLAN_STREAM, IDENTITY_STREAM, CAMERA_STREAM, STRANGER_STREAM, OBSTACLE_STREAM, CUT_STREAM = (
    1_000_000_001 + k for k in range(6)
)

LABELER_CAMERAS = 12
# The labeler split has its own: a part segmenter is used on places and lights that it has never seen.
LOOK_ALIKES = 0.25
# Share of the identities of a group that resemble another one of that group.


@dataclass(frozen=True)
class Size:
    """How many identities and pictures of each. Pictures are per identity."""

    train_ids: int
    train_images: int
    val_ids: int
    val_queries: int
    val_gallery: int
    test_ids: int
    test_queries: int
    test_gallery: int
    distractor_ids: int
    distractor_images: int
    labeler_ids: int
    labeler_images: int
    train_cameras: int = 8
    test_cameras: int = 8
    # Of val and test: the first of those of train, as in the real datasets, and as many as DukeMTMC has. What stands
    # before a camera then hides many people, and looks the same behind each.
    train_occluded: float = 0.09
    # As in Occluded-DukeMTMC: 9 % of train, 100 % of query, 10 % of gallery images.
    gallery_occluded: float = 0.10
    labeler_occluded: float = 0.35
    # A part segmenter must learn what hides parts.

    def __post_init__(self) -> None:
        assert (self.val_gallery >= 2 or not self.val_ids) and self.test_gallery >= 2, (
            "one gallery picture cannot be of another camera than every query"
        )


SIZES = {
    "demo": Size(100, 10, 20, 2, 3, 60, 2, 4, 20, 3, 80, 5),
    "small": Size(200, 7, 30, 2, 4, 100, 4, 6, 50, 4, 200, 5, train_cameras=12),
    "full": Size(1000, 8, 100, 2, 5, 200, 4, 7, 100, 6, 300, 5, train_cameras=24),
    # Every row of the paper's tables, three times, within some hours on two cores.
    "large": Size(4000, 6, 100, 2, 5, 100, 4, 6, 50, 4, 0, 0, train_cameras=48, train_occluded=0.2),
    # For networks that shall serve elsewhere: more people in more places, and more of them hidden, as in streets.
    "test": Size(0, 0, 0, 0, 0, 200, 4, 7, 100, 6, 0, 0),
    # The test of `full` alone: for a style without training images.
}


@dataclass(frozen=True)
class ImageSpec:
    """One picture.

    index: its number in the whole plan. split: a name of pipeline.datasets.manifest.SPLITS.
    """

    index: int
    split: str
    pid: int
    camid: int
    occluded: bool

    @property
    def stem(self) -> str:
        return f"{self.pid:04d}_c{self.camid:02d}_{self.index:06d}"


@dataclass(frozen=True, eq=False)
class DatasetPlan:
    """All pictures and identities of one dataset.

    images: by index. groups: pid -> "train", "val", "test", "distractor" or "labeler". look_alike: pid -> the pid it
    resembles, which comes from an ordinary draw. style: a name of pipeline.datasets.synped.style.STYLES.
    """

    size: Size
    seed: int
    images: tuple[ImageSpec, ...]
    groups: dict[int, str]
    look_alike: dict[int, int]
    style: str


@lru_cache(maxsize=4)
def make_plan(size: Size, seed: int, style: str = "home") -> DatasetPlan:
    """Plan of one size and seed.

    It has the same numbers of people, pictures and cameras in every style.
    """
    rng = np.random.default_rng([seed, PLAN_STREAM])
    groups: dict[int, str] = {}
    counts = {
        "train": size.train_ids,
        "val": size.val_ids,
        "test": size.test_ids,
        "distractor": size.distractor_ids,
        "labeler": size.labeler_ids,
    }
    for group, count in counts.items():
        first = len(groups) + 1
        groups |= {pid: group for pid in range(first, first + count)}
    rows: list[tuple[str, int, int]] = []
    for pid, group in groups.items():
        rows += _pictures(size, group, pid, rng)
    hidden = _hidden(size, [row[0] for row in rows], rng)
    images = tuple(ImageSpec(i, *row, occluded=bool(hidden[i])) for i, row in enumerate(rows))
    return DatasetPlan(size, seed, images, groups, _look_alikes(groups, rng), style)


def _pictures(size: Size, group: str, pid: int, rng: np.random.Generator) -> list[tuple[str, int, int]]:
    """(split, pid, camid) of one person's pictures."""
    if group == "labeler":
        cameras = size.train_cameras + 1 + rng.permutation(LABELER_CAMERAS)
        return [("labeler", pid, int(cameras[k % LABELER_CAMERAS])) for k in range(size.labeler_images)]
    if group == "train":
        seen = 1 + rng.permutation(size.train_cameras)[:6]
        return [("train", pid, int(seen[k % len(seen)])) for k in range(size.train_images)]
    cameras = 1 + rng.permutation(size.test_cameras)
    if group == "distractor":
        return [("gallery", pid, int(cameras[k % size.test_cameras])) for k in range(size.distractor_images)]
    query, gallery = ("val_query", "val_gallery") if group == "val" else ("query", "gallery")
    queries, others = (size.val_queries, size.val_gallery) if group == "val" else (size.test_queries, size.test_gallery)
    # Gallery pictures come from at least two cameras, so every query has a match from a camera that is not its own.
    return [(query, pid, int(cameras[k % size.test_cameras])) for k in range(queries)] + [
        (gallery, pid, int(cameras[(k + 1) % size.test_cameras])) for k in range(others)
    ]


def _hidden(size: Size, splits: list[str], rng: np.random.Generator) -> np.ndarray:
    """Which pictures have an obstacle: an exact share of every split."""
    shares = {
        "train": size.train_occluded,
        "val_query": 1.0,
        "query": 1.0,
        "val_gallery": size.gallery_occluded,
        "gallery": size.gallery_occluded,
        "labeler": size.labeler_occluded,
    }
    result = np.zeros(len(splits), dtype=bool)
    names = np.array(splits)
    for split, share in shares.items():
        members = np.flatnonzero(names == split)
        result[rng.permutation(members)[: round(share * len(members))]] = True
    return result


def _look_alikes(groups: dict[int, str], rng: np.random.Generator) -> dict[int, int]:
    """Some later identities resemble an earlier ordinary one; test identities and distractors count as one group."""
    merged = {pid: "test" if group == "distractor" else group for pid, group in groups.items()}
    result: dict[int, int] = {}
    for group in dict.fromkeys(merged.values()):
        ordinary: list[int] = []
        for pid in (pid for pid, name in merged.items() if name == group):
            if ordinary and rng.random() < LOOK_ALIKES:
                result[pid] = int(rng.choice(ordinary))
            else:
                ordinary.append(pid)
    return result
