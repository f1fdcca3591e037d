"""Similarities of single pairs by stripe and part group (Eq. 13 and 14)."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from random_banks import bank

from sorn.features import FeatureBank
from sorn.pair_details import pair_details
from sorn.rules import Rule

RULE = Rule("sorn", 0.15)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def with_parts(seed: int, images: int) -> FeatureBank:
    rng = np.random.default_rng(seed)
    features, shares = rng.normal(size=(images, 2, 5)), rng.random((images, 2))
    parts = {"part_features": features.astype(np.float32), "part_shares": shares.astype(np.float32)}
    return dataclasses.replace(bank(seed, images), **parts)


def test_they_are_cosines_of_each_feature() -> None:
    query, gallery, positions = with_parts(0, 2), with_parts(1, 3), np.array([2, 0])
    assert query.part_features is not None and gallery.part_features is not None
    found = pair_details(query, 1, gallery, positions, RULE)
    for i, j in enumerate(positions):
        assert found.whole[i] == pytest.approx(cosine(query.global_[1], gallery.global_[j]))
        stripes = [cosine(query.local[1, p], gallery.local[j, p]) for p in range(3)]
        assert found.stripes[i] == pytest.approx(stripes, abs=1e-6)
        parts = [cosine(query.part_features[1, k], gallery.part_features[j, k]) for k in (0, 1)]
        assert found.parts[i] == pytest.approx(parts, abs=1e-6)
        assert (found.visibility[i] == query.visibility[1]).all() and not found.second[i]


def test_what_a_network_does_not_have_is_left_out() -> None:
    query, gallery = bank(0, 2), bank(1, 3)
    assert pair_details(query, 1, gallery, np.array([2, 0]), RULE).parts.shape == (2, 0)
    local = [dataclasses.replace(one, global_=one.global_[:, :0]) for one in (query, gallery)]
    assert np.isnan(pair_details(local[0], 0, local[1], np.array([0]), RULE).whole).all()


def test_no_similarity_is_beyond_one() -> None:
    some = bank(0, 500)
    opposite = dataclasses.replace(some, global_=-some.global_, local=-some.local)
    for number in range(3):
        own, other = (pair_details(some, number, one, np.arange(500), RULE) for one in (some, opposite))
        assert max(own.whole.max(), own.stripes.max()) <= 1 and min(other.whole.min(), other.stripes.min()) >= -1
