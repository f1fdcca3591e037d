"""Tracks: features of several frames as those of one image."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sorn.features import FeatureBank


def track_bank(bank: FeatureBank, tracks: Mapping[str, str], tau: float, part_tau: float) -> FeatureBank:
    """Bank with one row per track.

    Tracks are in the order of their first frames. tracks: name of an image -> its track; an image without one stays
    alone. Features are means of unit vectors over the frames. Those of a stripe are over the frames where it is visible
    (v_p >= tau), over all if it is hidden in all; its score is the largest one, so a stripe counts if one frame shows
    it. The same for part groups with part_tau. Name, pid and camid are those of the first frame. Scores of keypoints
    and of a segmenter are left out.
    """
    keys = [tracks.get(str(name), f"/{name}") for name in bank.name]
    number_of: dict[str, int] = {}
    number = np.array([number_of.setdefault(key, len(number_of)) for key in keys], np.int64)
    order = np.argsort(number, kind="stable")
    starts = np.searchsorted(number[order], np.arange(len(number_of)))
    first = order[starts]

    def means(vectors: np.ndarray, scores: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
        """Means [T, P, D] of [N, P, D] over the frames that show a stripe, and largest scores [T, P]."""
        shown = (scores >= np.float32(least)).astype(np.float32)
        nowhere = np.maximum.reduceat(shown[order], starts, axis=0)[number] == 0
        weight = np.where(nowhere, np.float32(1), shown)[order]
        total = np.add.reduceat(_units(vectors)[order] * weight[..., None], starts, axis=0)
        return total / np.add.reduceat(weight, starts, axis=0)[..., None], np.maximum.reduceat(
            scores[order], starts, axis=0
        )

    always = np.ones((len(bank), 1), np.float32)
    whole, _ = means(bank.global_[:, None], always, 0)
    local, visibility = means(bank.local, bank.visibility, tau)
    parts: tuple[np.ndarray, np.ndarray] | tuple[None, None] = (None, None)
    if bank.part_features is not None and bank.part_shares is not None:
        parts = means(bank.part_features, bank.part_shares, part_tau)
    return FeatureBank(
        whole[:, 0], local, visibility, bank.pid[first], bank.camid[first], bank.name[first], None, None, *parts
    )


def _units(vectors: np.ndarray) -> np.ndarray:
    """Vectors of length 1 over the last axis; a zero vector stays zero."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32(1e-12)))
