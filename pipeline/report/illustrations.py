"""Which pictures a report shows, and what is to be seen in them. Reads scores and samples, writes pictures/*.png."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.feature_store import Examples
from pipeline.report.pictures import (
    Explained,
    Ranked,
    RankedList,
    draw_maps,
    draw_part_masks,
    draw_ranked_lists,
)
from pipeline.report.scores import EXACT, PartReference, Scores
from sorn import matching, metrics

SIDE_BY_SIDE = ("sorn", "global+local")
# As in Fig. 6: what the choice of stripes changes.

ROW_LABELS = {
    "sorn": "sorn: the global feature and the stripes visible in both images (Eq. 15)",
    "global+local": "global+local: the global feature and every stripe",
    "global": "global: the global feature alone (Eq. 13)",
}

STRIPE_SCORES = {  # by eval.visibility
    "network": "its coloured share (Eq. 11, 12)",
    "pose": "the confidence of the surest landmark in it",
    "segmenter": "the share of it that the external segmenter calls a part of the body",
}


@dataclass(frozen=True)
class Picture:
    """file: name inside the pictures folder. section: the heading it belongs under. caption: what to see in it."""

    file: str
    section: str
    caption: str


@dataclass(frozen=True)
class Illustrator:
    """Draws the pictures of one report into `folder`.

    reference: what predicted parts are shown beside. tau: threshold of Eq. 12. length: images per ranked list.
    visibility: what picks stripes, as in `eval.visibility`.
    """

    folder: Path
    reference: PartReference
    tau: float
    length: int
    seed: int
    visibility: str

    def draw(self, scores: Scores, examples: Examples) -> list[Picture]:
        """Replaces the folder's content. Nothing is drawn when no query is to be shown."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if not scores.shown:
            return []
        pictures = [self._ranked_lists(scores, place) for place in range(len(scores.shown))]
        explained = self._explained(scores, examples)
        note = f"{len(explained)} queries drawn at random, seed {self.seed}"
        if explained[0].parts is not None:
            draw_part_masks(self.folder / "part-masks.png", "Part masks", note, self.reference.labels, explained)
            pictures.append(Picture("part-masks.png", "Part masks", self._parts_caption(explained)))
        if len(explained[0].maps):
            draw_maps(self.folder / "maps.png", "Aggregation maps", note, explained)
            pictures.append(Picture("maps.png", "Aggregation maps", _maps_caption(len(explained[0].maps))))
        return pictures

    def _ranked_lists(self, scores: Scores, place: int) -> Picture:
        number = scores.shown[place]
        query = scores.query
        name, pid, camid = str(query.name[number]), int(query.pid[number]), int(query.camid[number])
        pair = [variant for variant in SIDE_BY_SIDE if variant in scores.rows] or list(scores.rows)
        lists = [self._ranked_list(scores, variant, number) for variant in pair]
        file = f"ranked-{place + 1:02d}.png"
        draw_ranked_lists(
            self.folder / file,
            f"Query {place + 1} of {len(scores.shown)}, drawn at random",
            f"person {pid}, camera {camid} · {name}",
            self.reference.sample_of(name).image,
            self._visible(query.visibility[number]),
            lists,
        )
        ranks = ", ".join(f"{variant} {row.first_hit}" for variant, row in zip(pair, lists, strict=True))
        matches = len(scores.relevant.matches[number])
        images = "image" if matches == 1 else "images"
        caption = f"Person {pid} has {matches} matching gallery {images}; rank of the first: {ranks}."
        return Picture(file, "Ranked lists", caption)

    def _ranked_list(self, scores: Scores, variant: str, number: int) -> RankedList:
        row, gallery = scores.rows[variant][number], scores.gallery
        order = metrics.ranking(row, scores.relevant, number, len(row))
        right = np.isin(order, scores.relevant.matches[number])
        images = [
            Ranked(
                self.reference.sample_of(str(gallery.name[position])).image,
                self._visible(gallery.visibility[position]),
                float(row[position]),
                bool(hit),
            )
            for position, hit in zip(order[: self.length], right, strict=False)
        ]
        return RankedList(ROW_LABELS[variant], int(right.argmax()) + 1, images)

    def _visible(self, scores: np.ndarray) -> np.ndarray:
        return matching.indicators(scores, self.tau) > 0

    def _explained(self, scores: Scores, examples: Examples) -> list[Explained]:
        place = {str(name): i for i, name in enumerate(examples.name)}
        explained = []
        for number in scores.shown:
            name = str(scores.query.name[number])
            sample, parts = self.reference.sample_of(name), examples.parts[place[name]]
            kind, label = (self.reference.find(name, parts.shape) if parts.size else None) or ("", None)
            maps = examples.maps[place[name]].astype(np.float32)
            column = "exact" if kind == EXACT else "labelled"
            explained.append(Explained(name, sample.image, parts if parts.size else None, label, maps, column))
        return explained

    def _parts_caption(self, explained: list[Explained]) -> str:
        beside = {"exact": "their exact masks", "labelled": "what the labeler says of them"}
        kinds = [beside[kind] for kind in beside if any(e.label is not None and e.reference == kind for e in explained)]
        labelled = f", and {' or '.join(kinds)}" if kinds else ""
        score = STRIPE_SCORES[self.visibility]
        return (
            f"The parts that the semantic branch sees in the same queries{labelled}. Background is grey: an obstacle, "
            f"or another person in front, should stay grey. A stripe counts as visible when {score} is at "
            f"least {self.tau:g}."
        )


def _maps_caption(sets: int) -> str:
    return (
        f"The normalised aggregation maps M_1 to M_{sets} of the same queries (Eq. 2 to 4). Training pushes M_n "
        "towards its own, n-th patch, between the white lines (Eq. 5); where that patch is occluded, it should be low."
    )
