"""Matching (Eq. 12-15, Algorithm 1): two feature banks -> similarities.

The similarities come in blocks of queries. The paper calls D a distance; it is a cosine similarity: larger is closer.
Equal features have equal similarities, alone or among others, wherever they stand: the shape of a matrix product does
not change its sums here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sorn.config import check_choice
from sorn.features import FeatureBank

VARIANTS = ("global", "global+local", "sorn")
# Table II. "global": Eq. 13 alone. "global+local": Eq. 15 with every indicator 1. "sorn": Eq. 15.

NOTHING_IN_COMMON = -1.0
# Similarity of a pair without a common visible stripe and without global features: the lowest cosine.

MEMORY = 384 << 20
# Bytes of similarities in memory at a time: as many queries as fit, against the whole gallery.

CHUNK = 4 << 20
# Bytes of gallery features that are normalised and multiplied at a time.

ROWS = 16
# Both factors of a product are filled up with zeros to a multiple of so many rows: BLAS has other kernels for fewer.

TERMS = 512
# A product is added up from products of so many columns. In longer ones, BLAS chooses by the shape where it interrupts
# a sum, and so how it is rounded.


@dataclass(frozen=True)
class Rule:
    """Matching rule: a variant and the threshold tau of Eq. 12.

    Only the variant "sorn" uses the threshold.
    """

    variant: str
    tau: float = 0.0

    def __post_init__(self) -> None:
        check_choice("variant", self.variant, VARIANTS)


def indicators(visibility: np.ndarray, tau: float) -> np.ndarray:
    """Visibility indicators I_p of Eq. 12: 1 where v_p >= tau, else 0.

    Visibility scores v_p [N, P] float32 -> [N, P] float32.
    """
    return (visibility >= np.float32(tau)).astype(np.float32)


def variants(bank: FeatureBank) -> tuple[str, ...]:
    """Matching variants that a bank allows.

    Without stripes only "global"; without global features all but "global".
    """
    if bank.local.shape[1] == 0:
        return VARIANTS[:1]
    return VARIANTS if bank.global_.shape[1] else VARIANTS[1:]


def similarity_blocks(
    query: FeatureBank,
    gallery: FeatureBank,
    rules: Sequence[Rule],
    device: torch.device | str = "cpu",
    block: int = 0,
) -> Iterator[tuple[slice, list[np.ndarray]]]:
    """Similarities of blocks of queries with the whole gallery.

    Yields (slice of queries, per rule similarities [b, Ng] float32) in the order of the queries. The arrays are valid
    until the next block is asked for.

    The products D_global, D_1 ... D_P of unit vectors (Eq. 13, 14) are computed once, chunk by chunk of the gallery,
    and every rule combines them (Eq. 15). Three variants and a sweep of tau then need the operations of one product of
    the concatenated features. A zero vector has similarity 0 to everything. Without stripes (P = 0) every variant is
    Eq. 13. Without global features (Dg = 0, "Local+Semantic" of Table I) the global term and its 1 leave Eq. 15; a pair
    without a common visible stripe then gets NOTHING_IN_COMMON.

    device: where the products are computed; the features stay where they are. block: number of queries at a time; 0 for
    as many as MEMORY allows. Raises ValueError for "global" without global features, and for banks of different shapes.
    """
    if query.global_.shape[1:] != gallery.global_.shape[1:] or query.local.shape[1:] != gallery.local.shape[1:]:
        raise ValueError(
            f"features of different networks: query {query.global_.shape[1:]} and {query.local.shape[1:]}, "
            f"gallery {gallery.global_.shape[1:]} and {gallery.local.shape[1:]}"
        )
    if query.global_.shape[1] == 0 and any(rule.variant == "global" for rule in rules):
        raise ValueError('variant "global" needs global features; this network has no global branch')
    size = block or block_size(len(query), len(gallery), len(rules))
    for rows, _, similarities in similarity_tiles(query, gallery, rules, size, len(gallery), device):
        yield rows, similarities


def similarity_tiles(
    query: FeatureBank,
    gallery: FeatureBank,
    rules: Sequence[Rule],
    height: int,
    width: int,
    device: torch.device | str = "cpu",
) -> Iterator[tuple[slice, slice, list[np.ndarray]]]:
    """Similarities of tiles of queries and gallery images.

    As `similarity_blocks`, with at most `height` queries by `width` gallery images: (queries, gallery images, per rule
    similarities). The whole gallery follows for the first queries, then for the next.
    """
    with_stripes = any(rule.variant != "global" for rule in rules)
    similarity = torch.empty(len(rules), height, width)
    for rows in _slices(0, len(query), height):
        asked = _Units.of(query, rows, with_stripes, device)
        for columns in _slices(0, len(gallery), width):
            for chunk in _slices(columns.start, columns.stop, _chunk(gallery)):
                ranked = _Units.of(gallery, chunk, with_stripes, device)
                products = [_product(a, b) for a, b in zip(asked.vectors, ranked.vectors, strict=True)]
                products = [product[: len(asked), : len(ranked)] for product in products]
                place = slice(chunk.start - columns.start, chunk.stop - columns.start)
                for rule, out in zip(rules, similarity, strict=True):
                    out[: len(asked), place] = _combined(rule, products, asked, ranked).clamp(-1, 1)
            yield rows, columns, [out[: len(asked), : columns.stop - columns.start].numpy() for out in similarity]


def largest(row: np.ndarray, count: int) -> np.ndarray:
    """Positions of the `count` largest values of row [n], largest first, int64.

    Equal values keep their order.
    """
    if count < len(row):
        near = np.flatnonzero(row >= np.partition(row, len(row) - count)[len(row) - count])
    else:
        near = np.arange(len(row))
    return near[np.argsort(-row[near], kind="stable")][:count]


def block_size(queries: int, gallery: int, rules: int) -> int:
    """Number of queries whose similarities fit into MEMORY together.

    All blocks get about the same size.
    """
    most = max(1, MEMORY // max(1, 4 * gallery * rules))
    blocks = -(-queries // most)
    return -(-queries // blocks) if queries else 1


def pair_similarities(
    query: FeatureBank, number: int, gallery: FeatureBank, positions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Similarities of one query with some gallery images (Eq. 13 and 14).

    D_global [n] float32 (nan without a global feature) and D_p [n, P] float32.
    """

    def cosine(one: np.ndarray, others: np.ndarray) -> np.ndarray:
        units = (functional.normalize(torch.from_numpy(a), dim=-1) for a in (one, others))
        similarity: np.ndarray = torch.linalg.vecdot(*units).clamp_(-1, 1).numpy()
        return similarity

    if query.global_.shape[1]:
        whole = cosine(query.global_[number][None], gallery.global_[positions])
    else:
        whole = np.full(len(positions), np.nan, np.float32)
    return whole, cosine(query.local[number][None], gallery.local[positions])


