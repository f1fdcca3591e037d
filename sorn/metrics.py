"""Re-identification metrics and mean IoU.

The filter: for each query, gallery images with the same identity and the same camera are removed. A query without a
remaining match is skipped and counted as skipped. Equal similarities rank in gallery order. Takes arrays and returns
numbers; no torch, no files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sorn.threads import share_rows

SKIPPED = 0
# First-hit rank of a query that has no match left.

NO_RANKS = np.empty(0, np.int64)

ROWS_OF_THREAD = 16
# Queries whose ranks are worth a thread.

RANKS = (1, 3, 5, 10)
# The rank-k figures that papers print; rank-3 for the single-shot sets.


@dataclass(frozen=True)
class Relevance:
    """Matches and removed gallery images of every query.

    The filter is applied once, and every metric and picture uses its result. matches: per query, int64 positions of the
    same identity under other cameras, rising. dropped: per query, positions of the same identity under the same camera.
    group: int64 [Ng], number of each gallery image's identity.
    """

    matches: list[np.ndarray]
    dropped: list[np.ndarray]
    group: np.ndarray

    @property
    def usable(self) -> np.ndarray:
        """Queries that have a match, bool [Nq]."""
        return np.array([len(match) > 0 for match in self.matches], dtype=bool)


def relevance(
    query_pid: np.ndarray, query_camid: np.ndarray, gallery_pid: np.ndarray, gallery_camid: np.ndarray
) -> Relevance:
    """Relevance from pids and camids: int64 [Nq], [Nq], [Ng], [Ng]."""
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


def precision_standard(hits: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Precision at each match. hits: matches up to it. ranks: its rank."""
    precision: np.ndarray = hits / ranks
    return precision


