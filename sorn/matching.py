"""Matching (Eq. 12-15, Algorithm 1): two feature banks -> similarities.

The similarities come in blocks of queries. The paper calls D a distance; it is a cosine similarity: larger is closer.
Equal features have equal similarities, alone or among others, wherever they stand (`sorn.products`). Beside the
variants of the paper there are those that compare part groups.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sorn.config import OF_PAPER, OF_PARTS, VARIANTS, check_choice
from sorn.features import FeatureBank
from sorn.parts import PART_TAU
from sorn.products import filled_up, product

NOTHING_IN_COMMON = -1.0
# Similarity of a pair without a common visible stripe or part group and without global features: the lowest cosine.

MEMORY = 192 << 20
# Bytes of similarities in memory at a time: as many queries as fit, against the whole gallery.

CHUNK = 4 << 20
# Bytes of gallery features that are normalised and multiplied at a time.


SecondWins = tuple[np.ndarray, list[np.ndarray]]
# Lines of the queries of a tile that have two views, int64 [m], and per rule where the second one is more similar, bool
# [m, n].


@dataclass(frozen=True)
class Rule:
    """Matching rule: a variant, and the thresholds of stripes and part groups.

    tau: of Eq. 12, for "sorn" and "sorn+parts". part_tau: least share of the image that a visible part group has, for
    the variants of OF_PARTS. exact: whether the visible stripes are those of the ground truth (`FeatureBank.exact`).
    """

    variant: str
    tau: float = 0.0
    part_tau: float = PART_TAU
    exact: bool = False

    def __post_init__(self) -> None:
        check_choice("variant", self.variant, VARIANTS)


def indicators(visibility: np.ndarray, tau: float) -> np.ndarray:
    """Visibility indicators I_p of Eq. 12: 1 where v_p >= tau, else 0.

    Visibility scores v_p [N, P] float32 -> [N, P] float32.
    """
    return (visibility >= np.float32(tau)).astype(np.float32)


def variants(bank: FeatureBank) -> tuple[str, ...]:
    """Matching variants that a bank allows.

    Of the paper's, only "global" without stripes, and all but "global" without global features. Those of part groups
    need a part branch, and "sorn+parts" also stripes.
    """
    stripes, parts = bank.local.shape[1] > 0, bank.part_features is not None
    found = OF_PAPER[:1] if not stripes else OF_PAPER if bank.global_.shape[1] else OF_PAPER[1:]
    return found + (OF_PARTS if stripes else OF_PARTS[:1]) if parts else found


def of_paper(bank: FeatureBank) -> str:
    """The paper's fullest variant that a bank allows."""
    return [name for name in variants(bank) if name in OF_PAPER][-1]


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

    The products D_global, D_1 ... D_P of unit vectors (Eq. 13, 14), and those of the part groups, are computed once,
    chunk by chunk of the gallery, and every rule combines them (Eq. 15). All variants and a sweep of tau then need the
    operations of one product of the concatenated features. A zero vector has similarity 0 to everything. Without
    stripes (P = 0) every variant of the paper is Eq. 13. Without global features (Dg = 0, "Local+Semantic" of Table I)
    the global term and its 1 leave Eq. 15; a pair without a common visible stripe or part group then gets
    NOTHING_IN_COMMON. A query with two views has the larger similarity of the two.

    device: where the products are computed; the features stay where they are. block: number of queries at a time; 0 for
    as many as MEMORY allows. Raises ValueError for "global" without global features, for a variant of part groups
    without their features, for exact stripes without ground truth, and for banks of different shapes.
    """
    size = block or block_size(len(query), len(gallery), len(rules))
    for rows, _, similarities, _ in similarity_tiles(query, gallery, rules, size, len(gallery), device):
        yield rows, similarities


def similarity_tiles(
    query: FeatureBank,
    gallery: FeatureBank,
    rules: Sequence[Rule],
    height: int,
    width: int,
    device: torch.device | str = "cpu",
) -> Iterator[tuple[slice, slice, list[np.ndarray], SecondWins | None]]:
    """Similarities of tiles of queries and gallery images.

    As `similarity_blocks`, with at most `height` queries by `width` gallery images: (queries, gallery images, per rule
    similarities, and which of them are of second views; None where no query of the tile has one). The whole gallery
    follows for the first queries, then for the next.
    """
    _require_answerable(query, gallery, rules)
    kinds = _Kinds(
        any(rule.variant not in ("global", "parts") for rule in rules),
        any(rule.variant in OF_PARTS for rule in rules),
    )
    similarity = torch.empty(len(rules), height, width)
    for rows in _slices(0, len(query), height):
        asked = _Units.of(query, rows, kinds, device)
        views = query.second and query.second.take(np.arange(rows.start, rows.stop))
        second = views and _Second(views.of, _Units.of(views.bank, slice(None), kinds, device), rules, width)
        for columns in _slices(0, len(gallery), width):
            for chunk in _slices(columns.start, columns.stop, _chunk(gallery)):
                ranked = _Units.of(gallery, chunk, kinds, device)
                place = slice(chunk.start - columns.start, chunk.stop - columns.start)
                for out, found in zip(similarity, _similarities(rules, asked, ranked), strict=True):
                    out[: len(asked), place] = found
                if second:
                    second.compete(similarity, place, ranked)
                gallery.forget()
            count = columns.stop - columns.start
            tile = [out[: len(asked), :count].numpy() for out in similarity]
            won = (second.of, [wins[:, :count].numpy() for wins in second.wins]) if second else None
            yield rows, columns, tile, won


def _similarities(rules: Sequence[Rule], asked: _Units, ranked: _Units) -> Iterator[Tensor]:
    """Similarities [b, n] under one rule after the other."""
    products = [product(a, b) for a, b in zip(asked.vectors, ranked.vectors, strict=True)]
    products = [one[: len(asked), : len(ranked)] for one in products]
    return (_combined(rule, products, asked, ranked).clamp(-1, 1) for rule in rules)


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


class _Kinds(NamedTuple):
    """Kinds of features that some rules compare, beside the global one."""

    stripes: bool
    parts: bool


@dataclass(frozen=True)
class _Units:
    """Unit vectors of some images, and which stripes and part groups they show.

    whole: global [m, Dg], if there is one. stripes: [m, Dl] each. parts: [m, Dp] each. m: n, rounded up to a multiple
    of ROWS; the rows beyond n are zero. visibility: v_p [n, P]. exact: those of the ground truth, [n, P], if there are
    any. shares: of the part groups, [n, G].
    """

    whole: list[Tensor]
    stripes: list[Tensor]
    parts: list[Tensor]
    visibility: Tensor
    exact: Tensor | None
    shares: Tensor

    @staticmethod
    def of(bank: FeatureBank, rows: slice, kinds: _Kinds, device: torch.device | str) -> _Units:
        def units(array: np.ndarray) -> Tensor:
            return filled_up(functional.normalize(torch.from_numpy(array).to(device), dim=1))

        found = bank.features
        return _Units(
            [units(found.global_[rows])] if found.global_.shape[1] else [],
            [units(found.local[rows, p]) for p in range(found.local.shape[1] if kinds.stripes else 0)],
            [units(found.part_features[rows, k]) for k in range(found.part_features.shape[1] if kinds.parts else 0)],
            torch.from_numpy(found.visibility[rows]).to(device),
            None if bank.exact is None else torch.from_numpy(bank.exact[rows]).to(device),
            torch.from_numpy(found.part_shares[rows]).to(device),
        )

    def __len__(self) -> int:
        return len(self.visibility)

    @property
    def vectors(self) -> list[Tensor]:
        return [*self.whole, *self.stripes, *self.parts]

    def weights(self, rule: Rule) -> Tensor:
        """Visibility indicators of what a rule compares [., n]: I_p of Eq. 12, and those of the part groups."""
        visibility = self.exact if rule.exact else self.visibility
        assert visibility is not None, "checked before the first tile"
        stripes = [visibility >= rule.tau] if rule.variant != "parts" else []
        parts = [self.shares >= rule.part_tau] if rule.variant in OF_PARTS else []
        return torch.cat([*stripes, *parts], dim=1).float().T


def _combined(rule: Rule, products: list[Tensor], asked: _Units, ranked: _Units) -> Tensor:
    """Similarities of Eq. 15 for one rule, [b, n].

    products: of `asked` and `ranked`, in the order of their vectors.
    """
    first_part = len(products) - len(asked.parts)
    whole = products[: len(asked.whole)]
    stripes, parts = products[len(whole) : first_part], products[first_part:]
    if rule.variant == "global+local":
        total = products[0].clone()
        for one in products[1:first_part]:
            total += one
        return total.div_(first_part)
    compared = {"sorn": stripes, "parts": parts, "sorn+parts": stripes + parts}.get(rule.variant, [])
    if not compared:
        return whole[0]
    seen, shown = asked.weights(rule), ranked.weights(rule)
    total = whole[0].clone() if whole else torch.zeros_like(compared[0])
    for one, of_query, of_gallery in zip(compared, seen, shown, strict=True):
        total.addcmul_(one * of_query[:, None], of_gallery[None])
    common = torch.addmm(torch.tensor(float(len(whole)), device=total.device), seen.T, shown)  # [b, n]
    total.div_(common.clamp(min=1.0))
    return total if whole else total.masked_fill_(common == 0, NOTHING_IN_COMMON)


class _Second:
    """Second views of the queries of a tile. of: lines of these. wins: where they are more similar."""

    def __init__(self, of: np.ndarray, units: _Units, rules: Sequence[Rule], width: int) -> None:
        self.of, self.units, self.rules = of, units, rules
        self.wins = torch.empty(len(rules), len(of), width, dtype=torch.bool)

    def compete(self, similarity: Tensor, place: slice, ranked: _Units) -> None:
        """Put the larger similarity into the columns `place`, per rule [b, n]."""
        for out, wins, found in zip(similarity, self.wins, _similarities(self.rules, self.units, ranked), strict=True):
            first, second = out[self.of, place], found.cpu()
            wins[:, place] = second > first
            out[self.of, place] = torch.maximum(first, second)


def _require_answerable(query: FeatureBank, gallery: FeatureBank, rules: Sequence[Rule]) -> None:
    if query.widths != gallery.widths:
        of_query, of_gallery = (" and ".join(map(str, bank.widths)) for bank in (query, gallery))
        raise ValueError(f"features of different networks: query {of_query}, gallery {of_gallery}")
    if query.global_.shape[1] == 0 and any(rule.variant == "global" for rule in rules):
        raise ValueError('variant "global" needs global features; this network has no global branch')
    if query.part_features is None and any(rule.variant in OF_PARTS for rule in rules):
        raise ValueError('variants "parts" and "sorn+parts" need part features; this network has no part branch')
    lacking = query.exact is None or gallery.exact is None or query.second is not None
    if lacking and any(rule.exact for rule in rules):
        raise ValueError("exact stripes need the scores of the ground truth; these banks have none")


def _chunk(gallery: FeatureBank) -> int:
    width = sum(math.prod(shape) for shape in gallery.widths)
    rows: int = max(64, CHUNK // (4 * max(1, width)))
    return rows


def _slices(start: int, stop: int, size: int) -> Iterator[slice]:
    for first in range(start, stop, size):
        yield slice(first, min(first + size, stop))
