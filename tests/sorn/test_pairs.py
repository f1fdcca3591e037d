"""Pairs of two banks: every tally agrees with a loop over all pairs, in tiles of any size."""

from __future__ import annotations

import numpy as np
import pytest

from sorn import pairs, walk
from sorn.error_rates import bins
from sorn.features import FeatureBank
from sorn.matching import similarity_blocks
from sorn.metrics import relevance
from sorn.pairs import InCommon, NearestTally, PairTally, PersonTally, compared, in_common
from sorn.rules import Rule

RULES = [Rule(variant, 0.5, 0.5) for variant in ("global", "global+local", "sorn", "parts", "sorn+parts")]


def bank(count: int, seed: int) -> FeatureBank:
    """Small whole features, so that similarities have ties."""
    rng = np.random.default_rng(seed)
    whole, local, parts = (rng.integers(-1, 2, (count, *shape)).astype(np.float32) for shape in ((3,), (3, 2), (5, 2)))
    shown, shares = rng.random((count, 3)).astype(np.float32), rng.random((count, 5)).astype(np.float32)
    ids = rng.integers(0, 7, count), rng.integers(0, 3, count)
    names = np.arange(count).astype(str)
    return FeatureBank(whole, local, shown, *ids, names, part_features=parts, part_shares=shares)


QUERY, GALLERY = bank(20, 0), bank(33, 1)
RELEVANT = relevance(QUERY.pid, QUERY.camid, GALLERY.pid, GALLERY.camid)


@pytest.fixture(params=[(7, 10), (256, 8192)])
def found(request, monkeypatch):
    """Tallies of all rules after all tiles, and the similarities [Nq, Ng] of each rule."""
    monkeypatch.setattr(walk, "tile_size", lambda *given: request.param)
    monkeypatch.setattr(pairs, "BAND", 3 * request.param[1])
    whole = [np.concatenate(one) for one in zip(*([s.copy() for s in found] for _, found in blocks()), strict=True)]
    tallies = []
    for rule in RULES:
        kinds = compared(rule, QUERY).shape[1] + 1
        limits = np.array([np.full(kinds, 0.25), np.linspace(-0.5, 0.75, kinds)])
        persons = PersonTally(rule, QUERY, GALLERY, RELEVANT, limits)
        tallies.append((PairTally(rule, QUERY, GALLERY), persons, NearestTally(rule, len(QUERY))))
    assert sum(walk.walk(QUERY, GALLERY, [tally for own in tallies for tally in own], RELEVANT)) == len(QUERY)
    return tallies, whole


def blocks():
    return similarity_blocks(QUERY, GALLERY, RULES)


def all_pairs():
    """Positions and whether the person is the same, for each pair that the filter leaves."""
    for q in range(len(QUERY)):
        for g in range(len(GALLERY)):
            same = QUERY.pid[q] == GALLERY.pid[g]
            if not (same and QUERY.camid[q] == GALLERY.camid[g]):
                yield q, g, same


def shared(rule: Rule, q: int, g: int) -> int:
    stripes = sum(a >= 0.5 and b >= 0.5 for a, b in zip(QUERY.visibility[q], GALLERY.visibility[g], strict=True))
    parts = sum(a >= 0.5 and b >= 0.5 for a, b in zip(QUERY.part_shares[q], GALLERY.part_shares[g], strict=True))
    return {"global": 0, "global+local": 3, "sorn": stripes, "parts": parts, "sorn+parts": stripes + parts}[
        rule.variant
    ]


def test_what_two_images_have_in_common_is_counted():
    for rule in RULES:
        common = in_common(compared(rule, QUERY), compared(rule, GALLERY))
        assert all(common[q, g] == shared(rule, q, g) for q in range(len(QUERY)) for g in range(len(GALLERY)))
        by_pattern = InCommon(rule, QUERY, GALLERY)
        assert np.array_equal(by_pattern(np.arange(len(QUERY))[:, None], np.arange(len(GALLERY))), common)


def test_pairs_are_counted_by_similarity_and_by_what_they_share(found):
    for rule, (tally, _, _), similarity in zip(RULES, *found, strict=True):
        expected = [np.zeros_like(np.stack([one.same, one.different])) for one in tally.by_common()]
        for q, g, same in all_pairs():
            expected[shared(rule, q, g)][0 if same else 1, bins(similarity[q, g])] += 1
        for one, (same_counts, different_counts) in zip(tally.by_common(), expected, strict=True):
            assert np.array_equal(one.same, same_counts) and np.array_equal(one.different, different_counts)
        assert tally.all().same.sum() + tally.all().different.sum() == sum(1 for _ in all_pairs())


def test_errors_are_counted_for_both_persons_of_a_pair(found):
    for rule, (_, tally, _), similarity in zip(RULES, *found, strict=True):
        place = {pid: number for number, pid in enumerate(tally.persons.tolist())}
        different, wrong, same, missed = (
            np.zeros_like(a) for a in (tally.different, tally.wrong, tally.same, tally.missed)
        )
        for q, g, alike in all_pairs():
            kind, asked, ranked = shared(rule, q, g), place[QUERY.pid[q]], place[GALLERY.pid[g]]
            reached = similarity[q, g] >= tally.thresholds[:, kind]
            if alike:
                same[asked, kind] += 1
                missed[:, asked, kind] += ~reached
            else:
                for person in (asked, ranked):
                    different[person, kind] += 1
                    wrong[:, person, kind] += reached
        for ours, theirs in zip(
            (different, wrong, same, missed), ("different", "wrong", "same", "missed"), strict=True
        ):
            assert np.array_equal(ours, getattr(tally, theirs)), theirs


def test_the_nearest_match_and_the_nearest_other_person(found):
    for (_, _, tally), similarity in zip(*found, strict=True):
        for q in range(len(QUERY)):
            own = [(-similarity[q, g], g, same) for p, g, same in all_pairs() if p == q]
            for kind, held in ((True, tally.match), (False, tally.other)):
                assert held[q] == max((-value for value, _, same in own if same == kind), default=-np.inf)
            assert tally.first[q] == min(own)[2]
