"""Queries with two views: everything made of similarities takes the larger one, as a double loop finds it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sorn import pairs, walk
from sorn.answers import AnswerTally
from sorn.error_rates import bins
from sorn.features import FeatureBank, Features, Views
from sorn.matching import similarity_blocks
from sorn.metrics import Evaluation, relevance
from sorn.pair_details import pair_details
from sorn.pairs import NearestTally, PairTally, PersonTally
from sorn.ranking import rank
from sorn.rules import Rule

RULES = [Rule(variant, 0.5, 0.5) for variant in ("global", "global+local", "sorn", "parts", "sorn+parts")]
MOVED = np.array([1, 2, 7, 11])


def bank(count: int, seed: int) -> FeatureBank:
    """Small whole features, so that similarities have ties."""
    rng = np.random.default_rng(seed)
    whole, local, parts = (rng.integers(-1, 2, (count, *shape)).astype(np.float32) for shape in ((3,), (3, 2), (5, 2)))
    shown, shares = rng.random((count, 3)).astype(np.float32), rng.random((count, 5)).astype(np.float32)
    ids = rng.integers(0, 5, count), rng.integers(0, 3, count)
    names = np.array([f"{seed}/{number}" for number in range(count)])
    return FeatureBank(whole, local, shown, *ids, names, part_features=parts, part_shares=shares)


GALLERY, PLAIN = bank(23, 1), bank(12, 0)
QUERY = PLAIN.with_second(MOVED, bank(len(MOVED), 2).features)
RELEVANT = relevance(QUERY.pid, QUERY.camid, GALLERY.pid, GALLERY.camid)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    length = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / length) if length else 0.0


def by_hand(view: FeatureBank, q: int, g: int, rule: Rule) -> tuple[float, int]:
    """Similarity (Eq. 15) and number in common of one view and one gallery image."""
    one, other = view.features, GALLERY.features
    values, terms = [], []
    if rule.variant in ("global+local", "sorn", "sorn+parts"):
        terms += [(one.local[q, p], other.local[g, p], one.visibility[q, p], other.visibility[g, p]) for p in range(3)]
    if rule.variant in ("parts", "sorn+parts"):
        shares = one.part_shares, other.part_shares
        terms += [
            (one.part_features[q, k], other.part_features[g, k], shares[0][q, k], shares[1][g, k]) for k in range(5)
        ]
    for a, b, seen, shown in terms:
        if rule.variant == "global+local" or (seen >= 0.5 and shown >= 0.5):
            values.append(cosine(a, b))
    return (cosine(one.global_[q], other.global_[g]) + sum(values)) / (1 + len(values)), len(values)


def expected(rule: Rule) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Similarities, numbers in common and whether the second view wins, [Nq, Ng] each."""
    assert QUERY.second is not None
    shape = len(QUERY), len(GALLERY)
    similarity, common, second = np.empty(shape, np.float32), np.empty(shape, int), np.zeros(shape, bool)
    for q in range(len(QUERY)):
        for g in range(len(GALLERY)):
            similarity[q, g], common[q, g] = by_hand(PLAIN, q, g, rule)
            if q in MOVED:
                value, shared = by_hand(QUERY.second.bank, MOVED.tolist().index(q), g, rule)
                if value > similarity[q, g] + 1e-6:
                    similarity[q, g], common[q, g], second[q, g] = value, shared, True
    return similarity, common, second


