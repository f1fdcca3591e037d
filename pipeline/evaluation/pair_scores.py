"""Certainty and calibration of two feature banks: pairs -> rates, thresholds and intervals.

The pairs are counted in the walk that ranks them. Errors by person, for the intervals, need the thresholds, and so a
second walk, under one rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from pipeline.evaluation.calibration import SCHEMA_VERSION, SETTINGS, Calibration, RateTable, RuleCalibration
from pipeline.evaluation.certainty import (
    MAIN,
    RATES,
    Certainty,
    CommonFigures,
    Histogram,
    MeasuredRate,
    OpenSetFigures,
    RateCurve,
    ThresholdFigures,
)
from pipeline.evaluation.person_intervals import PairRates, measured_rates, query_rate
from pipeline.runs.config import EvalConfig
from pipeline.runtime.memory import giving_back
from pipeline.runtime.progress import counted
from sorn.error_rates import BINS, FEWEST, STEPS, OpenSet, PairCounts, edge
from sorn.features import FeatureBank
from sorn.metrics import Relevance, relevance
from sorn.pairs import NearestTally, PairTally, PersonTally
from sorn.rules import Rule, of_paper, variants
from sorn.walk import Consumer, walk

WIDE = STEPS // 64  # bins of the grid in a bar of a histogram, and between two points of a curve
SAME_QUANTILES, DIFFERENT_QUANTILES = (0.1, 0.5, 0.9), (0.5, 0.9, 0.99)


@dataclass(frozen=True)
class PairTask:
    """Pairs of query and gallery images.

    dataset, split: where they are from, for texts. device: where similarities are computed.
    """

    query: FeatureBank
    gallery: FeatureBank
    dataset: str
    split: str
    options: EvalConfig
    device: torch.device | str = "cpu"

    @property
    def source(self) -> str:
        return f"{self.dataset}, split {self.split}"

    @cached_property
    def relevant(self) -> Relevance:
        return relevance(self.query.pid, self.query.camid, self.gallery.pid, self.gallery.camid)

    @cached_property
    def rules(self) -> dict[str, Rule]:
        """Rule of each variant that the features allow."""
        options = self.options
        return {name: Rule(name, options.tau, options.part_tau) for name in variants(self.query)}

    @property
    def fullest(self) -> str:
        return of_paper(self.query)

    def wrong(self) -> str:
        """Why the pairs tell no rates, "" if they do."""
        asked, ranked = set(self.query.pid.tolist()), set(self.gallery.pid.tolist())
        if not self.relevant.usable.any():
            return f"{self.source} has no pair of the same person under two cameras"
        return f"{self.source} has pairs of one person only" if len(asked | ranked) < 2 else ""


@dataclass(frozen=True)
class CountedPairs:
    """Pairs of a task by similarity.

    tallies: variant -> its counts. nearest: of the paper's fullest variant.
    """

    task: PairTask
    tallies: Mapping[str, PairTally]
    nearest: NearestTally

    @classmethod
    def none(cls, task: PairTask) -> CountedPairs:
        """No pairs yet."""
        tallies = {name: PairTally(rule, task.query, task.gallery) for name, rule in task.rules.items()}
        return cls(task, tallies, NearestTally(task.rules[task.fullest], len(task.query)))

    @property
    def consumers(self) -> list[Consumer]:
        """Consumers of the walk that counts the pairs."""
        return [*self.tallies.values(), self.nearest]

    @property
    def persons(self) -> int:
        return len(np.union1d(self.task.query.pid, self.task.gallery.pid))

    def calibration(self, checkpoint: str, measured: Sequence[ThresholdFigures] = ()) -> Calibration:
        """Calibration from these pairs. checkpoint: sha256 of the weights."""
        task, options = self.task, self.task.options
        rules = {}
        for name, tally in self.tallies.items():
            asked = (len(np.unique(task.query.pid[chosen])) for chosen in tally.asked)
            by_common = tuple(RateTable.of(*kind) for kind in zip(tally.by_common(), asked, strict=True))
            rules[name] = RuleCalibration(RateTable.of(tally.all(), self.persons), by_common)
        return Calibration(
            SCHEMA_VERSION,
            checkpoint,
            task.dataset,
            task.split,
            len(task.query),
            len(task.gallery),
            self.persons,
            **{name: getattr(options, name) for name in SETTINGS},
            rules=rules,
            measured=tuple(measured),
        )


def count_pairs(task: PairTask) -> CountedPairs:
    """All pairs under every variant, in a walk of their own."""
    found = CountedPairs.none(task)
    _walked(task, found.consumers, "pairs")
    return found


def _walked(task: PairTask, consumers: Sequence[Consumer], label: str) -> None:
    done = walk(task.query, task.gallery, consumers, task.relevant, task.device)
    counted(giving_back(done), len(task.query), label, "queries")


def certainty(found: CountedPairs, sources: Sequence[Calibration]) -> Certainty:
    """Certainty of counted pairs, with thresholds from each of the sources.

    sources: the first is the one whose thresholds are shown by number of stripes in common.
    """
    task, tally = found.task, found.tallies[found.task.fullest]
    chosen = _Chosen.of(task.fullest, tally.kinds, sources)
    rule, pairs = task.rules[task.fullest], tally.all()
    errors = PersonTally(rule, task.query, task.gallery, task.relevant, chosen.vectors(tally))
    _walked(task, [errors], "intervals")
    equal = pairs.equal_error()
    rates = measured_rates(errors, equal)
    return Certainty(
        variant=task.fullest,
        same=int(pairs.same.sum()),
        different=int(pairs.different.sum()),
        persons=found.persons,
        histogram=_histogram(pairs),
        curve=_curve(pairs),
        equal_error=rates.equal_error,
        equal_threshold=equal.threshold,
        chosen_on=sources[0].source,
        thresholds=tuple(
            ThresholdFigures(row.rate, row.source, row.single, *rates.all[number])
            for number, row in enumerate(chosen.rows, 1)
        ),
        by_common=_by_common(tally, chosen, rates.by_common),
        open_set=_open_set(found),
        here=task.source,
    )


@dataclass(frozen=True)
class _Row:
    """Thresholds that were chosen somewhere for a rate. single: None for one per kind."""

    rate: float
    source: str
    limits: tuple[float, ...]
    single: float | None


@dataclass(frozen=True)
class _Chosen:
    """Thresholds that are measured."""

    rows: list[_Row]
    first: str

    @classmethod
    def of(cls, variant: str, kinds: int, sources: Sequence[Calibration]) -> _Chosen:
        rows = []
        for source in sources:
            rule = source.rules[variant]
            for rate in RATES:
                single, limits = rule.all.threshold(rate), rule.thresholds(rate)
                if single is None or limits is None or rate not in rule.all.rates:
                    continue
                rows.append(_Row(rate, source.source, (single,) * kinds, single))
                if kinds > 1:
                    rows.append(_Row(rate, source.source, limits, None))
        return cls(rows, sources[0].source)

    def vectors(self, tally: PairTally) -> np.ndarray:
        """The threshold of the equal error rate, then those of the rows, [1 + k, kinds]."""
        equal = tally.all().equal_error().threshold
        return np.array([(equal,) * tally.kinds, *(row.limits for row in self.rows)])

    @property
    def main(self) -> int | None:
        """Row of the thresholds for MAIN by number of stripes in common; the single one where all are the same."""
        of_main = [i for i, row in enumerate(self.rows) if row.rate == MAIN and row.source == self.first]
        return of_main[-1] if of_main else None


def _by_common(tally: PairTally, chosen: _Chosen, rates: list[list[PairRates]]) -> tuple[CommonFigures, ...]:
    figures, main = [], chosen.main
    for kind, counts in enumerate(tally.by_common()):
        same, different = int(counts.same.sum()), int(counts.different.sum())
        nothing = (MeasuredRate(None), MeasuredRate(None))
        figures.append(
            CommonFigures(
                kind,
                same,
                different,
                tuple(counts.quantile(True, share) for share in SAME_QUANTILES) if same else (),
                tuple(counts.quantile(False, share) for share in DIFFERENT_QUANTILES) if different else (),
                counts.equal_error().rate if counts.usable else None,
                None if main is None else chosen.rows[main].limits[kind],
                *(nothing if main is None else rates[main + 1][kind]),
            )
        )
    return tuple(figures)


def _open_set(found: CountedPairs) -> tuple[OpenSetFigures, ...]:
    nearest, pid = found.nearest, found.task.query.pid
    answers = OpenSet(nearest.match, nearest.other, nearest.first)
    everybody, figures = np.ones(len(pid), bool), []
    for rate in RATES:
        threshold = answers.threshold(rate)
        if rate * len(pid) < FEWEST or threshold > 1:
            continue
        taken = query_rate(answers.taken(threshold), everybody, pid)
        figures.append(
            OpenSetFigures(rate, threshold, taken, query_rate(answers.found(threshold), answers.present, pid))
        )
    return tuple(figures)


def _held(counts: PairCounts) -> tuple[int, int]:
    """First and last bar that hold a pair."""
    places = np.minimum(np.flatnonzero(counts.same + counts.different) // WIDE, BINS // WIDE - 1)
    return int(places[0]), int(places[-1])


def _histogram(counts: PairCounts) -> Histogram:
    first, last = _held(counts)
    bars = []
    for values in (counts.same, counts.different):
        whole = values[:-1].reshape(-1, WIDE).sum(axis=1)
        whole[-1] += values[-1]  # a similarity of 1 has a bin of its own
        bars.append(tuple(whole[first : last + 1].tolist()))
    return Histogram(edge(first * WIDE), WIDE / STEPS, *bars)


def _curve(counts: PairCounts) -> RateCurve:
    first, last = _held(counts)
    places = np.arange(first, last + 2) * WIDE
    rates = (tuple(np.round(values[places], 7).tolist()) for values in (counts.false_match, counts.false_non_match))
    return RateCurve(tuple(edge(int(place)) for place in places), *rates)