def precision_trapezoid(hits: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Mean precision just before and at each match, as in PGFA."""
    before = np.where(ranks > 1, (hits - 1) / np.maximum(ranks - 1, 1), 1.0)
    precision: np.ndarray = (before + hits / ranks) / 2
    return precision


AP_FORMULAS = {"standard": precision_standard, "trapezoid": precision_trapezoid}
# AP is the mean of these over the hits.


@dataclass(frozen=True)
class Metrics:
    """Figures in [0, 1] over the used queries, and their values per query.

    first_hit: int64 [trials, Nq], rank of the first match from 1, SKIPPED where there is none. ap, inp: float64
    [trials, Nq], nan where skipped. The whole gallery is one trial; single-shot has one trial per draw.
    """

    first_hit: np.ndarray
    ap: np.ndarray
    inp: np.ndarray

    @property
    def used(self) -> np.ndarray:
        """Queries that have a match, bool [Nq]; the same in every draw."""
        used: np.ndarray = self.first_hit[0] != SKIPPED
        return used

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
        """Rank-k: share of queries with a match among the first k."""
        return float(self._trials_of(f"rank-{k}").mean())

    def cmc(self, length: int = 50) -> np.ndarray:
        """CMC curve at ranks 1..length, float64 [length]."""
        return np.array([self.rank(k) for k in range(1, length + 1)])

    @property
    def mean_ap(self) -> float:
        return float(self._trials_of("mAP").mean())

    @property
    def mean_inp(self) -> float:
        """Mean of (number of matches) / (rank of the last match): mINP."""
        return float(self._trials_of("mINP").mean())

    def spread(self, name: str) -> float:
        """Standard deviation (n - 1) over the trials; 0 with one trial."""
        return float(self._trials_of(name).std(ddof=1)) if self.trials > 1 else 0.0

    def figures(self) -> dict[str, float | int]:
        """Figures of a report by name; with several trials also `<name>-sd`."""
        names = [f"rank-{k}" for k in RANKS] + ["mAP", "mINP"]
        figures: dict[str, float | int] = {name: float(self._trials_of(name).mean()) for name in names}
        if self.trials > 1:
            figures |= {f"{name}-sd": self.spread(name) for name in names}
        return {**figures, "queries": self.queries, "skipped_queries": self.skipped}

    def _trials_of(self, name: str) -> np.ndarray:
        """One value of a figure per trial, float64 [trials]."""
        if self.queries == 0:
            return np.full(self.trials, np.nan)
        if name.startswith("rank-"):
            values: np.ndarray = self.first_hit[:, self.used] <= int(name.removeprefix("rank-"))
        else:
            values = {"mAP": self.ap, "mINP": self.inp}[name][:, self.used]
        figures: np.ndarray = values.mean(axis=1)
        return figures


class Evaluation:
    """Metrics of a ranking of the whole gallery, fed block by block.

    evaluation = Evaluation(relevant)
    for rows, similarity in blocks:
        evaluation.add(rows, similarity)
    metrics = evaluation.metrics()
    """

    takes_ranks = True  # `add_ranks` accepts ranks counted elsewhere

    def __init__(self, relevant: Relevance, formula: str = "standard") -> None:
        self.relevant, self.precision = relevant, AP_FORMULAS[formula]
        self.ranks: list[np.ndarray] = []  # per query, of its matches in any order; empty without one

    def add(self, rows: slice, similarity: np.ndarray) -> None:
        """Similarities [b, Ng] of the queries `rows`, which follow those added before.

        Raises ValueError for other queries, and for similarities that are not finite.
        """
        expected, gallery = len(self.ranks), len(self.relevant.group)
        if rows.start != expected or similarity.shape != (rows.stop - rows.start, gallery):
            shape = f"similarities {similarity.shape} for queries {rows.start}:{rows.stop}"
            raise ValueError(f"{shape}, expected query {expected} and {gallery} gallery images")
        self.ranks += self._ranked(rows, similarity)

    def add_ranks(self, ranks: list[np.ndarray]) -> None:
        """Ranks of the next queries' matches, from 1; NO_RANKS without a match."""
        self.ranks += ranks

    def metrics(self) -> Metrics:
        """Metrics of all queries. Raises ValueError when queries are missing."""
        if len(self.ranks) != len(self.relevant.matches):
            raise ValueError(f"similarities of {len(self.ranks)} queries, expected {len(self.relevant.matches)}")
        return self._metrics()

    def _ranked(self, rows: slice, similarity: np.ndarray) -> list[np.ndarray]:
        """Ranks per query; NO_RANKS without a match."""
        return match_ranks(similarity, self.relevant.matches[rows], self.relevant.dropped[rows], rows.start)

    def _metrics(self) -> Metrics:
        """Metrics of all queries; the ranks of each query are rising."""
        first_hit, ap, inp = nothing(1, len(self.ranks))
        counts = np.array([len(ranks) for ranks in self.ranks], np.int64)
        used = counts > 0
        if used.any():
            owner = np.repeat(np.arange(len(counts)), counts)
            ranks = np.concatenate(self.ranks)
            ranks = ranks[np.lexsort((ranks, owner))]
            ends = np.cumsum(counts)[used]
            starts = ends - counts[used]
            hits = 1 + np.arange(len(ranks)) - np.repeat(starts, counts[used])
            first_hit[0, used] = ranks[starts]
            ap[0, used] = np.add.reduceat(self.precision(hits, ranks), starts) / counts[used]
            inp[0, used] = counts[used] / ranks[ends - 1]
        return Metrics(first_hit, ap, inp)


def nothing(trials: int, queries: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """first_hit, ap and inp of queries without a match."""
    return np.full((trials, queries), SKIPPED, np.int64), *np.full((2, trials, queries), np.nan)


def evaluate(blocks: Iterable[tuple[slice, np.ndarray]], relevant: Relevance, formula: str = "standard") -> Metrics:
    """Metrics of blocks (queries, similarities [b, Ng]), as in Evaluation."""
    evaluation = Evaluation(relevant, formula)
    for rows, similarity in blocks:
        evaluation.add(rows, similarity)
    return evaluation.metrics()


def match_ranks(
    similarity: np.ndarray, matches: Sequence[np.ndarray], dropped: Sequence[np.ndarray], first: int = 0
) -> list[np.ndarray]:
    """Ranks of the matches of b queries, int64, from 1.

    They have the order of the matches. similarity: [b, Ng], float32 or float64. matches, dropped: per query int64;
    dropped positions do not count. Equal similarities rank in gallery order. Nothing is sorted: per match, the images
    before it are counted. first: number of the first query, for the ValueError of similarities that are not finite.
    """
    from sorn import rank_kernels

    similarity = np.require(similarity, requirements=["C", "W"])
    (places, ends), (removed, removed_ends) = _end_to_end(matches), _end_to_end(dropped)
    ranks, wrong = np.empty(len(places), np.int64), []

    def some(start: int, stop: int) -> None:
        row = rank_kernels.match_ranks(similarity, places, ends, removed, removed_ends, ranks, start, stop)
        if row >= 0:
            wrong.append(row)

    share_rows(some, len(similarity), ROWS_OF_THREAD)
    if wrong:
        raise ValueError(f"similarities of query {first + min(wrong)} are not finite")
    return np.split(ranks, ends[1:-1]) if len(matches) else []


def _end_to_end(positions: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """All positions one after the other, and where those of each query begin and end, int64 [b + 1]."""
    ends = np.concatenate([[0], np.cumsum([len(own) for own in positions], dtype=np.int64)])
    return np.concatenate([NO_RANKS, *positions]), ends


def ranking(row: np.ndarray, relevant: Relevance, number: int, length: int) -> np.ndarray:
    """First `length` gallery positions of one query, filter applied."""
    row = row.copy()
    row[relevant.dropped[number]] = -np.inf
    kept = len(row) - len(relevant.dropped[number])
    return np.argsort(-row, kind="stable")[: min(length, kept)]


def confusion(predicted: np.ndarray, label: np.ndarray, classes: int) -> np.ndarray:
    """Confusion matrix of pixel counts, int64 [label, predicted].

    Both maps hold integers in 0..classes-1 and have one shape; otherwise ValueError.
    """
    if predicted.shape != label.shape:
        raise ValueError(f"predicted {predicted.shape} and label {label.shape} differ in shape")
    if max(predicted.max(initial=0), label.max(initial=0)) >= classes:
        raise ValueError(f"a class id is not below {classes}")
    pairs = label.astype(np.int64).ravel() * classes + predicted.astype(np.int64).ravel()
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def class_iou(counts: np.ndarray) -> np.ndarray:
    """Intersection over union per class, float64 [K]; nan without the class."""
    both = np.diag(counts).astype(np.float64)
    either = counts.sum(axis=0) + counts.sum(axis=1) - both
    iou: np.ndarray = np.divide(both, either, out=np.full(len(counts), np.nan), where=either > 0)
    return iou


def mean_iou(counts: np.ndarray) -> float:
    """Mean IoU over the classes that occur; nan when none occurs."""
    values = class_iou(counts)
    return float(values[~np.isnan(values)].mean()) if counts.any() else float("nan")


def pixel_accuracy(counts: np.ndarray) -> float:
    return float(np.trace(counts) / counts.sum()) if counts.any() else float("nan")