@pytest.fixture(params=[(5, 7), (256, 8192)])
def tiles(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    monkeypatch.setattr(walk, "tile_size", lambda *given: request.param)
    monkeypatch.setattr(pairs, "BAND", 3 * request.param[1])
    return request.param  # type: ignore[no-any-return]


class Seen:
    """Consumer that puts similarities and winning views together again."""

    whole_rows = False

    def __init__(self, rule: Rule) -> None:
        self.rules = (rule,)
        self.similarity = np.full((len(QUERY), len(GALLERY)), np.nan, np.float32)
        self.views = np.full((len(QUERY), len(GALLERY)), -1)

    def take(self, tile: walk.SimilarityTile) -> None:
        self.similarity[tile.rows, tile.columns] = tile.similarities[self.rules[0]]
        lines, columns = np.nonzero(np.ones_like(tile.similarities[self.rules[0]]))
        found = tile.views(self.rules[0], lines, columns)
        self.views[lines + tile.rows.start, columns + tile.columns.start] = found


def test_the_larger_similarity_counts_under_every_rule(tiles: tuple[int, int]) -> None:
    consumers = [Seen(rule) for rule in RULES]
    assert sum(walk.walk(QUERY, GALLERY, consumers, RELEVANT)) == len(QUERY)
    blocks = [[one.copy() for one in found] for _, found in similarity_blocks(QUERY, GALLERY, RULES, block=5)]
    whole = [np.concatenate(one) for one in zip(*blocks, strict=True)]
    for rule, consumer, similarity in zip(RULES, consumers, whole, strict=True):
        found, _, second = expected(rule)
        assert np.array_equal(consumer.similarity, similarity)
        np.testing.assert_allclose(similarity, found, atol=1e-6)
        numbers = np.arange(len(QUERY))
        numbers[MOVED] = len(QUERY) + np.arange(len(MOVED))
        views = np.where(second, numbers[:, None], np.arange(len(QUERY))[:, None])
        assert np.array_equal(consumer.views, views) and second[MOVED].any() and not second[MOVED].all()


def test_queries_with_one_view_have_the_same_bits() -> None:
    ((_, alone),) = similarity_blocks(PLAIN, GALLERY, RULES)
    ((_, found),) = similarity_blocks(QUERY, GALLERY, RULES)
    others = np.setdiff1d(np.arange(len(QUERY)), MOVED)
    for one, similarity in zip(alone, found, strict=True):
        assert np.array_equal(one[others], similarity[others]) and (similarity[MOVED] >= one[MOVED]).all()


def test_ranks_and_first_answers_are_those_of_the_larger_similarities(tiles: tuple[int, int]) -> None:
    evaluations = {rule: Evaluation(RELEVANT) for rule in RULES}
    answers = [AnswerTally(rule, len(QUERY), 4) for rule in RULES]
    assert sum(rank(QUERY, GALLERY, evaluations, beside=answers)) == len(QUERY)
    ((_, found),) = similarity_blocks(QUERY, GALLERY, RULES)
    for (rule, evaluation), tally, similarity in zip(evaluations.items(), answers, found, strict=True):
        whole = Evaluation(RELEVANT)
        whole.add(slice(0, len(QUERY)), similarity)
        assert np.array_equal(evaluation.metrics().ap, whole.metrics().ap, equal_nan=True), rule
        for q in range(len(QUERY)):
            row = similarity[q].copy()
            row[RELEVANT.dropped[q]] = -np.inf
            assert tally.answers.positions[q].tolist() == np.argsort(-row, kind="stable")[:4].tolist()


def test_pairs_count_by_what_the_better_view_has_in_common(tiles: tuple[int, int]) -> None:
    limits = {rule: np.linspace(-0.5, 0.75, len(kinds_of(rule)))[None] for rule in RULES}
    pair = {rule: PairTally(rule, QUERY, GALLERY) for rule in RULES}
    person = {rule: PersonTally(rule, QUERY, GALLERY, RELEVANT, limits[rule]) for rule in RULES}
    nearest = {rule: NearestTally(rule, len(QUERY)) for rule in RULES}
    consumers = [tally for kind in (pair, person, nearest) for tally in kind.values()]
    assert sum(walk.walk(QUERY, GALLERY, consumers, RELEVANT)) == len(QUERY)
    ((_, similarities),) = similarity_blocks(QUERY, GALLERY, RULES)
    for rule, similarity in zip(RULES, similarities, strict=True):
        _, common, _ = expected(rule)
        place = {pid: number for number, pid in enumerate(person[rule].persons.tolist())}
        names = ("same", "different", "wrong", "missed")
        same, different, wrong, missed = (np.zeros_like(getattr(person[rule], name)) for name in names)
        counted = np.zeros((2, pair[rule].kinds, len(pair[rule].all().same)), int)
        for q in range(len(QUERY)):
            for g in range(len(GALLERY)):
                alike, kind = QUERY.pid[q] == GALLERY.pid[g], common[q, g]
                if alike and QUERY.camid[q] == GALLERY.camid[g]:
                    continue
                assert pair[rule].asked[kind, q]
                counted[0 if alike else 1, kind, bins(similarity[q, g])] += 1
                reached = similarity[q, g] >= person[rule].thresholds[:, kind]
                if alike:
                    same[place[QUERY.pid[q]], kind] += 1
                    missed[:, place[QUERY.pid[q]], kind] += ~reached
                else:
                    for pid in (QUERY.pid[q], GALLERY.pid[g]):
                        different[place[pid], kind] += 1
                        wrong[:, place[pid], kind] += reached
        for kind, counts in enumerate(pair[rule].by_common()):
            assert np.array_equal(counts.same, counted[0, kind]) and np.array_equal(counts.different, counted[1, kind])
        for name, array in zip(names, (same, different, wrong, missed), strict=True):
            assert np.array_equal(getattr(person[rule], name), array), (rule, name)
        assert (nearest[rule].other <= similarity.max(axis=1)).all()


def kinds_of(rule: Rule) -> range:
    return range({"global": 1, "global+local": 4, "sorn": 4, "parts": 6, "sorn+parts": 9}[rule.variant])


def test_details_of_a_pair_are_those_of_the_better_view() -> None:
    positions = np.array([3, 0, 20, 9, 11])
    assert QUERY.second is not None
    for rule in RULES:
        second = expected(rule)[2]
        for q in (0, 2, 11):
            found = pair_details(QUERY, q, GALLERY, positions, rule)
            assert found.second.tolist() == second[q, positions].tolist()
            for i, g in enumerate(positions):
                view, row = (QUERY.second.bank, MOVED.tolist().index(q)) if second[q, g] else (PLAIN, q)
                alone = pair_details(view, row, GALLERY, np.array([g]), rule)
                for name in ("whole", "stripes", "parts", "visibility", "shares"):
                    assert np.array_equal(getattr(found, name)[i], getattr(alone, name)[0]), name
                assert found.whole[i] == pytest.approx(cosine(view.global_[row], GALLERY.global_[g]))


@pytest.mark.parametrize("rows", [slice(2, 8), np.array([7, 0, 1]), np.arange(12) > 6])
def test_a_part_of_a_bank_keeps_its_second_views(rows: np.ndarray | slice) -> None:
    taken, numbers = QUERY.take(rows), np.arange(len(QUERY))[rows]
    assert taken.second is not None and QUERY.second is not None
    assert numbers[taken.second.of].tolist() == [number for number in numbers if number in MOVED]
    places = [MOVED.tolist().index(number) for number in numbers[taken.second.of]]
    assert np.array_equal(taken.second.bank.local, QUERY.second.bank.local[places])
    assert (taken.second.bank.name == taken.name[taken.second.of]).all()
    assert QUERY.take(np.array([0, 3])).second is None and PLAIN.take(rows).second is None


def test_views_of_batches_are_joined() -> None:
    first, second = (
        Views(PLAIN.features, np.arange(12) < 2, PLAIN.take(slice(2)).features),
        Views.alone(GALLERY.features),
    )
    joined = Views.joined([first, second])
    assert joined.moved.tolist() == [True] * 2 + [False] * 33
    assert len(joined.first.global_) == 35 and np.array_equal(joined.second.local, PLAIN.local[:2])
    assert PLAIN.with_second(np.flatnonzero(second.moved), second.second) is PLAIN


def test_second_views_of_another_network_or_number_are_refused() -> None:
    narrow = Features(*(values[:, :1] for values in QUERY.features))
    for of, found in ((np.array([1]), PLAIN.features), (np.arange(12), narrow)):
        with pytest.raises(ValueError, match="another shape"):
            dataclasses.replace(PLAIN, second=None).with_second(of, found)
