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
        )


@dataclass(frozen=True)
class RankedAnswer:
    """Hits of one query.

    visibility: v_p of each stripe. visible: I_p of Eq. 12. visible_parts: of each part group.
    """

    query: str
    visibility: tuple[float, ...]
    visible: tuple[bool, ...]
    hits: tuple[RankedHit, ...]
    visible_parts: tuple[bool, ...] = ()


@dataclass(frozen=True)
class SearchDocument:
    """Contents of search.json.

    candidates: number per query, None where the whole gallery was ranked. recall: None if it was not measured.
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
                )
                for answer in answers
            ),
        )
