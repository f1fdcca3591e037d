"""Who of a gallery resembles the person on a picture: ranked answers for queries. Reads pictures, banks and a network.

    from pipeline.search import Searcher
    people = Searcher("runs/synped_demo-danet/train", gallery="pictures/")
    hits = people.search("someone.jpg", top=5)

Similarities are those of an evaluation: Eq. 15 of the fullest variant that the network has, over the whole gallery, or
over candidates that FAISS picks by the global feature.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.datasets.image_folder import as_pixels, look
from pipeline.errors import UserError
from pipeline.features.embedding import Embedder, as_batch, bank_in_memory, kept_bank, load_embedder
from pipeline.features.mapped import MappedBank, open_bank, require_finite
from pipeline.features.store import zero_images
from pipeline.io.images import resize_image
from pipeline.io.text import parse_json
from pipeline.runs.config import PRECISIONS, EvalConfig, read_model
from pipeline.search.candidates import Candidates, candidates
from sorn.features import FeatureBank
from sorn.matching import Rule, indicators, largest, pair_similarities, similarity_blocks, variants

Query = str | Path | Image.Image | np.ndarray


@dataclass(frozen=True)
class Hit:
    """One gallery picture. name: in its bank. path: where it lay when the bank was made; None where nobody knows.

    similarity: of Eq. 15, in [-1, 1]. global_similarity: of Eq. 13, None without a global feature. stripes: Eq. 14 of
    each stripe, top to bottom, compared or not. visible: I_p of Eq. 12 of this picture. blank: all its features are
    zero, so that it resembles nobody and its similarity says nothing.
    """

    name: str
    path: Path | None
    similarity: float
    global_similarity: float | None
    stripes: tuple[float, ...]
    visible: tuple[bool, ...]
    blank: bool


@dataclass(frozen=True)
class Answer:
    """What was found for one query. name: of its file, or what it was. image: [H, W, 3] uint8, as the network saw it.

    parts: predicted class ids [4h, 4w] uint8, or None without a semantic branch. visibility: v_p of Eq. 11. visible:
    I_p of Eq. 12.
    """

    name: str
    image: np.ndarray
    parts: np.ndarray | None
    visibility: tuple[float, ...]
    visible: tuple[bool, ...]
    hits: list[Hit]


@dataclass(frozen=True)
class Recall:
    """The share of the exact answers that the candidates hold too, in [0, 1].

    asked: mean over the queries. drawn: mean over `pictures` gallery pictures drawn at random, each asked for the
    others; None if none was drawn.
    """

    asked: float
    drawn: float | None
    pictures: int


class Searcher:
    """A network and a gallery, ready for queries.

    model: folder of a training or of its run, or a run's name below `runs`. gallery: a folder of pictures, which are
    looked at now, or the file of a bank: of `sorn embed`, or an evaluation's features.h5, whose gallery it is then.
    tau: threshold of Eq. 12. keep: the file in which the bank of a folder stays; it is used again as long as network
    and files are the same. candidates: how many FAISS picks for each query, 0 for the whole gallery; their index stays
    in `keep_index`. pictures: folder below which the names of a bank lie, if they moved.

    Raises UserError for whatever cannot be used, with the remedy.
    """

    def __init__(
        self,
        model: str | Path,
        gallery: str | Path,
        *,
        runs: str | Path = "runs",
        tau: float = EvalConfig.tau,
        device: str = "auto",
        keep: str | Path | None = None,
        candidates: int = 0,
        keep_index: str | Path | None = None,
        pictures: str | Path | None = None,
    ) -> None:
        if not 0 <= tau <= 1:
            raise UserError(f"tau = {tau}: expected a number in [0, 1]", "Section IV-B of the paper takes 0.15.")
        if candidates < 0:
            wrong = f"candidates = {candidates}: expected 1 or more, or 0 for the whole gallery"
            raise UserError(wrong, "Take 10 times top, or more; or leave --candidates out.")
        embedder = load_embedder(model, Path(runs), device)
        place = Path(gallery)
        if place.is_file():
            found = open_bank(place)
            embedder = dataclasses.replace(embedder, precision=_precision(found, embedder), most=_most(found, embedder))
        else:
            folder = look(place)
            found = kept_bank(embedder, folder, Path(keep)) if keep else bank_in_memory(embedder, folder)
        if pictures:
            found = dataclasses.replace(found, attrs={**found.attrs, "folder": str(pictures)})
        self.embedder, self.gallery, self.tau, self.count = embedder, found, tau, candidates
        self.keep_index = Path(keep_index) if keep_index else None
        self.rule = Rule(variants(found.bank)[-1], tau)

    def search(self, query: Query, top: int = 10) -> list[Hit]:
        """The `top` gallery pictures that resemble the query most, best first. query: a file, a PIL image, or an array
        [h, w, 3] of uint8 RGB.
        """
        return self.answers([query], top)[0].hits

    def answers(self, queries: Sequence[Query], top: int = 10) -> list[Answer]:
        """As `search`, of several queries, with what the network sees in them."""
        if top < 1:
            raise UserError(f"top = {top}: expected 1 or more", "Ask for at least one picture.")
        if 0 < self.count < top:
            wrong = f"candidates = {self.count}: expected at least top = {top}"
            raise UserError(wrong, "Take more candidates: 10 times top, or more.")
        images = self._images(queries)
        asked = self._bank(images, queries)
        ranked = self._by_candidates(asked, top) if self.count else self._by_all(asked, top)
        return [self._answer(asked, number, images[number], *found) for number, found in enumerate(ranked)]

    def recall(self, queries: Sequence[Query], top: int, drawn: int = 0) -> Recall:
        """How many of the exact `top` the candidates hold, of these queries and of gallery pictures drawn at random."""
        asked = self._agreement(self._bank(self._images(queries), queries), top, None)
        rows = np.sort(np.random.default_rng(0).permutation(len(self.gallery.bank))[:drawn])
        if not len(rows):
            return Recall(asked, None, 0)
        return Recall(asked, self._agreement(self.gallery.bank.take(rows), top, rows), len(rows))

    @cached_property
    def index(self) -> Candidates:
        fingerprint = self.gallery.attrs.get("fingerprint", "")
        return candidates(self.gallery.bank, fingerprint, self.keep_index if fingerprint else None)

    def _images(self, queries: Sequence[Query]) -> list[np.ndarray]:
        """As the masks stage stores them."""
        if not queries:
            raise UserError("there is no query", "Give a picture of the person who is looked for.")
        return [resize_image(as_pixels(query), self.embedder.image_size) for query in queries]

    def _bank(self, images: list[np.ndarray], queries: Sequence[Query]) -> FeatureBank:
        """Features of queries. Raises UserError for what cannot be compared with the gallery."""
        size, gallery = self.embedder.batch_size, self.gallery.bank
        names = [_name(query, number) for number, query in enumerate(queries, 1)]
        batches = (as_batch(images[first : first + size]) for first in range(0, len(images), size))
        fields = [np.concatenate(pieces) for pieces in zip(*self.embedder.features(batches), strict=True)]
        unknown = np.full(len(images), -1)
        bank = FeatureBank(fields[0], fields[1], fields[2], unknown, unknown, np.array(names))
        for values in fields:
            require_finite("the network's feature", values, bank.name)
        nothing = zero_images(bank)
        if nothing.any():
            raise UserError(
                f"{names[int(nothing.argmax())]}: all its features are zero, so it resembles nobody",
                "Give another picture; if all are like this, the training failed.",
            )
        if bank.global_.shape[1:] != gallery.global_.shape[1:] or bank.local.shape[1:] != gallery.local.shape[1:]:
            raise _another(self.gallery, "features of another size")
        return bank

    def _by_all(self, asked: FeatureBank, top: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Per query the positions of the best, and their similarities, best first; of equals the first in the bank."""
        bank = self.gallery.bank
        for _, (similarity,) in similarity_blocks(asked, bank, [self.rule], self.embedder.inference.device):
            for row in similarity:
                require_finite(f"{self.gallery.path}: a feature", row, bank.name)
                best = largest(row, top)
                yield best, row[best]

    def _by_candidates(self, asked: FeatureBank, top: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """As `_by_all`, of the candidates alone, by the same equation."""
        count = min(max(self.count, top), len(self.gallery.bank))
        for number, picked in enumerate(self.index.pick(asked.global_, count)):
            near = dataclasses.replace(self.gallery, bank=self.gallery.bank.take(picked))
            one = asked.take(np.array([number]))
            for _, (similarity,) in similarity_blocks(one, near.bank, [self.rule], self.embedder.inference.device):
                require_finite(f"{near.path}: a feature", similarity[0], near.bank.name)
                best = largest(similarity[0], top)
                yield picked[best], similarity[0][best]

    def _agreement(self, asked: FeatureBank, top: int, own: np.ndarray | None) -> float:
        """Mean share of the exact answers among those by candidates. own: the queries' own positions, left out."""
        more = 0 if own is None else 1  # a gallery picture is its own best answer, which proves nothing
        pairs = zip(self._by_all(asked, top + more), self._by_candidates(asked, top + more), strict=True)
        shares = []
        for number, ((exact, _), (found, _)) in enumerate(pairs):
            wanted = exact[:top] if own is None else exact[exact != own[number]][:top]
            shares.append(float(np.isin(wanted, found).mean()) if len(wanted) else 1.0)
        return float(np.mean(shares))

    def _answer(
        self, asked: FeatureBank, number: int, image: np.ndarray, positions: np.ndarray, similarity: np.ndarray
    ) -> Answer:
        bank = self.gallery.bank
        whole, stripes = pair_similarities(asked, number, bank, positions)
        visible = indicators(bank.visibility[positions], self.tau) > 0
        blank = zero_images(bank.take(positions))
        hits = []
        for i, position in enumerate(positions):
            name = str(bank.name[position])
            hits.append(
                Hit(
                    name,
                    self.gallery.picture(name),
                    float(similarity[i]),
                    None if np.isnan(whole[i]) else float(whole[i]),
                    tuple(stripes[i].tolist()),
                    tuple(visible[i].tolist()),
                    bool(blank[i]),
                )
            )
        parts = self.embedder.parts([image])[0]
        scores = asked.visibility[number]
        seen = tuple((indicators(scores, self.tau) > 0).tolist())
        return Answer(str(asked.name[number]), image, parts if parts.size else None, tuple(scores.tolist()), seen, hits)


def _name(query: Query, number: int) -> str:
    return os.fspath(query) if isinstance(query, str | os.PathLike) else f"query {number}"


def _precision(found: MappedBank, embedder: Embedder) -> str:
    """What the bank was computed in, so that queries are too. Raises UserError for a bank of another network."""
    if found.attrs.get("checkpoint_sha256") != embedder.sha256:
        raise _another(found, f"features of another checkpoint than {embedder.weights}")
    try:
        made = parse_json(found.attrs["config"])
        same = read_model(made["model"]) == embedder.about.model
        precision, size = str(made["precision"]), parse_json(found.attrs.get("image_size", "null"))
    except (KeyError, ValueError, TypeError) as error:
        raise _another(found, f"features of a network that its attributes do not describe ({error})") from error
    if not same or precision not in PRECISIONS[1:]:
        raise _another(found, f"features of another configuration than {embedder.weights.parent} describes")
    if size and tuple(size) != embedder.image_size:
        raise _another(found, f"features of images of {size[0]}x{size[1]}, not {embedder.image_size}")
    return precision


def _most(found: MappedBank, embedder: Embedder) -> int:
    """Images per forward pass, at most, when the bank was made: of another number, features differ in their last bits.

    Banks of older builds and of evaluations say nothing of it.
    """
    said = found.attrs.get("batch_size", str(embedder.most))
    if not re.fullmatch("[1-9][0-9]{0,5}", said):
        raise _another(found, f"features of batches of {said} images")
    return int(said)


def _another(found: MappedBank, what: str) -> UserError:
    remedy = "Name the model that made it, or embed the pictures again with this one: sorn embed."
    return UserError(f"{found.path} holds {what}", remedy)
