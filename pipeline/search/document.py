"""Contents of search.json, typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pipeline.io.documents import Key
from pipeline.search.answers import Answer, Hit, Recall
from pipeline.search.searcher import Searcher

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class SearchedGallery:
    """Gallery of a search.

    folder: where its pictures were. left_out: pictures that were not taken, in words.
    """

    path: str
    folder: str | None
    images: int
    left_out: str


@dataclass(frozen=True)
class RecallShares:
    """Share of the exact answers that the candidates hold, in [0, 1].

    queries: mean over the queries. drawn: mean over `pictures` gallery pictures.
    """

    queries: float
    drawn: float | None
    pictures: int


@dataclass(frozen=True)
class RankedHit:
    """Gallery picture of an answer.

    similarity: Eq. 15. global_similarity: Eq. 13. stripes: Eq. 14 of each stripe. parts: the same of each part group.
    false_match_rate: share of pairs of different people that are as similar, at most; None where it is unknown. own:
    whether it is the query's own file. box: x, y, w, h in the file; None for a whole file.
    """

    rank: int
    name: str
    path: str | None
    similarity: float
    global_similarity: Annotated[float | None, Key("global")]
    stripes: tuple[float, ...]
    visible: tuple[bool, ...]
    blank: bool
    parts: tuple[float, ...] = ()
    visible_parts: tuple[bool, ...] = ()
    false_match_rate: float | None = None
    own: bool = False
    box: tuple[float, ...] | None = None

    @classmethod
    def of(cls, rank: int, hit: Hit) -> RankedHit:
        path = str(hit.path) if hit.path else None
        return cls(
            rank,
            hit.name,
            path,
            hit.similarity,
            hit.global_similarity,
            hit.stripes,
            hit.visible,
            blank=hit.blank,
            parts=hit.parts,
            visible_parts=hit.visible_parts,
            false_match_rate=hit.false_match_rate,
            own=hit.own,
            box=hit.box,
        )


@dataclass(frozen=True)
class RankedAnswer:
    """Hits of one query; empty where none is similar enough.

    visibility: v_p of each stripe. visible: I_p of Eq. 12. visible_parts: of each part group.
    highest: similarity of the most similar picture.
    """

    query: str
    visibility: tuple[float, ...]
    visible: tuple[bool, ...]
    hits: tuple[RankedHit, ...]
    visible_parts: tuple[bool, ...] = ()
    highest: float | None = None


@dataclass(frozen=True)
class SearchDocument:
    """Contents of search.json.

    candidates: number per query, None where the whole gallery was ranked. recall: None if it was not measured. wanted:
    what a hit had to reach, in words, "" for nothing. thresholds: by number of stripes and part groups in common, None
    for none. rates_of: dataset and split of the false-match rates, "" without.
    """

    schema_version: int
    model: str
    checkpoint_sha256: str
    precision: str
    gallery: SearchedGallery
    variant: str
    tau: float
    part_tau: float
    candidates: int | None
    recall: RecallShares | None
    queries: tuple[RankedAnswer, ...]
    wanted: str = ""
    thresholds: tuple[float, ...] | None = None
    rates_of: str = ""

    @classmethod
    def of(cls, searcher: Searcher, answers: tuple[Answer, ...], recall: Recall | None) -> SearchDocument:
        gallery, embedder = searcher.gallery, searcher.embedder
        attrs = gallery.attrs
        return cls(
            SCHEMA_VERSION,
            model=str(embedder.weights.parent),
            checkpoint_sha256=embedder.sha256,
            precision=embedder.inference.precision,
            gallery=SearchedGallery(
                str(gallery.path), attrs.get("folder"), len(gallery.bank), attrs.get("left_out", "")
            ),
            variant=searcher.rule.variant,
            tau=searcher.tau,
            part_tau=searcher.rule.part_tau,
            candidates=searcher.count or None,
            recall=RecallShares(recall.queries, recall.drawn, recall.pictures) if recall else None,
            queries=tuple(
                RankedAnswer(
                    answer.name,
                    answer.visibility,
                    answer.visible,
                    tuple(RankedHit.of(rank, hit) for rank, hit in enumerate(answer.hits, 1)),
                    answer.visible_parts,
                    answer.highest,
                )
                for answer in answers
            ),
            wanted=searcher.decision.words,
            thresholds=searcher.decision.thresholds,
            rates_of=searcher.decision.source,
        )
