"""Re-ranking by k-reciprocal neighbours (Zhong et al., CVPR 2017, Section 3).

It works on the similarity of any matching rule. Two images that are among each other's nearest neighbours are likely to
show one identity, and so are two images with the same reciprocal neighbours. Distances here are 1 - similarity. Besides
the features, memory holds one block of similarities and some hundred numbers per image.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from sorn.features import FeatureBank
from sorn.matching import block_size, largest, similarity_blocks
from sorn.rules import Rule

NO_IMAGE = -1  # fills the rows of neighbour lists that are shorter than others


@dataclass(frozen=True)
class Reranking:
    """Parameters of k-reciprocal re-ranking.

    k1: number of neighbours. k2: number of nearest images whose descriptions are averaged. weight: share of the
    original distance beside the Jaccard distance of the neighbours. The defaults are those of the paper.
    """

    k1: int = 20
    k2: int = 6
    weight: float = 0.3


@dataclass(frozen=True)
class Reranked:
    """Matching rule whose similarities are re-ranked."""

    rule: Rule
    options: Reranking = Reranking()


@dataclass(frozen=True)
class SparseRows:
    """Sparse matrix in row order.

    Row i holds `values[start[i]:start[i + 1]]` at the columns `columns[start[i]:start[i + 1]]`.
    """

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
        """Transpose of the rows from `first` on, numbered from 0."""
        part = slice(self.start[first], None)
        numbers = np.repeat(np.arange(len(self.start) - 1 - first), np.diff(self.start[first:]))
        order = np.argsort(self.columns[part], kind="stable")
        start = np.concatenate([[0], np.cumsum(np.bincount(self.columns[part], minlength=columns))])
        return SparseRows(start, numbers[order], self.values[part][order])


def reranked_blocks(
    query: FeatureBank, gallery: FeatureBank, rule: Rule, options: Reranking, device: torch.device | str = "cpu"
) -> Iterator[tuple[slice, np.ndarray]]:
    """Similarities after re-ranking, in blocks of queries.

    As `matching.similarity_blocks` for one rule: (slice of queries, 1 - the combined distance [b, Ng] float32). Image i
    of the union is query i, or gallery image i - Nq. Raises ValueError as `similarity_blocks` does.
    """
    nearest = np.concatenate([block for _, block in _nearest(query, gallery, rule, options.k1 + 1, device)])
    neighbours = _expanded(nearest, options.k1)
    described = _averaged(_described(query, gallery, rule, neighbours, device), nearest[:, : options.k2])
    images_by_column = described.transposed(len(nearest), first=len(query))
    for rows, (similarity,) in similarity_blocks(query, gallery, [rule], device):
        for number, row in zip(range(rows.start, rows.stop), similarity, strict=True):
            shared = _shared(*described.row(number), images_by_column, len(gallery))
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
    """The most similar images of every image, equals in their order, int64 [b, count]; usually itself first."""
    count = min(count, len(query) + len(gallery))
    for first, similarity in _all_rows(query, gallery, rule, device):
        yield first, np.stack([largest(row, count) for row in similarity])


def _reciprocal(nearest: np.ndarray, count: int) -> np.ndarray:
    """R(i, count): neighbours of image i that have i among their own, [N, count + 1].

    They are taken from the `count` nearest images and i itself; NO_IMAGE fills the other places.
    """
    nearest = nearest[:, : count + 1]
    reciprocal = np.empty_like(nearest)
    for first in range(0, len(nearest), 4096):
        rows = nearest[first : first + 4096]
        mutual = (nearest[rows] == np.arange(first, first + len(rows))[:, None, None]).any(axis=2)
        reciprocal[first : first + 4096] = np.where(mutual, rows, NO_IMAGE)
    return reciprocal


def _expanded(nearest: np.ndarray, k1: int) -> list[np.ndarray]:
    """R*(i, k1), rising: R(i, k1) with the sets R(j, k1 / 2) of some neighbours j.

    A set is added if more than two thirds of it are in R(i, k1).
    """
    whole, half = _reciprocal(nearest, k1), _reciprocal(nearest, round(k1 / 2))
    sets = []
    for row in whole:
        own = row[row != NO_IMAGE]
        others = half[own]  # [n, k1 / 2 + 1]
        known = others != NO_IMAGE
        shared = np.isin(others, own) & known
        close = 3 * shared.sum(axis=1) > 2 * known.sum(axis=1)
        sets.append(np.unique(np.concatenate([own, others[close][known[close]]])))
    return sets


def _described(
    query: FeatureBank, gallery: FeatureBank, rule: Rule, neighbours: list[np.ndarray], device: torch.device | str
) -> SparseRows:
    """Every image described by its neighbours: exp(-distance), normalised to sum 1; else 0."""
    values = []
    for first, similarity in _all_rows(query, gallery, rule, device):
        for row, columns in zip(similarity, neighbours[first:], strict=False):
            weights = np.exp(row[columns].astype(np.float64) - 1)
            values.append(weights / weights.sum())
    return SparseRows.of(neighbours, values)


def _averaged(described: SparseRows, nearest: np.ndarray) -> SparseRows:
    """Mean description of each image's nearest images. nearest: int64 [N, k2]."""
    columns, values = [], []
    for row in nearest:
        rows = [described.row(i) for i in row]
        merged, place = np.unique(np.concatenate([numbers for numbers, _ in rows]), return_inverse=True)
        columns.append(merged)
        values.append(np.bincount(place, np.concatenate([weights for _, weights in rows])) / len(row))
    return SparseRows.of(columns, values)


def _shared(columns: np.ndarray, values: np.ndarray, images_by_column: SparseRows, gallery: int) -> np.ndarray:
    """Sum of the smaller of two descriptions, for one image and each gallery image: [Ng]."""
    rows = [images_by_column.row(column) for column in columns]
    numbers = np.concatenate([images for images, _ in rows])
    smaller = [np.minimum(weights, value) for (_, weights), value in zip(rows, values, strict=True)]
    return np.bincount(numbers, np.concatenate(smaller), minlength=gallery)
