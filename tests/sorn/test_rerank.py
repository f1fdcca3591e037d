"""Re-ranking against a slow reference that holds whole matrices and follows the paper's Section 3 step by step."""

from __future__ import annotations

import numpy as np
import pytest

from sorn.features import FeatureBank
from sorn.matching import similarity_blocks
from sorn.rerank import Reranking, reranked_blocks
from sorn.rules import Rule

RULE = Rule("sorn", 0.15)


def people(seed: int, images: int, persons: int = 12) -> FeatureBank:
    """Noisy images of a few persons, some stripes hidden."""
    centre = np.random.default_rng(99).normal(size=(persons, 8 + 3 * 6)).astype(np.float32)
    rng = np.random.default_rng(seed)
    pid = rng.integers(0, persons, images)
    features = centre[pid] + 0.6 * rng.normal(size=(images, centre.shape[1])).astype(np.float32)
    visibility = rng.choice([0.0, 0.5], (images, 3), p=[0.3, 0.7]).astype(np.float32)
    names = np.array([f"{seed}/{i}.jpg" for i in range(images)])
    local = np.ascontiguousarray(features[:, 8:]).reshape(images, 3, 6)
    return FeatureBank(features[:, :8], local, visibility, pid, np.zeros(images, np.int64), names)


def joined(a: FeatureBank, b: FeatureBank) -> FeatureBank:
    fields = ("global_", "local", "visibility", "pid", "camid", "name")
    return FeatureBank(*(np.concatenate([getattr(a, field), getattr(b, field)]) for field in fields))


def dense(query: FeatureBank, gallery: FeatureBank, rule: Rule) -> np.ndarray:
    return np.concatenate([block.copy() for _, (block,) in similarity_blocks(query, gallery, [rule])])


def reference(query: FeatureBank, gallery: FeatureBank, options: Reranking) -> np.ndarray:
    both = joined(query, gallery)
    distance = 1 - dense(both, both, RULE).astype(np.float64)
    n = len(both)
    order = np.argsort(distance, axis=1)

    def reciprocal(i: int, k: int) -> set[int]:
        return {int(j) for j in order[i, : k + 1] if i in order[j, : k + 1]}

    described = np.zeros((n, n))
    for i in range(n):
        own = reciprocal(i, options.k1)
        everything = set(own)
        for j in own:
            other = reciprocal(j, round(options.k1 / 2))
            if len(other & own) > 2 / 3 * len(other):
                everything |= other
        for j in everything:
            described[i, j] = np.exp(-distance[i, j])
        described[i] /= described[i].sum()
    described = np.stack([described[order[i, : options.k2]].mean(axis=0) for i in range(n)])
    final = np.empty((len(query), len(gallery)))
    for i in range(len(query)):
        for j in range(len(gallery)):
            a, b = described[i], described[len(query) + j]
            jaccard = 1 - np.minimum(a, b).sum() / np.maximum(a, b).sum()
            final[i, j] = (1 - options.weight) * jaccard + options.weight * distance[i, len(query) + j]
    return final


@pytest.mark.parametrize("options", [Reranking(k1=8, k2=3), Reranking(k1=5, k2=1, weight=0.0), Reranking()])
def test_agrees_with_the_reference(options: Reranking) -> None:
    query, gallery = people(0, 17), people(1, 60)
    blocks = list(reranked_blocks(query, gallery, RULE, options))
    assert blocks[0][0].start == 0 and blocks[-1][0].stop == 17
    found = np.concatenate([block for _, block in blocks])
    np.testing.assert_allclose(1 - found, reference(query, gallery, options), atol=2e-6)


def test_weight_one_is_the_similarity_as_it_was() -> None:
    query, gallery = people(0, 5), people(1, 30)
    ((_, found),) = reranked_blocks(query, gallery, RULE, Reranking(k1=5, k2=2, weight=1.0))
    np.testing.assert_allclose(found, dense(query, gallery, RULE), atol=1e-6)


def test_fewer_images_than_neighbours() -> None:
    ((rows, found),) = reranked_blocks(people(0, 2), people(1, 3), RULE, Reranking())
    assert rows == slice(0, 2) and found.shape == (2, 3) and np.isfinite(found).all()


def test_equal_pictures_stay_in_their_order() -> None:
    query, gallery = people(1, 4), people(2, 60)
    copies = gallery.take(np.array([*range(60), *[5] * 5, 7]))
    ((_, similarity),) = reranked_blocks(query, copies, RULE, Reranking(k1=8, k2=3))
    for row in similarity:
        assert len(set(row[[5, *range(60, 65)]])) == 1 == len(set(row[[7, 65]]))
    many = gallery.take(np.array([*range(60), *[5] * 40]))  # more than k1: they cannot all be neighbours of each other
    ((_, similarity),) = reranked_blocks(query, many, RULE, Reranking(k1=8, k2=3))
    for row in similarity:
        assert (np.diff(row[[5, *range(60, 100)]]) <= 0).all()
