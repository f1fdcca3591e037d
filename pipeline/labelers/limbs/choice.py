"""Choice of the crop's person among skeletons and silhouettes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.datasets.coco.skeletons import FoundPose
from pipeline.labelers.limbs.division import outline
from pipeline.labelers.person_choice import weights

CLEAR = 2.0  # a person with so many times the weight of the next one is clearly the crop's
SAME = 0.5  # IoU of the outlines of two skeletons of one person: tools find some people twice
FITS = 0.25  # share of a skeleton or of a silhouette, the smaller one, that the other covers if they show one person
WITHIN = 0.75  # share of another skeleton from which on a silhouette holds that person too


@dataclass(frozen=True)
class Picked:
    """The crop's person.

    regions: uint8 [h, w] as `division.divide` takes them. keypoints, others: of this person and of those who share the
    regions, [17, 3] each. people: number of people found. clear: whether it is clearly this one. box: (left, top,
    right, bottom) in fractions of the image. score: mean confidence of the joints.
    """

    regions: np.ndarray
    keypoints: np.ndarray
    others: tuple[np.ndarray, ...]
    people: int
    clear: bool
    box: tuple[float, float, float, float]
    score: float


@dataclass(frozen=True)
class _Shown:
    """Skeleton with its outline bool [h, w], its box in fractions, and its mean confidence."""

    pose: FoundPose
    outline: np.ndarray
    box: np.ndarray
    score: float


def pick(candidates: Sequence[np.ndarray], poses: Sequence[FoundPose], sure: float) -> Picked | None:
    """The skeleton and the silhouette that fit best.

    They fit each other, and the crop as `person_choice.weights` has it. candidates: regions uint8 [h, w], one or more.
    sure: confidence from which on a joint counts. None if there is no skeleton with a sure limb, or none that lies on a
    silhouette. A skeleton that its file names as the crop's comes before all others.
    """
    shown = [_shown(pose, candidates[0].shape, sure) for pose in poses]
    people = _distinct([one for one in shown if one is not None])
    if not people:
        return None
    named = [one for one in people if one.pose.target]
    silhouettes = [regions > 0 for regions in candidates]
    fits = np.array([[_iou(one.outline, person) for person in silhouettes] for one in named or people])
    best = fits.argmax(axis=1)
    values = _weights(named or people) * fits.max(axis=1)
    number = int(values.argmax())
    chosen, regions = (named or people)[number], candidates[best[number]]
    if _overlap(chosen.outline, regions > 0) < FITS:
        return None
    others = tuple(
        one.pose.keypoints for one in people if one is not chosen and _share(one.outline, regions > 0) >= WITHIN
    )
    clear = len(values) == 1 or bool(values[number] >= CLEAR * np.delete(values, number).max())
    left, top, right, bottom = (float(edge) for edge in chosen.box)
    return Picked(regions, chosen.pose.keypoints, others, len(people), clear, (left, top, right, bottom), chosen.score)


def _shown(pose: FoundPose, size: tuple[int, int], sure: float) -> _Shown | None:
    """None for a skeleton without a sure limb in the image."""
    height, width = size
    pixels = outline(pose.keypoints, sure, size)
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    if not len(rows):
        return None
    box = np.array([columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height])
    return _Shown(pose, pixels, box, float(pose.keypoints[:, 2].mean()))


def _distinct(shown: list[_Shown]) -> list[_Shown]:
    """Without the skeletons that show a person once more, in the order of the file. A named one is kept."""
    kept: list[int] = []
    unnamed = np.array([not one.pose.target for one in shown], bool)
    for number in np.lexsort((-_weights(shown), unnamed)).tolist():
        if all(_iou(shown[number].outline, shown[other].outline) <= SAME for other in kept):
            kept.append(number)
    return [shown[number] for number in sorted(kept)]


def _weights(shown: list[_Shown]) -> np.ndarray:
    boxes, scores = np.array([one.box for one in shown]).reshape(-1, 4), np.array([one.score for one in shown])
    return weights(boxes, scores)


def _iou(first: np.ndarray, second: np.ndarray) -> float:
    return _pixels(first & second) / max(1, _pixels(first | second))


def _share(limbs: np.ndarray, person: np.ndarray) -> float:
    """Share of the limbs that lies on the person."""
    return _pixels(limbs & person) / max(1, _pixels(limbs))


def _overlap(limbs: np.ndarray, person: np.ndarray) -> float:
    """Share of the limbs or of the person, the smaller one, that both have."""
    return _pixels(limbs & person) / max(1, min(_pixels(limbs), _pixels(person)))


def _pixels(mask: np.ndarray) -> int:
    return int(np.count_nonzero(mask))
