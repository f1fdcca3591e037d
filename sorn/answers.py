"""First answers: the most similar gallery images of every query.

They come from two feature banks, tile by tile, so that the gallery may be of any size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from sorn import matching
from sorn.features import FeatureBank
from sorn.matching import Rule, similarity_tiles
from sorn.metrics import Relevance

NOBODY = -1
# In place of a gallery image where there is none.

QUERIES = 512
# Queries at a time.


@dataclass(frozen=True)
class Answers:
    """First answers of N queries under one rule.

    positions: int64 [N, k], gallery images, most similar first, equal ones in gallery order; those of the query's own
    person and camera are left out. similarity: float32 [N, k]. match: int64 [N], the most similar match.
    match_similarity: float32 [N]. NOBODY, with nan, where there are no more.
    """

    positions: np.ndarray
    similarity: np.ndarray
    match: np.ndarray
    match_similarity: np.ndarray

    @staticmethod
    def none(queries: int, length: int) -> Answers:
        """No answers yet."""
        return Answers(
            np.full((queries, length), NOBODY, np.int64),
            np.full((queries, length), np.nan, np.float32),
            np.full(queries, NOBODY, np.int64),
            np.full(queries, np.nan, np.float32),
        )

    def meet(self, number: int, row: np.ndarray, columns: slice, relevant: Relevance) -> None:
        """Better answers among further gallery images.

        row: similarities of the query `number` with the gallery images `columns`.
        """
        matches, dropped = (_inside(one[number], columns) for one in (relevant.matches, relevant.dropped))
        if len(matches):
            best = matches[row[matches].argmax()]
            if not self.match_similarity[number] >= row[best]:
                self.match[number], self.match_similarity[number] = best + columns.start, row[best]
        row = row.copy()
        row[dropped] = -np.inf
        length = self.positions.shape[1]
        near = matching.largest(row, length)
        near = near[row[near] > -np.inf]
        known = self.positions[number] != NOBODY
        positions = np.concatenate([self.positions[number][known], near + columns.start])
        values = np.concatenate([self.similarity[number][known], row[near]])
        order = np.argsort(-values, kind="stable")[:length]  # what was known before stands before it in the gallery
        self.positions[number, : len(order)], self.similarity[number, : len(order)] = positions[order], values[order]


def add_answers(
    query: FeatureBank,
    gallery: FeatureBank,
    answers: Mapping[Rule, Answers],
    relevant: Relevance,
    device: torch.device | str = "cpu",
) -> Iterator[int]:
    """First answers of every query under every rule, added to `answers`.

    Yields the number of queries that are finished, from time to time. answers: `Answers.none` of these queries.
    relevant: of these queries and this gallery. Raises ValueError as `matching.similarity_blocks` does.
    """
    height = max(1, min(QUERIES, len(query)))
    width = max(1, matching.MEMORY // (8 * len(answers) * height))  # half of it: products take their share too
    for rows, columns, similarities in similarity_tiles(query, gallery, list(answers), height, width, device):
        for found, similarity in zip(answers.values(), similarities, strict=True):
            for number, row in zip(range(rows.start, rows.stop), similarity, strict=True):
                found.meet(number, row, columns, relevant)
        if columns.stop == len(gallery):
            yield rows.stop - rows.start


def _inside(positions: np.ndarray, columns: slice) -> np.ndarray:
    """Those of the rising positions that are among the columns, counted from the first of them."""
    first, last = positions.searchsorted((columns.start, columns.stop))
    inside: np.ndarray = positions[first:last] - columns.start
    return inside
