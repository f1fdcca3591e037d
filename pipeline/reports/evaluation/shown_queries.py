"""Queries that a report shows, with their ranked gallery images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.per_query import per_query
from pipeline.evaluation.scores import Scores, fullest
from sorn.config import OF_PARTS
from sorn.pair_details import PairDetails, pair_details
from sorn.parts import PART_TAU, group_names
from sorn.rules import Rule, indicators
from sorn.sample import Sample

KINDS = ("random", "worst", "best")
# In the order shown: first the random queries.


@dataclass(frozen=True)
class ComparedPart:
    """One part group of a query and an answer.

    visible: in the query, in the gallery image. It counts if it is visible in both.
    """

    name: str
    visible: tuple[bool, bool]
    similarity: float


@dataclass(frozen=True)
class RankedImage:
    """One gallery image in a ranked list.

    rank: 1-based. pid, camid: as the dataset writes them. image: [H, W, 3] uint8. visible: [P] bool, its I_p of Eq. 12.
    whole: D_global of Eq. 13, nan without a global branch. stripes: [P] float32, D_p of Eq. 14. counted: [P] bool, the
    stripes that this variant adds up. parts: the part groups, if this variant compares them. similarity: the mean of
    `whole` and of all that counts, Eq. 15. asked: [P] bool, the visible stripes of the query in the view that is
    compared. second: whether that is its second view.
    """

    rank: int
    name: str
    pid: str
    camid: str
    image: np.ndarray
    visible: np.ndarray
    similarity: float
    right: bool
    whole: float
    stripes: np.ndarray
    counted: np.ndarray
    parts: list[ComparedPart]
    asked: np.ndarray
    second: bool


@dataclass(frozen=True)
class AnswerList:
    """The best gallery images of one query under one variant.

    first_hit: 1-based rank of the first match. If the first match ranks below all other answers, it is the last answer.
    """

    variant: str
    first_hit: int
    answers: list[RankedImage]


@dataclass(frozen=True)
class ShownQuery:
    """One query and its ranked lists.

    kinds: those of KINDS that it is shown as. pid, camid: as the dataset writes them. visible: [P] bool. ap: average
    precision of the fullest variant. matches: gallery images that count as right. lists: of SIDE_BY_SIDE, the fullest
    variant first.
    """

    kinds: tuple[str, ...]
    name: str
    pid: str
    camid: str
    image: np.ndarray
    visible: np.ndarray
    ap: float
    matches: int
    lists: list[AnswerList]


def shown_queries(
    scores: Scores, sample_of: Callable[[str], Sample], tau: float, part_tau: float = PART_TAU
) -> dict[int, ShownQuery]:
    """Position of a query -> its content, in the order of KINDS."""
    gallery = _Gallery(scores, sample_of, tau, part_tau)
    positions = list(dict.fromkeys(number for kind in KINDS for number in scores.shown[kind]))
    precision = per_query(scores.metrics[fullest(scores.variants)])["mAP"]
    query = scores.query
    return {
        number: ShownQuery(
            tuple(kind for kind in KINDS if number in scores.shown[kind]),
            str(query.name[number]),
            scores.names.person(int(query.pid[number])),
            scores.names.camera(int(query.camid[number])),
            sample_of(str(query.name[number])).image,
            gallery.query_visible(number),
            float(precision[number]),
            len(scores.relevant.matches[number]),
            [gallery.answers(variant, number) for variant in scores.answers],
        )
        for number in positions
    }


@dataclass(frozen=True)
class _Gallery:
    """Gallery of the ranked lists.

    tau: threshold of Eq. 12. part_tau: as in `Rule`.
    """

    scores: Scores
    sample_of: Callable[[str], Sample]
    tau: float
    part_tau: float

    def query_visible(self, number: int) -> np.ndarray:
        """Visible stripes of a query, [P] bool."""
        visible: np.ndarray = indicators(self.scores.query.visibility[number], self.tau) > 0
        return visible

    def answers(self, variant: str, number: int) -> AnswerList:
        """Best images for one query under one variant, and the first match if it ranks below them."""
        scores, gallery, first = self.scores, self.scores.gallery, self.scores.answers[variant]
        positions, ranks, similarity = first.of(number)
        right = np.isin(positions, scores.relevant.matches[number])
        details = pair_details(scores.query, number, gallery, positions, Rule(variant, self.tau, self.part_tau))
        visible, asked = (indicators(v, self.tau) > 0 for v in (gallery.visibility[positions], details.visibility))
        counted = _counted(variant, visible, asked)
        parts = self._parts(details, positions) if variant in OF_PARTS else [[] for _ in positions]
        answers = [
            RankedImage(
                int(ranks[i]),
                str(gallery.name[position]),
                scores.names.person(int(gallery.pid[position])),
                scores.names.camera(int(gallery.camid[position])),
                self.sample_of(str(gallery.name[position])).image,
                visible[i],
                float(similarity[i]),
                bool(right[i]),
                float(details.whole[i]),
                details.stripes[i],
                counted[i],
                parts[i],
                asked[i],
                bool(details.second[i]),
            )
            for i, position in enumerate(positions)
        ]
        return AnswerList(variant, int(first.first_hit[number]), answers)

    def _parts(self, details: PairDetails, positions: np.ndarray) -> list[list[ComparedPart]]:
        """Part groups of a query and of some gallery images."""
        asked = indicators(details.shares, self.part_tau) > 0
        shown = indicators(self.scores.gallery.features.part_shares[positions], self.part_tau) > 0
        return [
            [
                ComparedPart(name, (bool(asked[i, k]), bool(shown[i, k])), float(details.parts[i, k]))
                for k, name in enumerate(group_names(shown.shape[1]))
            ]
            for i in range(len(positions))
        ]


def _counted(variant: str, visible: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Stripes that a variant adds up, [n, P] bool. visible: of the gallery images. asked: of the query."""
    if variant in ("sorn", "sorn+parts"):
        counted: np.ndarray = visible & asked
        return counted
    return np.ones_like(visible) if variant == "global+local" else np.zeros_like(visible)
