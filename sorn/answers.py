"""First answers: the most similar gallery images of every query.

They come from the tiles of a walk, so that the gallery may be of any size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sorn.matching import largest
from sorn.rules import Rule
from sorn.walk import SimilarityTile

NOBODY = -1
# In place of a gallery image where there is none.


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

    def meet(self, number: int, row: np.ndarray, tile: SimilarityTile) -> None:
        """Better answers among further gallery images.

        row: similarities of the query `number` with the gallery images of the tile.
        """
        first, relevant, length = tile.columns.start, tile.relevant, self.positions.shape[1]
        matches = tile.inside(relevant.matches[number])
        if len(matches):
            best = matches[row[matches].argmax()]
            if not self.match_similarity[number] >= row[best]:
                self.match[number], self.match_similarity[number] = best + first, row[best]
        row = row.copy()
        row[tile.inside(relevant.dropped[number])] = -np.inf
        known = self.positions[number] != NOBODY
        if known.all():
            near = np.flatnonzero(row > self.similarity[number, -1])
            near = near[largest(row[near], length)]
        else:
            near = largest(row, length)
            near = near[row[near] > -np.inf]
        positions = np.concatenate([self.positions[number][known], near + first])
        values = np.concatenate([self.similarity[number][known], row[near]])
        order = np.argsort(-values, kind="stable")[:length]  # what was known before stands before it in the gallery
        self.positions[number, : len(order)], self.similarity[number, : len(order)] = positions[order], values[order]


class AnswerTally:
    """First answers of a walk under one rule. length: answers per query."""

    whole_rows = False

    def __init__(self, rule: Rule, queries: int, length: int) -> None:
        self.rules = (rule,)
        self.answers = Answers.none(queries, length)

    def take(self, tile: SimilarityTile) -> None:
        """Better answers in one tile, see `Consumer`."""
        for number, row in zip(range(tile.rows.start, tile.rows.stop), tile.similarities[self.rules[0]], strict=True):
            self.answers.meet(number, row, tile)
