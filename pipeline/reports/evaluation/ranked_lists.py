"""View model of the ranked lists: one card per query."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.reports.evaluation.illustrations import ROW_LABELS
from pipeline.reports.evaluation.shown_queries import KINDS, AnswerList, ComparedPart, RankedImage, ShownQuery
from pipeline.reports.html import Thumbnail, short

HEIGHT = 160  # of embedded images, pixels at most: one that is lower is embedded as it is

BADGES = {"random": "drawn at random", "worst": "among the worst", "best": "among the best"}

CAPTION = (
    "Each card is one query, in the blue frame, and what the gallery answers, most similar first. A solid green frame "
    "and ✓: the same person. A dashed red frame and ✗: another one. Where the first match comes later, it is shown "
    "last, behind the dots. Gallery images of the query's own person and camera are left out, as in the figures. The "
    "bar beside an image shows its stripes: filled where visible, hollow where hidden."
)
DRAWS_CAPTION = "Lists show the whole gallery; the AP of a query is its mean over the draws of the protocol."
SECOND_VIEW = "query at its place"
KEY = (
    "Beneath an image: its rank and similarity; its person; g, the similarity of the global features; and a line per "
    "stripe, from the top, with two boxes, the query's stripe and the gallery image's (■ visible, □ hidden), and their "
    "similarity, bold if it counts and struck out if it does not. Where part groups are compared, their lines follow, "
    "from the head to the feet. The similarity above is the mean of g and of what counts (Eq. 15)."
)
SECOND_KEY = (
    f' "{SECOND_VIEW}": the numbers are of the query put where the parts in it belong, which is more similar here than '
    "the query as it is."
)


@dataclass(frozen=True)
class StripeBar:
    """The stripes of an image, top to bottom: whether each is visible.

    label: for screen readers.
    """

    label: str
    visible: list[bool]


@dataclass(frozen=True)
class StripePair:
    """One stripe or part group of a query and of an answer.

    boxes: ■ visible, □ hidden. counted: whether the similarity holds it.
    """

    boxes: str
    label: str
    similarity: float
    counted: bool


@dataclass(frozen=True)
class Tile:
    """One answer.

    kind: its CSS class, right or wrong. whole: similarity of the global features, None without them. gap: whether
    answers before it are left out. view: of the query that is compared, in words, "" for the picture as it is.
    """

    kind: str
    title: str
    image: Thumbnail
    bar: StripeBar
    tag: str
    pid: str
    camid: str
    whole: float | None
    stripes: list[StripePair]
    gap: bool
    view: str


@dataclass(frozen=True)
class TileList:
    """The answers of one variant. rule: what it compares."""

    variant: str
    rule: str
    first_hit: int
    label: str
    tiles: list[Tile]


@dataclass(frozen=True)
class Card:
    """One query with its lists.

    badges: CSS class -> words. first: right or wrong. words: what the search field looks through.
    """

    heading: str
    badges: dict[str, str]
    first: str
    words: str
    query: ShownQuery
    image: Thumbnail
    bar: StripeBar
    lists: list[TileList]

    @property
    def images(self) -> str:
        return f"{self.query.matches} matching gallery image{'' if self.query.matches == 1 else 's'}"


@dataclass(frozen=True)
class FilterField:
    """A field that filters or sorts cards. options: value -> words."""

    name: str
    label: str
    options: dict[str, str]


@dataclass(frozen=True)
class RankedLists:
    """All cards, and the form that filters and sorts them.

    every: whether the lists of all queries lie beside the page.
    """

    caption: str
    choices: list[FilterField]
    cards: list[Card]
    every: bool
    key: str


def ranked_lists(queries: list[ShownQuery], single_shot: bool, every: bool = False) -> RankedLists:
    """View model of the queries with their ranked lists.

    single_shot: whether the protocol draws one gallery image per person. every: whether the lists of all queries lie
    beside the page.
    """
    caption = f"{CAPTION} {DRAWS_CAPTION}" if single_shot else CAPTION
    second = any(answer.second for query in queries for row in query.lists for answer in row.answers)
    key = KEY + SECOND_KEY if second else KEY
    return RankedLists(caption, _choices(queries), [_card(query) for query in queries], every, key)


def _choices(queries: list[ShownQuery]) -> list[FilterField]:
    cameras = sorted({query.camid for query in queries}, key=lambda text: (len(text), text))
    counts = {kind: sum(kind in query.kinds for query in queries) for kind in KINDS}
    kinds = {kind: f"{BADGES[kind]} ({counts[kind]})" for kind in KINDS if counts[kind]}
    return [
        FilterField("kind", "shown as", {"": "all", **kinds}),
        FilterField("first", "first answer", {"": "right or wrong", "right": "right", "wrong": "wrong"}),
        FilterField("camera", "camera of the query", {"": "any", **{camid: camid for camid in cameras}}),
        FilterField("order", "order", {"": "as drawn", "rising": "lowest AP first", "falling": "highest AP first"}),
    ]


def _card(query: ShownQuery) -> Card:
    heading = f"Person {query.pid}, camera {query.camid}"
    return Card(
        heading,
        {kind: BADGES[kind] for kind in query.kinds},
        "right" if query.lists[0].first_hit == 1 else "wrong",
        f"{query.name} {query.pid}".lower(),
        query,
        _thumbnail(query.image, f"the query, {heading.lower()}"),
        _bar(query.visible, "the query"),
        [_list(row, query, heading) for row in query.lists],
    )


def _list(row: AnswerList, query: ShownQuery, heading: str) -> TileList:
    tiles = [_tile(answer, answer.rank > place) for place, answer in enumerate(row.answers, start=1)]
    rule = ROW_LABELS[row.variant].removeprefix(row.variant + ": ")
    return TileList(row.variant, rule, row.first_hit, f"answers to {heading} by {row.variant}", tiles)


def _tile(answer: RankedImage, gap: bool) -> Tile:
    kind, sign, who = ("right", "✓", "the same person") if answer.right else ("wrong", "✗", "another person")
    about = f"rank {answer.rank}, {who}: person {answer.pid}, camera {answer.camid}"
    return Tile(
        kind,
        f"{about} · {answer.name}",
        _thumbnail(answer.image, about),
        _bar(answer.visible, "the gallery image"),
        f"{answer.rank} {sign} {short(answer.similarity)}",
        answer.pid,
        answer.camid,
        None if np.isnan(answer.whole) else answer.whole,
        [*(_pair(answer, p) for p in range(len(answer.stripes))), *map(_part, answer.parts)],
        gap,
        SECOND_VIEW if answer.second else "",
    )


def _pair(answer: RankedImage, p: int) -> StripePair:
    visible, counted = (bool(answer.asked[p]), bool(answer.visible[p])), bool(answer.counted[p])
    return _compared(f"stripe {p + 1}", visible, float(answer.stripes[p]), counted)


def _part(part: ComparedPart) -> StripePair:
    return _compared(part.name, part.visible, part.similarity, all(part.visible))


def _compared(name: str, visible: tuple[bool, bool], similarity: float, counted: bool) -> StripePair:
    label = f"{name}: {_spoken(visible)}, {'counts' if counted else 'does not count'}:"
    return StripePair("".join("■" if one else "□" for one in visible), label, similarity, counted)


def _spoken(visible: tuple[bool, bool]) -> str:
    return {
        (True, True): "visible in both",
        (True, False): "hidden in the gallery image",
        (False, True): "hidden in the query",
        (False, False): "hidden in both",
    }[visible]


def _thumbnail(image: np.ndarray, alt: str) -> Thumbnail:
    return Thumbnail.of(image, min(HEIGHT, image.shape[0]), alt)


def _bar(visible: np.ndarray, whose: str) -> StripeBar:
    shown = ", ".join(f"{p} {'visible' if one else 'hidden'}" for p, one in enumerate(visible, start=1))
    return StripeBar(f"stripes of {whose}: {shown}", [bool(one) for one in visible])
