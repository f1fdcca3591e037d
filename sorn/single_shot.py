"""Single-shot evaluation: one gallery image per identity, drawn many times.

Partial-REID and Partial-iLIDS are reported in this way.
"""

from __future__ import annotations

import numpy as np

from sorn.metrics import NO_RANKS, Evaluation, Metrics, Relevance, nothing


class SingleShotEvaluation(Evaluation):
    """Metrics with one random gallery image per identity.

    The gallery is drawn `trials` times from default_rng(seed). A draw is one random order of the gallery. Each identity
    is represented by its first image in that order that the filter keeps.
    """

    takes_ranks = False  # a draw ranks a part of the gallery

    def __init__(self, relevant: Relevance, trials: int, seed: int, formula: str = "standard") -> None:
        super().__init__(relevant, formula)
        self._shown, self._order = _draws(relevant.group, trials, seed)

    def _ranked(self, rows: slice, similarity: np.ndarray) -> list[np.ndarray]:
        numbers = range(rows.start, rows.stop)
        return [self._ranked_in_draws(*query) for query in zip(numbers, similarity, strict=True)]

    def _ranked_in_draws(self, number: int, row: np.ndarray) -> np.ndarray:
        """Ranks of the shown matches of one query in each draw.

        An image that the filter removes is not shown; a match represents its identity.
        """
        if not np.isfinite(row.sum()):
            raise ValueError(f"similarities of query {number} are not finite")
        matches = self.relevant.matches[number]
        if not len(matches):
            return NO_RANKS
        own = matches[self._order[:, matches].argmin(axis=1)][:, None]  # [trials, 1]
        others = np.delete(self._shown, self.relevant.group[matches[0]], axis=1)  # [trials, persons - 1]
        similarity, target = row[others], row[own]
        ahead = (similarity > target) | ((similarity == target) & (others < own))
        ranks: np.ndarray = 1 + ahead.sum(axis=1)
        return ranks

    def _metrics(self) -> Metrics:
        first_hit, ap, inp = nothing(len(self._shown), len(self.ranks))
        for number, ranks in enumerate(self.ranks):
            if len(ranks):
                first_hit[:, number], inp[:, number] = ranks, 1 / ranks
                ap[:, number] = self.precision(np.ones_like(ranks), ranks)
        return Metrics(first_hit, ap, inp)


def _draws(group: np.ndarray, trials: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Per trial: the shown image of each identity, and each image's place in the order.

    [trials, persons] and [trials, Ng].
    """
    generator = np.random.default_rng(seed)
    persons = int(group.max(initial=-1)) + 1
    shown = np.empty((trials, persons), dtype=np.int64)
    order = np.empty((trials, len(group)), dtype=np.int64)
    for trial in range(trials):
        permutation = generator.permutation(len(group))
        order[trial, permutation] = np.arange(len(group))
        _, first = np.unique(group[permutation], return_index=True)
        shown[trial] = permutation[first]
    return shown, order
