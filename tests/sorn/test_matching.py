"""Eq. 11-15 by hand-computed values on tiny arrays, and the block product against a loop over pairs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from sorn import matching, vectors
from sorn.branches import visibility_scores
from sorn.config import OF_PAPER, OF_PARTS
from sorn.features import FeatureBank
from sorn.rules import Rule, indicators, of_paper, variants


def bank(
    global_: list | np.ndarray,
    local: list | np.ndarray,
    visibility: list | np.ndarray,
    parts: list | np.ndarray | None = None,
    shares: list | np.ndarray | None = None,
) -> FeatureBank:
    arrays = [np.array(a, dtype=np.float32) for a in (global_, local, visibility)]
    n = len(arrays[0])
    names = np.array([f"query/{i}.jpg" for i in range(n)])
    of_parts = [None if a is None else np.array(a, dtype=np.float32) for a in (parts, shares)]
    return FeatureBank(*arrays, np.arange(n), np.ones(n, np.int64), names, None, None, *of_parts)


def similarity(
    query: FeatureBank,
    gallery: FeatureBank,
    variant: str,
    tau: float = 0.15,
    block: int = 0,
    part_tau: float = 0.02,
) -> np.ndarray:
    blocks = matching.similarity_blocks(query, gallery, [Rule(variant, tau, part_tau)], block=block)
    return np.concatenate([values.copy() for _, (values,) in blocks])


# One query and one gallery image, P = 2: D_global = 0.6, D_1 = 1, D_2 = -0.8; lengths differ from 1 on purpose.
QUERY = bank([[2.0, 0.0]], [[[0.0, 3.0], [1.0, 0.0]]], [[0.5, 0.9]])
GALLERY = bank([[3.0, 4.0]], [[[0.0, 0.5], [-4.0, 3.0]]], [[0.4, 0.1]])


def test_eq_11_visibility_is_the_share_of_foreground_per_stripe() -> None:
    rows = torch.tensor([[1, 0], [0, 0], [7, 2], [3, 0], [0, 0], [0, 0]])
    parts = rows.repeat_interleave(2, dim=0)  # [12, 2]: a feature map of three rows, a stripe of four mask rows each
    logits = torch.nn.functional.one_hot(parts, 8).permute(2, 0, 1)[None].float()
    assert visibility_scores(logits, 3).tolist() == [[0.25, 0.75, 0.0]]


def test_eq_12_threshold_is_included() -> None:
    scores = np.array([[0.1499999, 0.15, 0.2]], dtype=np.float32)
    assert indicators(scores, 0.15).tolist() == [[0, 1, 1]]


def test_eq_13_global() -> None:
    assert similarity(QUERY, GALLERY, "global") == pytest.approx(np.array([[0.6]]))


def test_eq_14_and_15_with_every_indicator_one() -> None:
    assert similarity(QUERY, GALLERY, "global+local") == pytest.approx(np.array([[(0.6 + 1 - 0.8) / 3]]))


@pytest.mark.parametrize(
    ("tau", "expected"),
    [
        (0.05, (0.6 + 1 - 0.8) / 3),  # both stripes visible in both images
        (0.15, (0.6 + 1) / 2),  # the gallery's second stripe is hidden
        (0.45, 0.6),  # the query shows 0.5 and 0.9, the gallery nothing: the global feature decides alone
        (0.95, 0.6),
    ],
)
def test_eq_15_counts_stripes_visible_in_both(tau: float, expected: float) -> None:
    assert similarity(QUERY, GALLERY, "sorn", tau) == pytest.approx(np.array([[expected]]), abs=1e-6)


def test_no_global_feature_drops_the_global_term() -> None:
    """Local+Semantic of Table I: the mean over common stripes; nothing in common ranks below every cosine."""
    empty = np.zeros((1, 0))
    query, gallery = (bank(empty, b.local, b.visibility) for b in (QUERY, GALLERY))
    assert similarity(query, gallery, "global+local") == pytest.approx(np.array([[(1 - 0.8) / 2]]), abs=1e-6)
    assert similarity(query, gallery, "sorn", 0.15) == pytest.approx(np.array([[1.0]]))
    assert similarity(query, gallery, "sorn", 0.45).tolist() == [[matching.NOTHING_IN_COMMON]]
    assert variants(query) == ("global+local", "sorn")
    with pytest.raises(ValueError, match="no global branch"):
        similarity(query, gallery, "global")


def test_no_stripes_leave_the_global_similarity() -> None:
    query, gallery = (bank(b.global_, np.zeros((1, 0, 2)), np.zeros((1, 0))) for b in (QUERY, GALLERY))
    for variant in OF_PAPER:
        assert similarity(query, gallery, variant) == pytest.approx(np.array([[0.6]]))
    assert variants(query) == ("global",)


def test_zero_vector_is_similar_to_nothing() -> None:
    dark = bank([[0.0, 0.0]], [[[0.0, 0.0], [0.0, 0.0]]], [[1.0, 1.0]])
    for variant in OF_PAPER:
        assert similarity(dark, GALLERY, variant).tolist() == [[0.0]]


def random_bank(seed: int, n: int, groups: int = 0) -> FeatureBank:
    rng = np.random.default_rng(seed)
    visibility = rng.choice([0.0, 0.1, 0.15, 0.2, 1.0], (n, 3))
    values = rng.normal(size=(n, 5)), rng.normal(size=(n, 3, 4)), visibility
    if not groups:
        return bank(*values)
    return bank(*values, rng.normal(size=(n, groups, 6)), rng.choice([0.0, 0.01, 0.02, 0.3], (n, groups)))


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.mark.parametrize("block", [0, 1, 4, 256])
def test_product_agrees_with_a_loop_over_pairs(block: int) -> None:
    query, gallery = random_bank(0, 9), random_bank(1, 13)
    expected = np.empty((9, 13))
    for i, j in np.ndindex(9, 13):
        common = [p for p in range(3) if min(query.visibility[i, p], gallery.visibility[j, p]) >= np.float32(0.15)]
        stripes = [cosine(query.local[i, p], gallery.local[j, p]) for p in common]
        expected[i, j] = (cosine(query.global_[i], gallery.global_[j]) + sum(stripes)) / (1 + len(common))
    np.testing.assert_allclose(similarity(query, gallery, "sorn", 0.15, block), expected, atol=1e-6)


@pytest.mark.parametrize("block", [0, 4])
@pytest.mark.parametrize("with_global", [True, False])
@pytest.mark.parametrize(("variant", "stripes"), [("parts", False), ("sorn+parts", True)])
def test_part_groups_agree_with_a_loop_over_pairs(variant: str, stripes: bool, with_global: bool, block: int) -> None:
    query, gallery = random_bank(0, 9, groups=2), random_bank(1, 13, groups=2)
    if not with_global:
        query, gallery = (dataclasses.replace(one, global_=one.global_[:, :0]) for one in (query, gallery))
    expected = np.empty((9, 13))
    for i, j in np.ndindex(9, 13):
        values = [cosine(query.global_[i], gallery.global_[j])] if with_global else []
        for p in range(3 if stripes else 0):
            if min(query.visibility[i, p], gallery.visibility[j, p]) >= np.float32(0.15):
                values.append(cosine(query.local[i, p], gallery.local[j, p]))
        for k in range(2):
            if min(query.part_shares[i, k], gallery.part_shares[j, k]) >= np.float32(0.02):
                values.append(cosine(query.part_features[i, k], gallery.part_features[j, k]))
        expected[i, j] = np.mean(values) if values else matching.NOTHING_IN_COMMON
    assert with_global or (expected == matching.NOTHING_IN_COMMON).any()
    np.testing.assert_allclose(similarity(query, gallery, variant, 0.15, block), expected, atol=1e-6)


def test_part_groups_are_compared_where_a_network_has_them() -> None:
    with_parts, without = random_bank(0, 2, groups=2), random_bank(0, 2)
    assert variants(with_parts) == ("global", "global+local", "sorn", "parts", "sorn+parts")
    assert variants(without) == OF_PAPER
    alone = dataclasses.replace(with_parts, local=with_parts.local[:, :0], visibility=with_parts.visibility[:, :0])
    assert variants(alone) == ("global", "parts")
    assert [of_paper(one) for one in (with_parts, without, alone)] == ["sorn", "sorn", "global"]
    for variant in OF_PAPER:
        assert (similarity(with_parts, with_parts, variant) == similarity(without, without, variant)).all()
    with pytest.raises(ValueError, match="no part branch"):
        similarity(without, without, "parts")
    with pytest.raises(ValueError, match="different networks"):
        similarity(with_parts, without, "sorn")


def test_without_a_rule_nothing_is_compared() -> None:
    query, gallery = (bank(np.zeros((3, 0)), np.ones((3, 2, 4)), np.ones((3, 2))) for _ in range(2))
    assert [similarities for _, similarities in matching.similarity_blocks(query, gallery, [])] == [[]]


def test_features_of_64_bits_are_compared_as_those_of_32() -> None:
    query, gallery = random_bank(0, 9), random_bank(1, 13)
    wide = [
        dataclasses.replace(one, global_=one.global_.astype(np.float64), visibility=one.visibility.astype(np.float64))
        for one in (query, gallery)
    ]
    assert np.array_equal(similarity(*wide, "sorn"), similarity(query, gallery, "sorn"))


def test_blocks_come_in_query_order_and_cover_all() -> None:
    rules = [Rule("sorn", 0.15)]
    slices = [rows for rows, _ in matching.similarity_blocks(random_bank(0, 9), random_bank(1, 3), rules, block=4)]
    assert slices == [slice(0, 4), slice(4, 8), slice(8, 9)]


def test_bank_is_left_alone() -> None:
    query = random_bank(0, 3)
    before = query.local.copy()
    similarity(query, random_bank(1, 3), "sorn")
    assert (query.local == before).all()


def test_refuses_unknown_variant_and_banks_of_other_networks() -> None:
    with pytest.raises(ValueError, match="one of global, global\\+local, sorn"):
        similarity(QUERY, GALLERY, "semantic")
    with pytest.raises(ValueError, match="different networks"):
        similarity(QUERY, random_bank(0, 2), "sorn")


def test_several_rules_in_one_pass_are_each_rule_alone() -> None:
    query, gallery = random_bank(0, 9, groups=2), random_bank(1, 13, groups=2)
    rules = [Rule("global"), Rule("global+local"), *(Rule("sorn", tau) for tau in (0.0, 0.15, 0.5))]
    rules += [Rule(variant, 0.15, tau) for tau in (0.01, 0.1) for variant in OF_PARTS]
    for rows, together in matching.similarity_blocks(query, gallery, rules, block=4):
        for rule, found in zip(rules, together, strict=True):
            alone = similarity(query, gallery, rule.variant, rule.tau, 4, rule.part_tau)
            assert (found == alone[rows]).all()


def test_gallery_in_chunks_is_the_gallery(monkeypatch: pytest.MonkeyPatch) -> None:
    query, gallery = random_bank(0, 9), random_bank(1, 200)
    monkeypatch.setattr(vectors, "FEWEST", 1024)
    whole = similarity(query, gallery, "sorn")
    monkeypatch.setattr(vectors, "CHUNK", 1)  # the least number of rows: 16
    np.testing.assert_allclose(similarity(query, gallery, "sorn"), whole, atol=1e-6)


@pytest.mark.parametrize(
    ("queries", "gallery", "rules"), [(3368, 15913, 1), (10, 1, 3), (1000, 10**6, 1), (1, 10**9, 9)]
)
def test_blocks_fill_the_memory_and_no_more(queries: int, gallery: int, rules: int) -> None:
    size = matching.block_size(queries, gallery, rules)
    assert 1 <= size <= queries
    assert size == 1 or 4 * size * gallery * rules <= matching.MEMORY
    assert size == queries or 4 * 2 * (size + 1) * gallery * rules > matching.MEMORY


@pytest.mark.parametrize(("threads", "chunk"), [(1, 64), (2, 64), (2, 256)])
@pytest.mark.parametrize("width", [24, 300, 2048])
def test_equal_features_have_equal_similarities_wherever_they_stand(
    width: int, threads: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query alone and among others, a gallery image in any place of galleries of any size, all rules: one number."""
    rng, before = np.random.default_rng(width), torch.get_num_threads()
    kinds = [rng.standard_normal(shape) for shape in ((2, width), (2, 2, width))]
    seen, of_parts = np.array([[0.5, 0.9], [0.4, 0.1]]), rng.standard_normal((2, 1, width))
    everything = (*kinds, seen, of_parts, np.array([[0.1], [0.2]]))
    rules = [Rule("global"), Rule("global+local"), *(Rule(name, 0.15) for name in ("sorn", "parts", "sorn+parts"))]
    monkeypatch.setattr(vectors, "FEWEST", chunk)
    found: dict[tuple[str, int], set[float]] = {}
    torch.set_num_threads(threads)
    try:
        for queries in (1, 2, 7, 17):
            for images in (1, 2, 15, 100, chunk + 1, 2 * chunk + 37):
                which = rng.integers(0, 2, images)
                query = bank(*(np.repeat(values[:1], queries, axis=0) for values in everything))
                gallery = bank(*(values[which] for values in everything))
                for _, similarities in matching.similarity_blocks(query, gallery, rules, block=7):
                    for rule, values in zip(rules, similarities, strict=True):
                        for kind in (0, 1):
                            found.setdefault((rule.variant, kind), set()).update(values[:, which == kind].ravel())
    finally:
        torch.set_num_threads(before)
    assert {key: len(values) for key, values in found.items()} == dict.fromkeys(found, 1)
    assert len(found) == 10


def test_no_similarity_is_beyond_one() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((500, 96)), rng.standard_normal((500, 3, 64)), np.ones((500, 3))
    some = bank(*values)
    opposite = bank(-values[0], -values[1], values[2])
    for rule in (Rule("global"), Rule("global+local"), Rule("sorn", 0.15)):
        own = np.diag(similarity(some, some, rule.variant))
        assert own.max() <= 1 and own == pytest.approx(np.ones(500))
        assert similarity(some, opposite, rule.variant).min() >= -1


def test_the_best_of_a_row_are_those_of_a_stable_sort():
    rng = np.random.default_rng(0)
    for top in (1, 4, 19, 20, 50):
        row = rng.integers(0, 6, 20).astype(np.float32)
        assert matching.largest(row, top).tolist() == np.argsort(-row, kind="stable")[:top].tolist()
