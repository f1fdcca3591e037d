"""Person search: gallery pictures ranked by similarity to a query.

    from pipeline.search import Searcher
    people = Searcher("runs/synped_demo-danet/train", gallery="pictures/")
    hits = people.search("someone.jpg", top=5)

Reads pictures, feature banks and a network. Similarities are those of an evaluation: Eq. 15 of the paper's fullest
variant that the network has, or another variant that is asked for. They are computed for the whole gallery, or for
candidates that FAISS picks by the global feature.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from pipeline.datasets.boxes import ENDING, look_at_boxes
from pipeline.datasets.image_folder import look
from pipeline.errors import WRONG_OPTION, UserError
from pipeline.features.bank_values import zero_images
from pipeline.features.embedding import load_embedder
from pipeline.features.few_pictures import FewPictures, kept_size
from pipeline.features.kept_bank import bank_in_memory, cached_bank, kept_bank
from pipeline.features.mapped import open_bank, require_finite
from pipeline.io.images import resize_image
from pipeline.runs.config import EVAL_PRECISIONS, EvalConfig
from pipeline.search.answers import Answer, Hit, Recall
from pipeline.search.bank_options import as_bank, other_network
from pipeline.search.candidates import Candidates, candidates
from pipeline.search.decision import Decision, Demand, decide, rate_of
from pipeline.search.queries import Query, is_own, name_of, pixels_of
from sorn.config import OF_PARTS
from sorn.features import FeatureBank
from sorn.matching import largest, similarity_blocks
from sorn.pair_details import pair_details
from sorn.pairs import compared, in_common
from sorn.rules import Rule, indicators, of_paper, variants

Ranked = tuple[np.ndarray, np.ndarray, float]
# Positions of the best gallery images and their similarities, best first; similarity of the most similar one.


class Searcher:
    """Network and gallery, ready for queries.

    model: folder of a training or of its run, or the name of a run below `runs`. gallery: a folder of pictures or a CSV
    `path,x,y,w,h` of boxes in frames, whose features are extracted, or a feature bank. A bank is a file of `sorn
    embed`, or the features.h5 of an evaluation, whose gallery is used. rule: variant of matching that the network has;
    "" for the paper's fullest. tau: threshold of Eq. 12. part_tau: least share of a picture that a visible part group
    has. keep: file for the bank of a folder; the next searcher extracts pictures with new content only. cache: without
    `keep`, whether the bank is kept in the folder that the variable SORN_CACHE names, else in ~/.cache/sorn.
    candidates: number of candidates that FAISS picks per query, 0 for the whole gallery. keep_index: file for the index
    of the candidates. pictures: folder of the bank's pictures, if they moved. flip: whether features are means over a
    picture and its mirror image; a bank says so itself. precision: of the features, as in `eval.precision`; a bank says
    so itself. at_least: least similarity of a hit. false_match_rate: in its
    place, a share of pairs of different people that may be as similar, 0.01 or "1%". calibration: file with these
    rates, if not the one beside the network.

    Raises UserError with a remedy for every input that cannot be used.
    """

    def __init__(
        self,
        model: str | Path,
        gallery: str | Path,
        *,
        runs: str | Path = "runs",
        rule: str = "",
        tau: float = EvalConfig.tau,
        part_tau: float = EvalConfig.part_tau,
        device: str = "auto",
        keep: str | Path | None = None,
        cache: bool = True,
        candidates: int = 0,
        keep_index: str | Path | None = None,
        pictures: str | Path | None = None,
        flip: bool = False,
        precision: str = "auto",
        at_least: float | None = None,
        false_match_rate: float | str | None = None,
        calibration: str | Path | None = None,
    ) -> None:
        demand = Demand(at_least, rate_of(false_match_rate), Path(calibration) if calibration else None)
        if not 0 <= tau <= 1:
            raise UserError(f"tau = {tau}: expected a number in [0, 1]", "Section IV-B of the paper takes 0.15.")
        if not 0 <= part_tau <= 1:
            raise UserError(f"part tau = {part_tau}: expected a number in [0, 1]", "Leave it out for its default.")
        if candidates < 0:
            wrong = f"candidates = {candidates}: expected 1 or more, or 0 for the whole gallery"
            raise UserError(wrong, "Take 10 times top, or more; or leave --candidates out.")
        if precision not in EVAL_PRECISIONS:
            wrong = f"precision = {precision}: expected one of {', '.join(EVAL_PRECISIONS)}"
            raise UserError(wrong, "auto is the fastest of this device.")
        embedder = load_embedder(model, Path(runs), device, precision, flip=flip)
        path = Path(gallery)
        if path.is_file() and path.suffix.lower() != ENDING:
            mapped = open_bank(path)
            embedder = as_bank(embedder, mapped, flip)
        else:
            folder = look_at_boxes(path) if path.suffix.lower() == ENDING else look(path)
            unkept = cached_bank if cache else bank_in_memory
            mapped = kept_bank(embedder, folder, Path(keep)) if keep else unkept(embedder, folder)
        if pictures:
            mapped = dataclasses.replace(mapped, attrs={**mapped.attrs, "folder": str(pictures)})
        self.few = FewPictures(embedder, kept=kept_size(embedder) if cache else None)
        self.embedder, self.gallery, self.tau, self.count = embedder, mapped, tau, candidates
        self.keep_index = Path(keep_index) if keep_index else None
        self.rule = Rule(_variant(mapped.bank, rule), tau, part_tau)
        kinds = self._shown.shape[1] + 1
        network, int8 = embedder.weights.parent, embedder.int8.record.digest if embedder.int8 else ""
        self.decision = decide(demand, self.rule, kinds, network, embedder.sha256, embedder.flip, int8)

    def search(self, query: Query, top: int = 10) -> list[Hit]:
        """Gallery pictures with the largest similarity, at most `top`, best first.

        query: a file, a PIL image, a uint8 RGB array [h, w, 3], or a `FrameCrop`. Without a hit, no picture of the
        gallery is similar enough.
        """
        return self.answers([query], top)[0].hits

    def answers(self, queries: Sequence[Query], top: int = 10) -> list[Answer]:
        """Hits of several queries, with part classes and visibility of each query.

        Raises UserError for `top` < 1, for fewer candidates than `top`, and for a query that cannot be used.
        """
        if top < 1:
            raise UserError(f"top = {top}: expected 1 or more", "Ask for at least one picture.")
        if 0 < self.count < top:
            wrong = f"candidates = {self.count}: expected at least top = {top}"
            raise UserError(wrong, "Take more candidates: 10 times top, or more.")
        images = self._images(queries)
        bank = self._bank(images, queries)
        ranked = (self._by_candidates if self.count else self._by_all)(bank, top, self.decision)
        answers = [self._answer(bank, number, images[number], best) for number, best in enumerate(ranked)]
        return [self._with_own(answer, query) for answer, query in zip(answers, queries, strict=True)]

    def recall(self, queries: Sequence[Query], top: int, drawn: int = 0) -> Recall:
        """Share of the exact `top` hits that the candidates contain.

        drawn: number of random gallery pictures that are used as further queries.
        """
        share = self._agreement(self._bank(self._images(queries), queries), top, None)
        rows = np.sort(np.random.default_rng(0).permutation(len(self.gallery.bank))[:drawn])
        if not len(rows):
            return Recall(share, None, 0)
        return Recall(share, self._agreement(self.gallery.bank.take(rows), top, rows), len(rows))

    @cached_property
    def index(self) -> Candidates:
        fingerprint = self.gallery.attrs.get("fingerprint", "")
        return candidates(self.gallery.bank, fingerprint, self.keep_index if fingerprint else None)

    @cached_property
    def _shown(self) -> np.ndarray:
        """Stripes and part groups that gallery images show, float32 [N, n]."""
        return compared(self.rule, self.gallery.bank)

    def _images(self, queries: Sequence[Query]) -> list[np.ndarray]:
        """Images as the masks stage stores them."""
        if not queries:
            raise UserError("there is no query", "Give a picture of the person to search for.")
        return [resize_image(pixels_of(query), self.embedder.image_size) for query in queries]

    def _bank(self, images: list[np.ndarray], queries: Sequence[Query]) -> FeatureBank:
        """Features of queries. Raises UserError for features that cannot be compared with those of the gallery."""
        gallery = self.gallery.bank
        names = [name_of(query, number) for number, query in enumerate(queries, 1)]
        fields = self.few.features(images)
        unknown = np.full(len(images), -1)
        bank = FeatureBank.of(fields, unknown, unknown, np.array(names))
        for values in fields:
            require_finite("the network's feature", values, bank.name)
        nothing = zero_images(bank)
        if nothing.any():
            raise UserError(
                f"{names[int(nothing.argmax())]}: all its features are zero, so it has no similarity to any picture",
                "Give another picture; if all are like this, the training failed.",
            )
        if bank.widths != gallery.widths:
            raise other_network(self.gallery, "features of another size")
        return bank

    def _by_all(self, queries: FeatureBank, top: int, decision: Decision) -> Iterator[Ranked]:
        """The best gallery images for each query.

        Images with equal similarity keep the order of the bank.
        """
        bank, seen = self.gallery.bank, compared(self.rule, queries)
        for rows, (similarity,) in similarity_blocks(queries, bank, [self.rule], self.embedder.inference.device):
            for number, row in zip(range(rows.start, rows.stop), similarity, strict=True):
                require_finite(f"{self.gallery.path}: a feature", row, bank.name)
                yield _best(row, in_common(seen[number : number + 1], self._shown)[0], top, decision)

    def _by_candidates(self, queries: FeatureBank, top: int, decision: Decision) -> Iterator[Ranked]:
        """Like `_by_all`, but only for the candidates."""
        seen = compared(self.rule, queries)
        count = min(max(self.count, top), len(self.gallery.bank))
        for number, picked in enumerate(self.index.pick(queries.global_, count)):
            near = dataclasses.replace(self.gallery, bank=self.gallery.bank.take(picked))
            one = queries.take(np.array([number]))
            for _, (similarity,) in similarity_blocks(one, near.bank, [self.rule], self.embedder.inference.device):
                require_finite(f"{near.path}: a feature", similarity[0], near.bank.name)
                common = in_common(seen[number : number + 1], self._shown[picked])[0]
                best, values, highest = _best(similarity[0], common, top, decision)
                yield picked[best], values, highest

    def _agreement(self, queries: FeatureBank, top: int, own: np.ndarray | None) -> float:
        """Mean share of the exact hits among the hits by candidates. own: positions of the queries, left out."""
        more = 0 if own is None else 1  # a gallery picture is its own best hit, which is no evidence
        ways = (rank(queries, top + more, Decision()) for rank in (self._by_all, self._by_candidates))
        shares = []
        for number, ((exact, *_), (approximate, *_)) in enumerate(zip(*ways, strict=True)):
            expected = exact[:top] if own is None else exact[exact != own[number]][:top]
            shares.append(float(np.isin(expected, approximate).mean()) if len(expected) else 1.0)
        return float(np.mean(shares))

    def _answer(self, queries: FeatureBank, number: int, image: np.ndarray, ranked: Ranked) -> Answer:
        bank, (positions, similarity, highest) = self.gallery.bank, ranked
        common = in_common(compared(self.rule, queries.take(np.array([number]))), self._shown[positions])[0]
        found = pair_details(queries, number, bank, positions, self.rule)
        visible = indicators(bank.visibility[positions], self.tau) > 0
        shown_parts = indicators(bank.features.part_shares[positions], self.rule.part_tau) > 0
        blank = zero_images(bank.take(positions))
        hits = []
        for i, position in enumerate(positions):
            name, value = str(bank.name[position]), float(similarity[i])
            box = self.gallery.box(name)
            hits.append(
                Hit(
                    name,
                    self.gallery.picture(name),
                    value,
                    None if np.isnan(found.whole[i]) else float(found.whole[i]),
                    tuple(found.stripes[i].tolist()),
                    tuple(visible[i].tolist()),
                    bool(blank[i]),
                    tuple(found.parts[i].tolist()),
                    tuple(shown_parts[i].tolist()),
                    self.decision.rate(value, int(common[i])),
                    box=dataclasses.astuple(box) if box else None,
                )
            )
        parts = self.embedder.parts([image])[0]
        scores = queries.visibility[number]
        in_query = tuple((indicators(scores, self.tau) > 0).tolist())
        parts_in_query = tuple((indicators(queries.features.part_shares[number], self.rule.part_tau) > 0).tolist())
        name, predicted = str(queries.name[number]), parts if parts.size else None
        return Answer(name, image, predicted, tuple(scores.tolist()), in_query, hits, parts_in_query, highest)

    def _with_own(self, answer: Answer, query: Query) -> Answer:
        """The answer, with the query's own file marked among the hits."""
        hits = [dataclasses.replace(hit, own=is_own(query, self.gallery, hit.name)) for hit in answer.hits]
        return dataclasses.replace(answer, hits=hits)


def _best(row: np.ndarray, common: np.ndarray, top: int, decision: Decision) -> Ranked:
    """The best gallery images of one query that are similar enough."""
    accepted = decision.accepted(row, common)
    best = largest(np.where(accepted, row, -np.inf), top)
    best = best[accepted[best]]
    return best, row[best], float(row.max())


def _variant(bank: FeatureBank, asked: str) -> str:
    """Variant that ranks. Raises UserError for one that the features do not allow."""
    known = variants(bank)
    if asked and asked not in known:
        lacks = "; part groups need a network trained with --set model.part_branch=true" if asked in OF_PARTS else ""
        raise UserError(f"rule = {asked}: the features of this network allow {', '.join(known)}{lacks}", WRONG_OPTION)
    return asked or of_paper(bank)
