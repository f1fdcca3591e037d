"""Results of a search: search.html, search.json and lines for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.datasets.boxes import FrameBox
from pipeline.datasets.image_folder import shown
from pipeline.io.documents import to_json
from pipeline.io.files import write_json, write_text
from pipeline.io.images import decode
from pipeline.io.overlays import class_colours, overlay_parts
from pipeline.reports.html import picture_uri, render
from pipeline.runs.result_paths import SearchPaths
from pipeline.search.answers import Answer, Hit, Recall
from pipeline.search.decision import percentage
from pipeline.search.document import SearchDocument
from pipeline.search.searcher import Searcher
from sorn.config import OF_PARTS
from sorn.parts import LABELLINGS, group_names

HEIGHT, LARGEST = 192, 512  # pixels of a picture, as in search.css, and of one that is enlarged

RULES = {
    "sorn": "global feature and the stripes visible in both pictures (Eq. 15)",
    "global": "global feature alone (Eq. 13)",
    "global+local": "global feature and every stripe",
    "parts": "global feature and the part groups visible in both pictures",
    "sorn+parts": "global feature, and the stripes and part groups visible in both pictures",
}
NOTICE = (
    "A similarity is no identification. The best of a gallery is shown even where the person is not in it, and people "
    "in like clothes are alike to the network; see docs/ethics.md."
)
DECIDED = (
    "A similarity is no identification. People in like clothes are alike to the network, and a hit may be another "
    "person; see docs/ethics.md."
)
KEY = (
    "Beside a picture, its stripes: filled where the body is visible, empty where it is hidden. "
    "A click enlarges a picture."
)
RATE_KEY = (
    "“at most 1%” under a similarity: of pairs of different people, at most this share was as similar, on {source}. "
    "With other cameras the rates are others."
)
OWN = "the query's own picture"


@dataclass(frozen=True)
class ShownPicture:
    """Picture with its stripes beside it.

    uri: None if its file is missing. visible: one value per stripe, top to bottom.
    """

    uri: str | None
    name: str
    visible: Sequence[bool]
    caption: str = ""

    @property
    def seen(self) -> str:
        """Numbers of the visible stripes, as text."""
        return ", ".join(str(number) for number, visible in enumerate(self.visible, 1) if visible) or "none"


@dataclass(frozen=True)
class ShownHit:
    """Gallery picture of the page.

    rows: (compared feature, similarity). blank: all features are zero. rate: of wrong pairs, in words, "" if unknown.
    own: whether it is the query's own file.
    """

    picture: ShownPicture
    similarity: float
    rows: Sequence[tuple[str, str]]
    blank: bool
    rate: str = ""
    own: bool = False


@dataclass(frozen=True)
class ShownAnswer:
    """Query of the page, with its hits.

    pictures: the query, and its body parts if the network predicts them. legend: body part -> CSS colour. nobody: in
    words, where no picture is similar enough.
    """

    name: str
    pictures: Sequence[ShownPicture]
    legend: Mapping[str, str]
    hits: Sequence[ShownHit]
    nobody: str


@dataclass(frozen=True)
class SearchPage:
    """View model of search.html.

    facts: name -> value, see SearchResult.facts.
    """

    facts: Mapping[str, str]
    answers: Sequence[ShownAnswer]
    title: str = "Search"
    notice: str = NOTICE
    key: str = KEY
    rate_key: str = ""
    own: str = OWN


@dataclass(frozen=True)
class SearchResult:
    """Result of a search, for its files and for the terminal.

    recall: None if it was not measured.
    """

    searcher: Searcher
    answers: Sequence[Answer]
    recall: Recall | None

    def write(self, paths: SearchPaths) -> None:
        document = SearchDocument.of(self.searcher, tuple(self.answers), self.recall)
        write_json(paths.json, to_json(document), allow_nan=False)
        write_text(paths.html, self.as_html())

    def facts(self) -> dict[str, str]:
        """Settings and limits of the search: name -> text."""
        searcher, gallery = self.searcher, self.searcher.gallery
        facts = {
            "model": f"{searcher.embedder.weights.parent}, {searcher.embedder.inference.precision}",
            "gallery": f"{len(gallery.bank):,} pictures, {gallery.attrs.get('folder', gallery.path)}",
            "similarity": RULES[searcher.rule.variant],
        }
        if searcher.rule.variant in ("sorn", "sorn+parts"):
            facts["visible stripe"] = f"at least {searcher.tau:g} of it is body (Eq. 12)"
        if searcher.rule.variant in OF_PARTS:
            facts["visible part group"] = f"at least {searcher.rule.part_tau:g} of the picture"
        if gallery.attrs.get("left_out"):
            facts["left out"] = gallery.attrs["left_out"]
        if searcher.decision.words:
            facts["a hit has"] = searcher.decision.words
        if searcher.count:
            facts["candidates"] = f"{searcher.count:,}, picked by the global feature"
        if self.recall:
            facts["recall"] = f"{self.recall.queries:.1%} of the exact answers to these queries"
            if self.recall.drawn is not None:
                facts["recall"] += f", {self.recall.drawn:.1%} of those to {self.recall.pictures} gallery pictures"
        return facts

    def as_html(self) -> str:
        labels = self.searcher.embedder.inference.network.config.labels
        facts = {name: shown(value) for name, value in self.facts().items()}
        source = self.searcher.decision.source
        key = RATE_KEY.format(source=source) if source else ""
        answers = [_shown_answer(answer, labels) for answer in self.answers]
        notice = DECIDED if self.searcher.decision.words else NOTICE
        return render("search.html.j2", SearchPage(facts, answers, notice=notice, rate_key=key))


def as_text(answer: Answer) -> str:
    """Lines for the terminal: rank, similarity, stripes, rate, name.

    A stripe is V if it is visible in both pictures, else -. Without a hit the line says "nobody".
    """
    lines = [f"{shown(answer.name)}"]
    for rank, hit in enumerate(answer.hits, 1):
        stripes = "".join("V" if compared else "-" for compared in _compared(answer, hit))
        rate = "" if hit.false_match_rate is None else f"  <={percentage(hit.false_match_rate):<6}"
        notes = [*(["all its features are zero"] if hit.blank else []), *([OWN] if hit.own else [])]
        note = f"  ({'; '.join(notes)})" if notes else ""
        lines.append(f"{rank:4}  {hit.similarity:7.4f}  {stripes}{rate}  {shown(hit.name)}{note}")
    if not answer.hits:
        lines.append(f"      {_nobody(answer)}")
    return "\n".join(lines)


def _nobody(answer: Answer) -> str:
    """Words for an answer without a hit."""
    reached = "" if answer.highest is None else f": the most similar picture reaches {answer.highest:.4f}"
    return f"nobody{reached}"


def _compared(answer: Answer, hit: Hit) -> list[bool]:
    """Whether each stripe is visible in both pictures."""
    return [in_query and in_hit for in_query, in_hit in zip(answer.visible, hit.visible, strict=True)]


def _shown_answer(answer: Answer, labels: int) -> ShownAnswer:
    name, legend = shown(answer.name), {}
    pictures = [_picture(answer.image, name, answer.visible, "query")]
    if answer.parts is not None:
        overlay = overlay_parts(answer.image, answer.parts, labels)
        pictures.append(_picture(overlay, f"parts of {name}", answer.visible, "its parts"))
        colours = zip(LABELLINGS[labels][1:], class_colours(labels)[1:].tolist(), strict=True)
        legend = {part: "rgb({}, {}, {})".format(*colour) for part, colour in colours}
    return ShownAnswer(name, pictures, legend, [_shown_hit(answer, hit) for hit in answer.hits], _nobody(answer))


def _shown_hit(answer: Answer, hit: Hit) -> ShownHit:
    rows = [] if hit.global_similarity is None else [("global", f"{hit.global_similarity:.3f}")]
    for number, (similarity, compared) in enumerate(zip(hit.stripes, _compared(answer, hit), strict=True), 1):
        rows.append((f"stripe {number}", f"{similarity:.3f}" if compared else "hidden"))
    names = group_names(len(hit.parts))
    for name, similarity, *both in zip(names, hit.parts, answer.visible_parts, hit.visible_parts, strict=True):
        rows.append((name, f"{similarity:.3f}" if all(both) else "hidden"))
    picture = _picture(_decoded(hit), shown(hit.name), hit.visible)
    rate = "" if hit.false_match_rate is None else f"at most {percentage(hit.false_match_rate)}"
    return ShownHit(picture, hit.similarity, rows, hit.blank, rate, hit.own)


def _decoded(hit: Hit) -> np.ndarray | None:
    """Picture of a hit; None if its file is missing or its frame is another one."""
    image = decode(hit.path) if hit.path else None
    if image is None or hit.box is None:
        return image
    try:
        return FrameBox(*hit.box).cut(image)
    except ValueError:
        return None


def _picture(image: np.ndarray | None, name: str, visible: Sequence[bool], caption: str = "") -> ShownPicture:
    if image is None:
        return ShownPicture(None, name, visible, caption)
    height = min(max(HEIGHT, image.shape[0]), LARGEST)
    return ShownPicture(picture_uri(image, height), name, visible, caption)
