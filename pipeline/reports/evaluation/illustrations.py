"""Pictures of a report and their captions: scores and samples -> pictures/*.png."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.evaluation.part_masks import EXACT, PartReference
from pipeline.evaluation.scores import Scores
from pipeline.features.store import Examples
from pipeline.reports.canvas import SheetTitle
from pipeline.reports.evaluation.shown_queries import AnswerList, ShownQuery
from pipeline.reports.markdown import escape
from pipeline.reports.pictures import Explained, Ranked, RankedList, draw_maps, draw_part_masks, draw_ranked_lists

ROW_LABELS = {
    "sorn": "sorn: the global feature and the stripes visible in both images (Eq. 15)",
    "global+local": "global+local: the global feature and every stripe",
    "global": "global: the global feature alone (Eq. 13)",
    "parts": "parts: the global feature and the part groups visible in both images",
    "sorn+parts": "sorn+parts: the global feature, and the stripes and part groups visible in both images",
}

GROUND_TRUTH = "ground truth"  # name of a column

STRIPE_SCORES = {  # by eval.visibility
    "network": "its coloured share (Eq. 11, 12)",
    "pose": "the confidence of the surest landmark in it",
    "segmenter": "the share of it that the external segmenter calls a part of the body",
}


@dataclass(frozen=True)
class Picture:
    """One picture of a report.

    file: name inside the pictures folder. section: the heading it belongs under. caption: what to see in it.
    """

    file: str
    section: str
    caption: str


@dataclass(frozen=True)
class Illustrator:
    """Draws the pictures of one report into `folder`.

    reference: masks shown beside predicted parts. tau: threshold of Eq. 12. length: images per ranked list. visibility:
    source of the visibility scores, as in `eval.visibility`.
    """

    folder: Path
    reference: PartReference
    tau: float
    length: int
    seed: int
    visibility: str

    def draw(self, drawn: list[ShownQuery], explained: list[Explained]) -> list[Picture]:
        """Draw the queries chosen at random; replace the folder's content."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if not drawn:
            return []
        pictures = [
            self._ranked_lists(query, f"{place} of {len(drawn)}", place) for place, query in enumerate(drawn, 1)
        ]
        note = f"{len(explained)} queries drawn at random, seed {self.seed}"
        if explained[0].parts is not None:
            draw_part_masks(
                self.folder / "part-masks.png", SheetTitle("Part masks", note), self.reference.labels, explained
            )
            pictures.append(Picture("part-masks.png", "Part masks", self.parts_caption(explained)))
        if len(explained[0].maps):
            draw_maps(self.folder / "maps.png", SheetTitle("Aggregation maps", note), explained)
            pictures.append(Picture("maps.png", "Aggregation maps", maps_caption(len(explained[0].maps))))
        return pictures

    def _ranked_lists(self, query: ShownQuery, number: str, place: int) -> Picture:
        file = f"ranked-{place:02d}.png"
        draw_ranked_lists(
            self.folder / file,
            SheetTitle(f"Query {number}, drawn at random", f"person {query.pid}, camera {query.camid} · {query.name}"),
            query.image,
            query.visible,
            [self._ranked_list(row) for row in query.lists],
        )
        ranks = ", ".join(f"{row.variant} {row.first_hit}" for row in query.lists)
        found = f"{query.matches} matching gallery {'image' if query.matches == 1 else 'images'}"
        caption = f"Person {escape(query.pid)} has {found}; rank of the first: {ranks}."
        return Picture(file, "Ranked lists", caption)

    def _ranked_list(self, row: AnswerList) -> RankedList:
        images = [
            Ranked(answer.image, answer.visible, answer.similarity, answer.right)
            for answer in row.answers
            if answer.rank <= self.length
        ]
        return RankedList(ROW_LABELS[row.variant], row.first_hit, images)

    def explained(self, scores: Scores, examples: Examples) -> list[Explained]:
        """Outputs of the network for the queries drawn at random."""
        place = {str(name): i for i, name in enumerate(examples.name)}
        explained = []
        for number in scores.shown["random"]:
            name = str(scores.query.name[number])
            sample, parts = self.reference.sample_of(name), examples.parts[place[name]]
            kind, label = (self.reference.find(name, parts.shape) if parts.size else None) or ("", None)
            maps = examples.maps[place[name]].astype(np.float32)
            column = GROUND_TRUTH if kind == EXACT else "labelled"
            explained.append(Explained(name, sample.image, parts if parts.size else None, label, maps, column))
        return explained

    def parts_caption(self, explained: list[Explained]) -> str:
        """Caption of the predicted parts and their references."""
        beside = {GROUND_TRUTH: "their ground truth", "labelled": "what the labeler says of them"}
        kinds = [beside[kind] for kind in beside if any(e.label is not None and e.reference == kind for e in explained)]
        labelled = f", and {' or '.join(kinds)}" if kinds else ""
        score = STRIPE_SCORES[self.visibility]
        return (
            f"The parts that the semantic branch sees in the same queries{labelled}. Background is grey: an obstacle, "
            f"or another person in front, should stay grey. A stripe counts as visible when {score} is at "
            f"least {self.tau:g}."
        )


def maps_caption(sets: int) -> str:
    """Caption of the aggregation maps M_1 to M_`sets`."""
    return (
        f"The normalised aggregation maps M_1 to M_{sets} of the same queries (Eq. 2 to 4). Training pushes M_n "
        "towards its own, n-th patch, between the white lines (Eq. 5); where that patch is occluded, it should be low."
    )
