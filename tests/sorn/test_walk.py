"""A walk gives every pair to every consumer once, in tiles that fit into memory."""

from __future__ import annotations

import numpy as np
import pytest
from random_banks import bank, relevance

from sorn import matching, walk
from sorn.matching import similarity_blocks
from sorn.rules import Rule
from sorn.walk import SimilarityTile

RULES = Rule("global"), Rule("sorn", 0.3)


class Seen:
    """Consumer that puts the tiles together again."""

    def __init__(self, rule: Rule, whole_rows: bool = False) -> None:
        self.rules, self.whole_rows = (rule,), whole_rows
        self.similarity = np.full((20, 70), np.nan, np.float32)
        self.pairs: dict[str, set[tuple[int, int]]] = {"same": set(), "left_out": set()}
        self.tiles: list[SimilarityTile] = []

    def take(self, tile: SimilarityTile) -> None:
        place = self.similarity[tile.rows, tile.columns]
        assert np.isnan(place).all()
        place[:] = tile.similarities[self.rules[0]]
        for name, pairs in self.pairs.items():
            lines, columns = getattr(tile, name)
            pairs |= set(zip((lines + tile.rows.start).tolist(), (columns + tile.columns.start).tolist(), strict=True))
        self.tiles.append(tile)


@pytest.mark.parametrize("size", [(6, 16), (6, 70), (20, 33)])
def test_every_consumer_meets_every_pair_once(monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    query, gallery = bank(0, 20), bank(1, 70)
    relevant, consumers = relevance(query, gallery), [Seen(rule) for rule in (*RULES, RULES[1])]
    monkeypatch.setattr(walk, "tile_size", lambda *given: size)
    assert list(walk.walk(query, gallery, consumers, relevant)) == [
        len(range(20)[i : i + size[0]]) for i in range(0, 20, size[0])
    ]
    ((_, expected),) = similarity_blocks(query, gallery, RULES)
    for consumer, similarity in zip(consumers, (*expected, expected[1]), strict=True):
        assert (consumer.similarity == similarity).all()
        for name, positions in (("same", relevant.matches), ("left_out", relevant.dropped)):
            assert consumer.pairs[name] == {(q, int(g)) for q, found in enumerate(positions) for g in found}
    tiles = consumers[0].tiles
    assert [tile.columns.start for tile in tiles if tile.first] == [0] * -(-20 // size[0])
    assert [tile.columns.stop for tile in tiles if tile.last] == [70] * -(-20 // size[0])
    assert all(tile.whole == (size[1] == 70) for tile in tiles)


def test_a_consumer_gets_the_whole_rows_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    query, gallery = bank(0, 20), bank(1, 70)
    monkeypatch.setattr(walk, "FEWEST", 8)
    monkeypatch.setattr(matching, "MEMORY", 4 * 70 * 2 * 3)  # rows of 3 queries under two rules
    for whole in (False, True):
        one, other = Seen(RULES[0]), Seen(RULES[1], whole)
        assert sum(walk.walk(query, gallery, [one, other], relevance(query, gallery))) == 20
        assert all(tile.whole == whole for tile in one.tiles)
        for tile in one.tiles:
            assert sum(similarity.nbytes for similarity in tile.similarities.values()) <= matching.MEMORY


@pytest.mark.parametrize("rules", [1, 14])
@pytest.mark.parametrize("gallery", [800, 15_913, 60_000, 200_000, 1_000_000])
def test_a_tile_is_no_larger_than_memory_and_whole_for_the_usual_datasets(gallery: int, rules: int) -> None:
    height, width = walk.tile_size(2000, gallery, rules, whole=False)
    assert 4 * rules * height * width <= matching.MEMORY and height >= walk.FEWEST
    assert (width == gallery) == (gallery < 20_000 or (gallery, rules) == (60_000, 1))
    assert walk.tile_size(2000, gallery, rules, whole=True)[1] == gallery


def test_a_walk_for_nobody_reads_nothing() -> None:
    query, gallery = bank(0, 20), bank(1, 70)
    assert list(walk.walk(query, gallery, [], relevance(query, gallery))) == []
