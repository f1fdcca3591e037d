"""Matching (Eq. 12-15, Algorithm 1): two feature banks -> similarities.

The similarities come in blocks of queries. The paper calls D a distance; it is a cosine similarity: larger is closer.
Equal features have equal similarities, alone or among others, wherever they stand (`sorn.products`). Beside the
variants of the paper there are those that compare part groups.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from sorn.config import OF_PARTS
from sorn.features import FeatureBank
from sorn.products import filled
from sorn.rules import Rule
from sorn.threads import share
from sorn.vectors import MAPPED, Asked, Kinds, Vectors

NOTHING_IN_COMMON = -1.0
# Similarity of a pair without a common visible stripe or part group and without global features: the lowest cosine.

MEMORY = 192 << 20
# Bytes of similarities in memory at a time: as many queries as fit, against the whole gallery.

THREADS_OF_GPU = 4
# Threads that use one GPU together: each has memory of its own there.

SecondWins = tuple[np.ndarray, list[np.ndarray]]
# Lines of the queries of a tile that have two views, int64 [m], and per rule where the second one is more similar, bool
# [m, n].


def similarity_blocks(
    query: FeatureBank,
    gallery: FeatureBank,
    rules: Sequence[Rule],
    device: torch.device | str = "cpu",
    block: int = 0,
) -> Iterator[tuple[slice, list[np.ndarray]]]:
    """Similarities of blocks of queries with the whole gallery.

    Yields (slice of queries, per rule similarities [b, Ng] float32) in the order of the queries. The arrays are valid
    until the next block is asked for.

    The products D_global, D_1 ... D_P (Eq. 13, 14), and those of the part groups, are computed once, chunk by chunk of
    the gallery, are divided by the lengths of the vectors, and every rule combines them (Eq. 15). All variants and a
    sweep of tau then need the operations of one product of the concatenated features. A zero vector has similarity 0 to
    everything. Without stripes (P = 0) every variant of the paper is Eq. 13. Without global features (Dg = 0,
    "Local+Semantic" of Table I) the global term and its 1 leave Eq. 15; a pair without a common visible stripe or part
    group then gets NOTHING_IN_COMMON. A query with two views has the larger similarity of the two.

    device: where the products are computed; the features stay where they are. block: number of queries at a time; 0 for
    as many as MEMORY allows. Raises ValueError for "global" without global features, for a variant of part groups
    without their features, for exact stripes without ground truth, and for banks of different shapes.
    """
    size = block or block_size(len(query), len(gallery), len(rules))
    for rows, _, similarities, _ in similarity_tiles(query, gallery, rules, size, len(gallery), device):
        yield rows, similarities


def similarity_tiles(
    query: FeatureBank,
    gallery: FeatureBank,
    rules: Sequence[Rule],
    height: int,
    width: int,
    device: torch.device | str = "cpu",
) -> Iterator[tuple[slice, slice, list[np.ndarray], SecondWins | None]]:
    """Similarities of tiles of queries and gallery images.

    As `similarity_blocks`, with at most `height` queries by `width` gallery images: (queries, gallery images, per rule
    similarities, and which of them are of second views; None where no query of the tile has one). The whole gallery
    follows for the first queries, then for the next.
    """
    _require_answerable(query, gallery, rules)
    kinds = Kinds(
        any(rule.variant not in ("global", "parts") for rule in rules),
        any(rule.variant in OF_PARTS for rule in rules),
    )
    device = torch.empty(0, device=device).device  # with its number: the threads have a current GPU each
    ranked = Vectors.of(gallery, kinds)
    memory = np.empty(len(rules) * height * width, np.float32)
    for rows in _slices(0, len(query), height):
        asked = Asked.of(query.take(rows), kinds, rules, device)
        views = query.second and query.second.take(np.arange(rows.start, rows.stop))
        second = None
        if views:
            second = _Second(views.of, Asked.of(views.bank, kinds, rules, device), len(rules), width)
        for columns in _slices(0, len(gallery), width):
            shape = len(rules), len(asked), columns.stop - columns.start
            tile = memory[: math.prod(shape)].reshape(shape)
            _fill(tile, columns, asked, second, ranked, rules, device)
            won = (second.of, [wins[:, : shape[2]] for wins in second.wins]) if second else None
            yield rows, columns, list(tile), won


def _fill(
    tile: np.ndarray,
    columns: slice,
    asked: Asked,
    second: _Second | None,
    ranked: Vectors,
    rules: Sequence[Rule],
    device: torch.device,
) -> None:
    """Similarities of some queries with the gallery images `columns`, chunk by chunk in several threads."""
    from sorn.similarity_kernels import combine

    size = ranked.chunk(len(asked), columns.stop - columns.start)

    def begin() -> Callable[[slice], None]:
        memory, read = torch.empty(len(ranked) * filled(len(asked)) * filled(size)), 0

        def fill(chunk: slice) -> None:
            nonlocal read
            lengths, shown = ranked.inverse_lengths(chunk), ranked.shown(chunk, rules)
            place = slice(chunk.start - columns.start, chunk.stop - columns.start)
            vectors = [one.to(device) for one in ranked.rows(chunk)]
            products = asked.products(vectors, memory)
            combine(products, asked.lengths, lengths, asked.seen, shown, tile, place.start)
            if second:
                found = np.empty((len(rules), len(second.of), place.stop - place.start), np.float32)
                products = second.asked.products(vectors, memory)  # no more of them than of first views
                combine(products, second.asked.lengths, lengths, second.asked.seen, shown, found, 0)
                second.compete(tile, place, found)
            read += (chunk.stop - chunk.start) * ranked.bytes_of_image
            if read >= MAPPED:
                ranked.bank.forget()
                read = 0

        return fill

    share(begin, list(_slices(columns.start, columns.stop, size)), 0 if device.type == "cpu" else THREADS_OF_GPU)
    ranked.bank.forget()


def largest(row: np.ndarray, count: int) -> np.ndarray:
    """Positions of the `count` largest values of row [n], largest first, int64.

    Equal values keep their order.
    """
    if count < len(row):
        near = np.flatnonzero(row >= np.partition(row, len(row) - count)[len(row) - count])
    else:
        near = np.arange(len(row))
    return near[np.argsort(-row[near], kind="stable")][:count]


def block_size(queries: int, gallery: int, rules: int) -> int:
    """Number of queries whose similarities fit into MEMORY together.

    All blocks get about the same size.
    """
    most = max(1, MEMORY // max(1, 4 * gallery * rules))
    blocks = -(-queries // most)
    return -(-queries // blocks) if queries else 1


class _Second:
    """Second views of the queries of a tile. of: lines of these. wins: where they are more similar."""

    def __init__(self, of: np.ndarray, asked: Asked, rules: int, width: int) -> None:
        self.of, self.asked = of, asked
        self.wins = np.empty((rules, len(of), width), bool)

    def compete(self, tile: np.ndarray, place: slice, found: np.ndarray) -> None:
        """Put the larger similarity into the columns `place`, per rule [b, n]."""
        for out, wins, second in zip(tile, self.wins, found, strict=True):
            first = out[self.of, place]
            wins[:, place] = second > first
            out[self.of, place] = np.maximum(first, second)


def _require_answerable(query: FeatureBank, gallery: FeatureBank, rules: Sequence[Rule]) -> None:
    if query.widths != gallery.widths:
        of_query, of_gallery = (" and ".join(map(str, bank.widths)) for bank in (query, gallery))
        raise ValueError(f"features of different networks: query {of_query}, gallery {of_gallery}")
    if query.global_.shape[1] == 0 and any(rule.variant == "global" for rule in rules):
        raise ValueError('variant "global" needs global features; this network has no global branch')
    if query.part_features is None and any(rule.variant in OF_PARTS for rule in rules):
        raise ValueError('variants "parts" and "sorn+parts" need part features; this network has no part branch')
    lacking = query.exact is None or gallery.exact is None or query.second is not None
    if lacking and any(rule.exact for rule in rules):
        raise ValueError("exact stripes need the scores of the ground truth; these banks have none")


def _slices(start: int, stop: int, size: int) -> Iterator[slice]:
    for first in range(start, stop, size):
        yield slice(first, min(first + size, stop))
