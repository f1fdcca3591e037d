"""Evaluation with one gallery image per person, drawn many times, as Partial-REID and Partial-iLIDS are reported."""

from __future__ import annotations

import numpy as np

from sorn.metrics import Evaluation, Metrics, Relevance, nothing


class SingleShotEvaluation(Evaluation):
    """Ranks a gallery of one random image per person, drawn `trials` times from default_rng(seed).

    A draw is one random order of the gallery; each person is shown by the first image in it that the filter leaves.
    """

    takes_ranks = False  # a draw ranks a part of the gallery

    def __init__(self, relevant: Relevance, trials: int, seed: int, formula: str = "standard") -> None:
        super().__init__(relevant, formula)
        self._shown, self._order = _draws(relevant.group, trials, seed)

    def _ranked(self, number: int, row: np.ndarray) -> np.ndarray:
        """In each draw. Of the images that the filter drops none is shown: a match shows their person."""
        matches = self.relevant.matches[number]
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
    """Per trial: position of the image shown for each person [trials, persons], and each image's place in the order."""
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
