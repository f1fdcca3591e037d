"""First answers are those of whole rows, ties and dropped images included, however the gallery is divided."""

from __future__ import annotations

import numpy as np
import pytest
from random_banks import bank, relevance

from sorn import metrics, walk
from sorn.answers import NOBODY, Answers, AnswerTally
from sorn.features import FeatureBank
from sorn.matching import similarity_blocks
from sorn.metrics import Evaluation
from sorn.rules import Rule

RULES = [Rule("global"), Rule("global+local"), Rule("sorn", 0.15)]


def found(query: FeatureBank, gallery: FeatureBank, length: int) -> dict[Rule, Answers]:
    tallies = [AnswerTally(rule, len(query), length) for rule in RULES]
    assert sum(walk.walk(query, gallery, tallies, relevance(query, gallery))) == len(query)
    return {tally.rules[0]: tally.answers for tally in tallies}


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("width", [7, 64, 1000])
def test_answers_of_tiles_are_those_of_whole_rows(monkeypatch: pytest.MonkeyPatch, width: int, ties: bool) -> None:
    query, gallery = bank(0, 30, ties), bank(1, 150, ties)
    relevant, rows = relevance(query, gallery), {}
    for part, similarities in similarity_blocks(query, gallery, RULES):
        for rule, similarity in zip(RULES, similarities, strict=True):
            rows |= {(rule, i): row.copy() for i, row in zip(range(part.start, part.stop), similarity, strict=True)}
    monkeypatch.setattr(walk, "tile_size", lambda *given: (8, width))
    tied = 0
    for rule, one in found(query, gallery, 10).items():
        evaluation = Evaluation(relevant)
        evaluation.add(slice(0, 30), np.stack([rows[rule, i] for i in range(30)]))
        first_hit = evaluation.metrics().first_hit[0]
        for number in range(30):
            row = rows[rule, number]
            order = metrics.ranking(row, relevant, number, 150)
            assert one.positions[number].tolist() == order[:10].tolist()
            assert one.similarity[number] == pytest.approx(row[order[:10]], abs=1e-6)
            assert not np.isin(one.positions[number], relevant.dropped[number]).any()
            assert one.match[number] == order[first_hit[number] - 1]
            assert one.match_similarity[number] == pytest.approx(row[one.match[number]], abs=1e-6)
            tied += len(np.unique(row[order[:10]])) < 10
    assert bool(tied) == ties


def test_a_short_gallery_and_a_query_without_a_match() -> None:
    query, gallery = bank(0, 4), bank(1, 5)
    query.pid[0] = 99
    gallery.pid[:] = [99, 1, 2, 3, 4]
    gallery.camid[0] = query.camid[0]  # the query's own person and camera
    for one in found(query, gallery, 7).values():
        assert one.match[0] == NOBODY and np.isnan(one.match_similarity[0])
        assert 0 not in one.positions[0].tolist()
        assert sorted(one.positions[0].tolist()) == [NOBODY, NOBODY, NOBODY, 1, 2, 3, 4]
        assert np.isnan(one.similarity[0, 4:]).all()
