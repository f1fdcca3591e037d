"""Re-ID metrics under the usual filter, and mean IoU. Arrays in, numbers out; no torch, no files.

The filter: for each query, gallery images of the same person by the same camera are dropped, and a query without a
remaining match is skipped and counted as skipped. Equal similarities rank in gallery order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

SKIPPED = 0
# First-hit rank of a query that has no match left.

RANKS = (1, 3, 5, 10)
# The rank-k figures that papers print; rank-3 for the single-shot sets.


@dataclass(frozen=True)
class Relevance:
    """Which gallery images count for which query: the filter, applied once and used by every metric and picture.

    matches: per query, int64 positions of the same person by other cameras, rising. dropped: per query, positions of
    the same person by the same camera. group: [Ng] int64, number of each gallery image's person.
    """

    matches: list[np.ndarray]
    dropped: list[np.ndarray]
    group: np.ndarray

    @property
    def usable(self) -> np.ndarray:
        """bool [Nq]: queries that have a match."""
        return np.array([len(match) > 0 for match in self.matches], dtype=bool)


def relevance(
    query_pid: np.ndarray, query_camid: np.ndarray, gallery_pid: np.ndarray, gallery_camid: np.ndarray
) -> Relevance:
    """Person and camera numbers, int64 [Nq], [Nq], [Ng], [Ng] -> Relevance."""
    _, group = np.unique(gallery_pid, return_inverse=True)
    order = np.argsort(gallery_pid, kind="stable")
    first = np.searchsorted(gallery_pid[order], query_pid, side="left")
    last = np.searchsorted(gallery_pid[order], query_pid, side="right")
    matches, dropped = [], []
    for start, stop, camid in zip(first, last, query_camid, strict=True):
        same_person = order[start:stop]
        same_camera = gallery_camid[same_person] == camid
        matches.append(same_person[~same_camera])
        dropped.append(same_person[same_camera])
    return Relevance(matches, dropped, group.astype(np.int64))


def ap_standard(ranks: np.ndarray) -> float:
    """Mean of the precision at each hit. ranks: of all hits, 1-based, rising."""
    return float(np.mean(np.arange(1, len(ranks) + 1) / ranks))


def ap_trapezoid(ranks: np.ndarray) -> float:
    """Mean over the hits of the average of the precision just before and at the hit; before rank 1 it is 1 (PGFA)."""
    hits = np.arange(1, len(ranks) + 1)
    before = np.where(ranks > 1, (hits - 1) / np.maximum(ranks - 1, 1), 1.0)
    return float(np.mean((before + hits / ranks) / 2))


AP_FORMULAS: dict[str, Callable[[np.ndarray], float]] = {"standard": ap_standard, "trapezoid": ap_trapezoid}


@dataclass(frozen=True)
class Metrics:
    """Figures in [0, 1] over the queries that were used, and what they are made of.

    first_hit: [trials, Nq] int64, 1-based rank of the first match, SKIPPED where there is none. ap, inp: [trials, Nq]
    float64, nan where skipped. With the whole gallery there is one trial; single-shot has one per draw.
    """

    first_hit: np.ndarray
    ap: np.ndarray
    inp: np.ndarray

    @property
    def used(self) -> np.ndarray:
        """bool [Nq]. A draw never changes which queries have a match."""
        return self.first_hit[0] != SKIPPED

    @property
    def queries(self) -> int:
        return int(self.used.sum())

    @property
    def skipped(self) -> int:
        return int((~self.used).sum())

    @property
    def trials(self) -> int:
        return len(self.first_hit)

    def rank(self, k: int) -> float:
        """Share of queries with a match among the first k: the CMC curve at k, mean over the trials."""
        return float(self._trials_of(f"rank-{k}").mean())

    def cmc(self, length: int = 50) -> np.ndarray:
        """The CMC curve at 1..length, float64 [length]."""
        return np.array([self.rank(k) for k in range(1, length + 1)])

    @property
    def mean_ap(self) -> float:
        return float(self._trials_of("mAP").mean())

    @property
    def mean_inp(self) -> float:
        """mINP: mean over the queries of (number of matches) / (rank of the last one)."""
        return float(self._trials_of("mINP").mean())

    def spread(self, name: str) -> float:
        """Standard deviation over the trials (n - 1) of "rank-k", "mAP" or "mINP"; 0 with one trial."""
        return float(self._trials_of(name).std(ddof=1)) if self.trials > 1 else 0.0

    def figures(self) -> dict[str, float | int]:
        """The figures of a report, by name; with several trials also `<name>-sd`."""
        names = [f"rank-{k}" for k in RANKS] + ["mAP", "mINP"]
        figures: dict[str, float | int] = {name: float(self._trials_of(name).mean()) for name in names}
        if self.trials > 1:
            figures |= {f"{name}-sd": self.spread(name) for name in names}
        return {**figures, "queries": self.queries, "skipped_queries": self.skipped}

    def _trials_of(self, name: str) -> np.ndarray:
        """One figure per trial, float64 [trials]."""
        if self.queries == 0:
            return np.full(self.trials, np.nan)
        if name.startswith("rank-"):
            return (self.first_hit[:, self.used] <= int(name.removeprefix("rank-"))).mean(axis=1)
        return {"mAP": self.ap, "mINP": self.inp}[name][:, self.used].mean(axis=1)


class Evaluation:
    """Ranks the whole gallery for every query, block by block.

    evaluation = Evaluation(relevant)
    for rows, similarity in blocks:
        evaluation.add(rows, similarity)
    metrics = evaluation.metrics()

    The ranks of the matches are counted, not sorted for: 1 + the images before them, exact with ties.
    """

    def __init__(self, relevant: Relevance, formula: str = "standard", trials: int = 1) -> None:
        queries = len(relevant.matches)
        self.relevant, self.formula = relevant, AP_FORMULAS[formula]
        self.first_hit = np.full((trials, queries), SKIPPED, np.int64)
        self.ap, self.inp = np.full((2, trials, queries), np.nan)
        self._next = 0

    def add(self, rows: slice, similarity: np.ndarray) -> None:
        """similarity: [b, Ng] of the queries `rows`, which follow those before. Raises ValueError for others, and for
        similarities that are not finite.
        """
        gallery = len(self.relevant.group)
        if rows.start != self._next or similarity.shape != (rows.stop - rows.start, gallery):
            shape = f"similarities {similarity.shape} for queries {rows.start}:{rows.stop}"
            raise ValueError(f"{shape}, expected query {self._next} and {gallery} gallery images")
        for number, row in zip(range(rows.start, rows.stop), similarity, strict=True):
            if not np.isfinite(row.sum()):
                raise ValueError(f"similarities of query {number} are not finite")
            if len(self.relevant.matches[number]):
                self._rank(number, row)
        self._next = rows.stop

    def metrics(self) -> Metrics:
        """Raises ValueError when queries are missing."""
        if self._next != len(self.relevant.matches):
            raise ValueError(f"similarities of {self._next} queries, expected {len(self.relevant.matches)}")
        return Metrics(self.first_hit, self.ap, self.inp)

    def _rank(self, number: int, row: np.ndarray) -> None:
        ranks = np.sort(match_ranks(row, self.relevant.matches[number], self.relevant.dropped[number]))
        self.first_hit[0, number] = ranks[0]
        self.ap[0, number] = self.formula(ranks)
        self.inp[0, number] = len(ranks) / ranks[-1]


class SingleShotEvaluation(Evaluation):
    """Ranks a gallery of one random image per person, drawn `trials` times from default_rng(seed).

    A draw is one random order of the gallery; each person is shown by the first image in it that the filter leaves.
    """

    def __init__(self, relevant: Relevance, trials: int, seed: int, formula: str = "standard") -> None:
        super().__init__(relevant, formula, trials)
        self._shown, self._order = _draws(relevant.group, trials, seed)

    def _rank(self, number: int, row: np.ndarray) -> None:
        """Of the images that the filter drops, none is shown: their person is shown by a match."""
        matches = self.relevant.matches[number]
        own = matches[self._order[:, matches].argmin(axis=1)][:, None]  # [trials, 1]
        others = np.delete(self._shown, self.relevant.group[matches[0]], axis=1)  # [trials, persons - 1]
        similarity, target = row[others], row[own]
        ahead = (similarity > target) | ((similarity == target) & (others < own))
        self.first_hit[:, number] = 1 + ahead.sum(axis=1)
        self.ap[:, number] = [self.formula(rank[None]) for rank in self.first_hit[:, number]]
        self.inp[:, number] = 1 / self.first_hit[:, number]


def evaluate(blocks: Iterable[tuple[slice, np.ndarray]], relevant: Relevance, formula: str = "standard") -> Metrics:
    """Of blocks (slice of queries, similarities [b, Ng]) that cover all queries in order, as in Evaluation."""
    evaluation = Evaluation(relevant, formula)
    for rows, similarity in blocks:
        evaluation.add(rows, similarity)
    return evaluation.metrics()


def match_ranks(row: np.ndarray, matches: np.ndarray, dropped: np.ndarray) -> np.ndarray:
    """1-based ranks of the matches of one query, int64, in their order. row: similarities [Ng]; dropped: positions that
    do not count. Equal similarities rank in gallery order.
    """
    values = row[matches]
    near = np.flatnonzero(row >= values.min())  # nothing else can come before a match
    similarity = row[near]
    ranks = np.empty(len(matches), np.int64)
    for i, (value, position) in enumerate(zip(values, matches, strict=True)):
        ranks[i] = np.count_nonzero(similarity >= value)
        equal = near[similarity == value]
        ranks[i] -= np.count_nonzero(equal > position)
    for position in dropped:
        ranks -= (row[position] > values) | ((row[position] == values) & (position < matches))
    return ranks


def ranking(row: np.ndarray, relevant: Relevance, number: int, length: int) -> np.ndarray:
    """Gallery positions of the first `length` images for one query, filter applied: what a ranked list shows."""
    row = row.copy()
    row[relevant.dropped[number]] = -np.inf
    kept = len(row) - len(relevant.dropped[number])
    return np.argsort(-row, kind="stable")[: min(length, kept)]


def confusion(predicted: np.ndarray, label: np.ndarray, classes: int) -> np.ndarray:
    """Pixel counts, int64 [label, predicted]. Both maps: integers of one shape in 0..classes-1; else ValueError."""
    if predicted.shape != label.shape:
        raise ValueError(f"predicted {predicted.shape} and label {label.shape} differ in shape")
    if max(predicted.max(initial=0), label.max(initial=0)) >= classes:
        raise ValueError(f"a class id is not below {classes}")
    pairs = label.astype(np.int64).ravel() * classes + predicted.astype(np.int64).ravel()
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def class_iou(counts: np.ndarray) -> np.ndarray:
    """Confusion [K, K] -> intersection over union per class, float64 [K]; nan for a class that occurs nowhere."""
    both = np.diag(counts).astype(np.float64)
    either = counts.sum(axis=0) + counts.sum(axis=1) - both
    return np.divide(both, either, out=np.full(len(counts), np.nan), where=either > 0)


def mean_iou(counts: np.ndarray) -> float:
    """mIoU: mean over the classes that occur; nan when none does."""
    values = class_iou(counts)
    return float(values[~np.isnan(values)].mean()) if counts.any() else float("nan")


def pixel_accuracy(counts: np.ndarray) -> float:
    return float(np.trace(counts) / counts.sum()) if counts.any() else float("nan")


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