@dataclass(frozen=True)
class _Units:
    """Unit vectors of some images, and their visibility scores.

    Global [m, Dg] if there is one, then one [m, Dl] per stripe; scores v_p [n, P]. m: n, rounded up to a multiple of
    ROWS; the rows beyond n are zero.
    """

    vectors: list[Tensor]
    with_global: bool
    visibility: Tensor

    @staticmethod
    def of(bank: FeatureBank, rows: slice, with_stripes: bool, device: torch.device | str) -> _Units:
        with_global = bank.global_.shape[1] > 0
        arrays = [bank.global_[rows]] if with_global else []
        if with_stripes:
            arrays += [bank.local[rows, p] for p in range(bank.local.shape[1])]
        vectors = [_filled_up(functional.normalize(torch.from_numpy(array).to(device), dim=1)) for array in arrays]
        return _Units(vectors, with_global, torch.from_numpy(bank.visibility[rows]).to(device))

    def __len__(self) -> int:
        return len(self.visibility)

    def weights(self, tau: float) -> Tensor:
        """Visibility indicators I_p [P, n] of Eq. 12."""
        return (self.visibility >= tau).float().T


def _filled_up(vectors: Tensor) -> Tensor:
    """[n, D] -> [m, D], the next multiple of ROWS."""
    more = -len(vectors) % ROWS
    return functional.pad(vectors, (0, 0, 0, more)) if more else vectors


def _product(a: Tensor, b: Tensor) -> Tensor:
    """a @ b.T of [m, D] and [n, D], m and n multiples of ROWS: entry i, j depends on row i and row j alone."""
    product: Tensor = a[:, :TERMS] @ b[:, :TERMS].T
    for first in range(TERMS, a.shape[1], TERMS):
        product.addmm_(a[:, first : first + TERMS], b[:, first : first + TERMS].T)
    return product


def _combined(rule: Rule, products: list[Tensor], asked: _Units, ranked: _Units) -> Tensor:
    """Similarities of Eq. 15 for one rule, [b, n].

    products: of `asked` and `ranked`, in the order of their vectors.
    """
    whole, stripes = (products[:1], products[1:]) if asked.with_global else ([], products)
    if rule.variant == "global" or not stripes:
        return whole[0]
    if rule.variant == "global+local":
        total = products[0].clone()
        for product in products[1:]:
            total += product
        return total.div_(len(products))
    seen, shown = asked.weights(rule.tau), ranked.weights(rule.tau)
    total = whole[0].clone() if whole else torch.zeros_like(stripes[0])
    for product, of_query, of_gallery in zip(stripes, seen, shown, strict=True):
        total.addcmul_(product * of_query[:, None], of_gallery[None])
    common = torch.addmm(torch.tensor(float(asked.with_global), device=total.device), seen.T, shown)  # [b, n]
    total.div_(common.clamp(min=1.0))
    return total if whole else total.masked_fill_(common == 0, NOTHING_IN_COMMON)


def _chunk(gallery: FeatureBank) -> int:
    width = gallery.global_.shape[1] + gallery.local.shape[1] * gallery.local.shape[2]
    rows: int = max(64, CHUNK // (4 * max(1, width)))
    return rows


def _slices(start: int, stop: int, size: int) -> Iterator[slice]:
    for first in range(start, stop, size):
        yield slice(first, min(first + size, stop))
