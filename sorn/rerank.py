"""Re-ranking by k-reciprocal neighbours, on the similarity of any matching rule. Zhong et al., CVPR 2017, Section 3.

Two images that have each other among their nearest are likely of one person, and so are two whose reciprocal neighbours
are the same images. Distances here are 1 - similarity. Beyond the features, memory holds one block of similarities and
some hundred numbers per image.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from sorn.features import FeatureBank
from sorn.matching import Rule, block_size, largest, similarity_blocks

NOBODY = -1  # fills the rows of neighbour lists that are shorter than others


@dataclass(frozen=True)
class Reranking:
    """k1: neighbours that are looked at. k2: nearest images whose descriptions are averaged. weight: share of the
    distance as it was, beside the Jaccard distance of the neighbours. The defaults are those of the paper.
    """

    k1: int = 20
    k2: int = 6
    weight: float = 0.3


@dataclass(frozen=True)
class SparseRows:
    """A sparse matrix: row i holds `values[start[i]:start[i + 1]]` at the columns `columns[start[i]:start[i + 1]]`."""

    start: np.ndarray
    columns: np.ndarray
    values: np.ndarray

    @staticmethod
    def of(columns: list[np.ndarray], values: list[np.ndarray]) -> SparseRows:
        start = np.concatenate([[0], np.cumsum([len(row) for row in columns])])
        return SparseRows(start, np.concatenate(columns), np.concatenate(values))

    def row(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        part = slice(self.start[i], self.start[i + 1])
        return self.columns[part], self.values[part]

    def transposed(self, columns: int, first: int) -> SparseRows:
        """Of the rows from `first` on, numbered from 0: one row per column."""
        part = slice(self.start[first], None)
        numbers = np.repeat(np.arange(len(self.start) - 1 - first), np.diff(self.start[first:]))
        order = np.argsort(self.columns[part], kind="stable")
        start = np.concatenate([[0], np.cumsum(np.bincount(self.columns[part], minlength=columns))])
        return SparseRows(start, numbers[order], self.values[part][order])


def reranked_blocks(
    query: FeatureBank, gallery: FeatureBank, rule: Rule, options: Reranking, device: torch.device | str = "cpu"
) -> Iterator[tuple[slice, np.ndarray]]:
    """As `matching.similarity_blocks` for one rule: (slice of queries, 1 - the combined distance [b, Ng] float32).

    Image i of the union is query i, or gallery image i - Nq. Raises ValueError as `similarity_blocks` does.
    """
    nearest = np.concatenate([found for _, found in _nearest(query, gallery, rule, options.k1 + 1, device)])
    neighbours = _expanded(nearest, options.k1)
    described = _averaged(_described(query, gallery, rule, neighbours, device), nearest[:, : options.k2])
    who_has = described.transposed(len(nearest), first=len(query))
    for rows, (similarity,) in similarity_blocks(query, gallery, [rule], device):
        for number, row in zip(range(rows.start, rows.stop), similarity, strict=True):
            shared = _shared(*described.row(number), who_has, len(gallery))
            jaccard = 1 - shared / (2 - shared)  # both descriptions sum to 1: the union's sum is 2 - shared
            row *= options.weight
            row += (1 - options.weight) * (1 - jaccard)
        yield rows, similarity


def _all_rows(
    query: FeatureBank, gallery: FeatureBank, rule: Rule, device: torch.device | str
) -> Iterator[tuple[int, np.ndarray]]:
    """(first image, similarities [b, Nq + Ng]) of all images of the union with all of them."""
    for bank, offset in ((query, 0), (gallery, len(query))):
        size = block_size(len(bank), len(query) + len(gallery), 2)  # the two parts, and both side by side
        parts = (similarity_blocks(bank, other, [rule], device, size) for other in (query, gallery))
        for (rows, (left,)), (_, (right,)) in zip(*parts, strict=True):
            yield offset + rows.start, np.concatenate([left, right], axis=1)


def _nearest(
    query: FeatureBank, gallery: FeatureBank, rule: Rule, count: int, device: torch.device | str
) -> Iterator[tuple[int, np.ndarray]]:
    """The most similar images of every image, itself first as a rule, equals in their order: int64 [b, count]."""
    count = min(count, len(query) + len(gallery))
    for first, similarity in _all_rows(query, gallery, rule, device):
        yield first, np.stack([largest(row, count) for row in similarity])


def _reciprocal(nearest: np.ndarray, count: int) -> np.ndarray:
    """R(i, count): of the `count` nearest images and itself those that see i as near; others NOBODY. [N, count + 1]."""
    nearest = nearest[:, : count + 1]
    found = np.empty_like(nearest)
    for first in range(0, len(nearest), 4096):
        rows = nearest[first : first + 4096]
        mutual = (nearest[rows] == np.arange(first, first + len(rows))[:, None, None]).any(axis=2)
        found[first : first + 4096] = np.where(mutual, rows, NOBODY)
    return found


def _expanded(nearest: np.ndarray, k1: int) -> list[np.ndarray]:
    """R*(i, k1), rising: R(i, k1), and the R(j, k1 / 2) of those j in it that share more than two thirds with it."""
    whole, half = _reciprocal(nearest, k1), _reciprocal(nearest, round(k1 / 2))
    sets = []
    for row in whole:
        own = row[row != NOBODY]
        others = half[own]  # [n, k1 / 2 + 1]
        known = others != NOBODY
        shared = np.isin(others, own) & known
        close = 3 * shared.sum(axis=1) > 2 * known.sum(axis=1)
        sets.append(np.unique(np.concatenate([own, others[close][known[close]]])))
    return sets


def _described(
    query: FeatureBank, gallery: FeatureBank, rule: Rule, neighbours: list[np.ndarray], device: torch.device | str
) -> SparseRows:
    """Every image by its neighbours: exp(-distance), divided by their sum; 0 for all others."""
    values = []
    for first, similarity in _all_rows(query, gallery, rule, device):
        for row, columns in zip(similarity, neighbours[first:], strict=False):
            weights = np.exp(row[columns].astype(np.float64) - 1)
            values.append(weights / weights.sum())
    return SparseRows.of(neighbours, values)


def _averaged(described: SparseRows, nearest: np.ndarray) -> SparseRows:
    """The mean description of each image's nearest ones. nearest: int64 [N, k2]."""
    columns, values = [], []
    for row in nearest:
        parts = [described.row(i) for i in row]
        found, place = np.unique(np.concatenate([part[0] for part in parts]), return_inverse=True)
        columns.append(found)
        values.append(np.bincount(place, np.concatenate([part[1] for part in parts])) / len(row))
    return SparseRows.of(columns, values)


def _shared(columns: np.ndarray, values: np.ndarray, who_has: SparseRows, gallery: int) -> np.ndarray:
    """Sum over the columns of the smaller of two descriptions, of one image and of each gallery image: [Ng]."""
    found = [who_has.row(column) for column in columns]
    numbers = np.concatenate([part[0] for part in found])
    smaller = [np.minimum(part[1], value) for part, value in zip(found, values, strict=True)]
    return np.bincount(numbers, np.concatenate(smaller), minlength=gallery)
