"""Choice of one person among those detected in a crop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sorn.sample import Status


@dataclass(frozen=True)
class Choice:
    """The chosen person.

    number: its position among the detections. people: how many there were. box: (left, top, right, bottom) in fractions
    of the image, within it. score: the detector's.
    """

    number: int
    people: int
    box: tuple[float, float, float, float]
    score: float


def choose(boxes: np.ndarray, scores: np.ndarray) -> Choice | None:
    """The person of the greatest weight, see `weights`.

    The first of equals; None without detections. boxes: [n, 4] in fractions of the image's width and height; scores:
    [n] in [0, 1]. People are never united.
    """
    if len(boxes) == 0:
        return None
    best = int(weights(boxes, scores).argmax())
    left, top, right, bottom = (float(edge) for edge in boxes[best].astype(np.float64).clip(0, 1))
    return Choice(best, len(boxes), (left, top, right, bottom), float(scores[best]))


def weights(boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Weight of each person: score x overlap x centrality, float64 [n].

    boxes, scores: as for `choose`. Overlap is the share of the image that the box covers, centrality 1 - |2 x - 1| for
    the x of its middle: a crop was cut around its person. The height of the middle means nothing: what is left of an
    occluded person may lie anywhere.
    """
    within = boxes.astype(np.float64).clip(0, 1)
    width, height = within[:, 2] - within[:, 0], within[:, 3] - within[:, 1]
    centrality = 1 - np.abs(within[:, 0] + within[:, 2] - 1)
    found: np.ndarray = scores * width * height * centrality
    return found


def status_of(people: int, image_height: int, low_resolution: int) -> Status:
    """Status of an image with a labelled person.

    image_height, low_resolution: in pixels of the original image. LOW_RESOLUTION comes before SEVERAL_PEOPLE: it doubts
    the label, and Sample.people gives the number in any case.
    """
    if image_height < low_resolution:
        return Status.LOW_RESOLUTION
    return Status.SEVERAL_PEOPLE if people > 1 else Status.OK
