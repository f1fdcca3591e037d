"""Candidates by FAISS: the nearest by the global feature, and nearly all of them in a large gallery."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.search.candidates import FLAT, candidates
from sorn.features import FeatureBank
from sorn.matching import largest, similarity_blocks
from sorn.rules import Rule

pytest.importorskip("faiss")


def random_bank(count: int, width: int, seed: int = 0, people: int = 0) -> FeatureBank:
    """people > 0: features around so many centres."""
    rng = np.random.default_rng(seed)
    whole = rng.normal(size=(count, width)).astype(np.float32)
    if people:
        centres = np.random.default_rng(1).normal(size=(people, width)).astype(np.float32)
        whole = centres[rng.integers(0, people, count)] + 0.7 * whole
    local = rng.normal(size=(count, 2, 4)).astype(np.float32)
    unknown = np.full(count, -1)
    return FeatureBank(
        whole, local, np.ones((count, 2), np.float32), unknown, unknown, np.array([f"{i}" for i in range(count)])
    )


def test_candidates_of_a_small_gallery_are_the_nearest_by_the_global_feature():
    bank, query = random_bank(200, 16), random_bank(5, 16, seed=9)
    cosine = (query.global_ / np.linalg.norm(query.global_, axis=1, keepdims=True)) @ (
        bank.global_ / np.linalg.norm(bank.global_, axis=1, keepdims=True)
    ).T
    for row, picked in zip(cosine, candidates(bank, "f").pick(query.global_, 17), strict=True):
        assert picked.tolist() == sorted(np.argsort(-row)[:17].tolist())
    assert [len(picked) for picked in candidates(bank, "f").pick(query.global_, 500)] == [200] * 5


def test_candidates_of_a_large_gallery_miss_little():
    bank, query = random_bank(FLAT + 1, 32, people=500), random_bank(20, 32, seed=9, people=500)
    index = candidates(bank, "f")
    assert index.index.nprobe > 1 and index.index.ntotal == FLAT + 1
    ((_, (exact,)),) = similarity_blocks(query, bank, [Rule("global")])
    picked = index.pick(query.global_, 200)
    assert np.mean([np.isin(largest(row, 10), found).mean() for row, found in zip(exact, picked, strict=True)]) > 0.95


@pytest.mark.parametrize("count", [300, FLAT + 1])
def test_of_equal_pictures_the_first_in_the_bank_are_candidates(count):
    bank, query = random_bank(count, 16, people=50), random_bank(25, 16, seed=9, people=50)
    copies = np.arange(40, 240)
    bank.global_[copies] = query.global_[3]
    for queries in (query.global_, query.global_[3:4]):
        picked = candidates(bank, "f").pick(queries, 30)[3 if len(queries) > 1 else 0]
        assert picked.tolist() == copies[:30].tolist()
    near = candidates(bank, "f").pick(query.global_[3:4] + np.float32(0.01) * query.global_[4:5], 230)[0]
    assert len(near) == 230 and set(copies) <= set(near)


def test_an_index_is_kept_for_its_features_and_made_anew_for_others(tmp_path):
    keep, bank, query = tmp_path / "candidates.h5", random_bank(50, 8), random_bank(1, 8, seed=3)
    expected = candidates(bank, "one", keep).pick(query.global_, 5)[0].tolist()
    other = random_bank(50, 8, seed=5)
    assert candidates(other, "one", keep).pick(query.global_, 5)[0].tolist() == expected  # read, not made
    assert candidates(other, "two", keep).pick(query.global_, 5)[0].tolist() != expected
    keep.write_bytes(b"damaged")
    assert candidates(bank, "one", keep).pick(query.global_, 5)[0].tolist() == expected
    assert [path.name for path in tmp_path.iterdir()] == ["candidates.h5"]
