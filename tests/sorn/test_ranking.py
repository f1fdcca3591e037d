"""Ranks by tiles are the ranks by whole rows, ties and dropped images included."""

from __future__ import annotations

import numpy as np
import pytest
from random_banks import bank, relevance

from sorn import matching, metrics, ranking, walk
from sorn.features import FeatureBank
from sorn.metrics import Evaluation, Metrics, Relevance
from sorn.rerank import Reranked, Reranking, reranked_blocks
from sorn.rules import Rule
from sorn.single_shot import SingleShotEvaluation

RULES = [Rule("global"), Rule("global+local"), Rule("sorn", 0.15), Rule("sorn", 0.5)]


def ranked(query: FeatureBank, gallery: FeatureBank, relevant: Relevance) -> dict[Rule, Metrics]:
    evaluations = {rule: Evaluation(relevant) for rule in RULES}
    assert sum(ranking.rank(query, gallery, evaluations)) == len(query)
    return {rule: evaluation.metrics() for rule, evaluation in evaluations.items()}


def by_tiles(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """As if the similarities of 8 queries and `width` gallery images filled the memory."""
    monkeypatch.setattr(walk, "FEWEST", 4)
    monkeypatch.setattr(matching, "MEMORY", 4 * len(RULES) * 8 * width)
    monkeypatch.setattr(matching, "block_size", lambda queries, gallery, rules: 1)
    refuse = lambda *given: pytest.fail("whole rows were asked for")  # noqa: E731
    monkeypatch.setattr(Evaluation, "add", refuse)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("width", [7, 64, 149])
def test_tiles_give_the_ranks_of_whole_rows(monkeypatch: pytest.MonkeyPatch, width: int, ties: bool) -> None:
    query, gallery = bank(0, 30, ties), bank(1, 150, ties)
    query.pid[3] = 99  # nobody in the gallery
    relevant = relevance(query, gallery)
    expected = ranked(query, gallery, relevant)
    by_tiles(monkeypatch, width)
    found = ranked(query, gallery, relevant)
    for rule in RULES:
        assert found[rule].skipped == expected[rule].skipped >= 1
        assert found[rule].first_hit.tolist() == expected[rule].first_hit.tolist()
        np.testing.assert_array_equal(found[rule].ap, expected[rule].ap)
        np.testing.assert_array_equal(found[rule].inp, expected[rule].inp)


@pytest.mark.parametrize(("error", "fails"), [(1e-5, False), (1e-2, True)])
def test_a_margin_that_is_too_narrow_is_noticed(monkeypatch: pytest.MonkeyPatch, error: float, fails: bool) -> None:
    """As if the products of tiles differed that much from those of the matches alone."""
    query, gallery = bank(0, 10), bank(1, 60)
    relevant = relevance(query, gallery)
    expected = ranked(query, gallery, relevant)
    by_tiles(monkeypatch, 16)
    blocks = ranking.similarity_blocks

    def shifted(*given: object) -> object:
        for rows, similarities in blocks(*given):  # type: ignore[arg-type]
            yield rows, [similarity + np.float32(error) for similarity in similarities]

    monkeypatch.setattr(ranking, "similarity_blocks", shifted)
    if fails:
        with pytest.raises(ValueError, match="differ by more than rounding"):
            ranked(query, gallery, relevant)
    else:
        found = ranked(query, gallery, relevant)
        assert all((found[rule].ap == expected[rule].ap).all() for rule in RULES)


def test_features_that_are_not_finite_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    query, gallery = bank(0, 10), bank(1, 60)
    gallery.global_[17] = np.nan
    by_tiles(monkeypatch, 16)
    with pytest.raises(ValueError, match="not finite"):
        ranked(query, gallery, relevance(query, gallery))


def test_single_shot_draws_from_whole_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    query, gallery = bank(0, 10), bank(1, 60)
    relevant = relevance(query, gallery)
    monkeypatch.setattr(matching, "block_size", lambda queries, gallery, rules: 1)
    evaluation = SingleShotEvaluation(relevant, 5, 0)
    assert sum(ranking.rank(query, gallery, {RULES[2]: evaluation})) == 10
    assert evaluation.metrics().trials == 5


def test_nobody_with_a_match_gives_figures_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    query, gallery = bank(0, 10), bank(1, 60)
    query.pid[:] = 99
    by_tiles(monkeypatch, 16)
    assert ranked(query, gallery, relevance(query, gallery))[RULES[0]].queries == 0


def test_a_reranked_rule_is_evaluated_beside_the_others() -> None:
    query, gallery = bank(0, 30), bank(1, 90)
    relevant = metrics.relevance(query.pid, query.camid, gallery.pid, gallery.camid)
    options = Reranking(k1=8, k2=3)
    again = Reranked(RULES[2], options)
    evaluations = {rule: Evaluation(relevant) for rule in (RULES[2], again)}
    assert sum(ranking.rank(query, gallery, evaluations)) == len(query)
    expected = Evaluation(relevant)
    for rows, similarity in reranked_blocks(query, gallery, RULES[2], options):
        expected.add(rows, similarity)
    found, plain = (evaluations[rule].metrics() for rule in (again, RULES[2]))
    np.testing.assert_array_equal(found.ap, expected.metrics().ap)
    assert not np.array_equal(found.ap, plain.ap)
