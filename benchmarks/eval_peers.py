"""What bench_eval holds evaluation against: bare products, part distances one by one, and made-up feature banks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from sorn.features import FeatureBank


@dataclass(frozen=True)
class Shape:
    """Of a dataset. persons: with queries; distractors: gallery images of nobody who is asked for. noise: of a feature
    around its person's, as a multiple of what tells persons apart; it decides how well the ranking works.
    """

    queries: int
    gallery: int
    persons: int
    distractors: int
    cameras: int
    width: int
    stripes: int
    noise: float


MARKET = Shape(3368, 15913, 750, 2798, 6, 2048, 0, 3.25)
OCCLUDED_DUKE = Shape(2210, 17661, 519, 8838, 8, 2048, 3, 5.0)


def bank(shape: Shape, images: int, distractors: int, seed: int) -> FeatureBank:
    """Random features around one centre per person; half of the stripes of a tenth of the images are hidden."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((shape.persons, shape.width), np.float32)
    pid = np.concatenate([rng.integers(1, shape.persons + 1, images - distractors), np.zeros(distractors, np.int64)])

    def features(*size: int) -> np.ndarray:
        made = rng.standard_normal((images, *size, shape.width), np.float32)
        made *= shape.noise
        for first in range(0, images - distractors, 4096):  # no second copy of what may be gigabytes
            rows = slice(first, min(first + 4096, images - distractors))
            made[rows] += centres[pid[rows] - 1].reshape(-1, *(1 for _ in size), shape.width)
        return made

    visibility = rng.uniform(0.2, 1, (images, shape.stripes)).astype(np.float32)
    occluded = rng.random(images) < 0.1
    visibility[occluded] *= rng.random((int(occluded.sum()), shape.stripes)) < 0.5
    local = features(shape.stripes) if shape.stripes else np.zeros((images, 0, shape.width), np.float32)
    names = np.char.add("image/", np.arange(images).astype(str))
    camid = rng.integers(1, shape.cameras + 1, images)
    return FeatureBank(features(), local, visibility, pid, camid, names)


def banks(shape: Shape) -> tuple[FeatureBank, FeatureBank]:
    return bank(shape, shape.queries, 0, 1), bank(shape, shape.gallery, shape.distractors, 2)


def concatenated(bank: FeatureBank) -> torch.Tensor:
    """[N, Dg + P * Dl], as the bare product takes it."""
    return torch.from_numpy(np.concatenate([bank.global_, bank.local.reshape(len(bank), -1)], axis=1))


def part_distances(query: FeatureBank, gallery: FeatureBank, tau: float) -> np.ndarray:
    """As part-based tools do it: one Euclidean distance matrix per part, all held at once, a mean over those that both
    images show; whole matrices all the way.
    """
    per_part, shown = [], []
    for part in range(1 + query.local.shape[1]):
        one, other = (b.global_ if part == 0 else b.local[:, part - 1] for b in (query, gallery))
        a, b = (torch.nn.functional.normalize(torch.from_numpy(x), dim=1) for x in (one, other))
        squares = a.pow(2).sum(1, keepdim=True) + b.pow(2).sum(1, keepdim=True).T
        per_part.append(squares.addmm_(a, b.T, alpha=-2).clamp_(min=1e-12).sqrt_())
        if part == 0:
            shown.append(torch.ones_like(squares))
        else:
            seen = (torch.from_numpy((x.visibility[:, part - 1] >= tau).astype(np.float32)) for x in (query, gallery))
            shown.append(torch.outer(*seen))
    distances, weights = torch.stack(per_part), torch.stack(shown)
    return ((distances * weights).sum(0) / weights.sum(0)).numpy()


def ranked_by_sorting(distance: np.ndarray, query: FeatureBank, gallery: FeatureBank) -> tuple[float, float]:
    """rank-1 and mAP as it is usually written: sort the whole gallery, then Python over every entry of the list."""
    order = np.argsort(distance, axis=1)
    first, precisions = [], []
    for i in range(len(query)):
        kept = ~((gallery.pid[order[i]] == query.pid[i]) & (gallery.camid[order[i]] == query.camid[i]))
        right = (gallery.pid[order[i]] == query.pid[i])[kept].astype(np.int32)
        if not right.any():
            continue
        first.append(right[0])
        precision = np.asarray([hits / (place + 1.0) for place, hits in enumerate(right.cumsum())]) * right
        precisions.append(precision.sum() / right.sum())
    return float(np.mean(first)), float(np.mean(precisions))
