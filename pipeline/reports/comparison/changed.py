"""Pictures of queries that changed between two evaluations: both first answers."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pipeline.evaluation.run_comparison import ChangedQuery, RunDifference
from pipeline.evaluation.saved import Evaluated
from pipeline.reports.evaluation.stored_lists import StoredAnswer, StoredList, StoredLists, stored_lists
from pipeline.reports.html import Thumbnail, short
from pipeline.runs.layout import LISTS

SHOWN = 5  # answers of each run
DRAWN = 10  # queries that changed most, with pictures
HEIGHT = 128  # of a picture, pixels


@dataclass(frozen=True)
class ChangedTile:
    """One answer. kind: its CSS class, right or wrong."""

    kind: str
    title: str
    image: Thumbnail
    tag: str


@dataclass(frozen=True)
class ChangedList:
    """Answers of one run.

    address: of the query in its report, relative to the page. first: rank of the first match.
    """

    run: str
    address: str
    first: str
    tiles: list[ChangedTile]


@dataclass(frozen=True)
class ChangedCard:
    """One query. change: its figure before and after, in words."""

    query: str
    person: str
    change: str
    image: Thumbnail
    lists: list[ChangedList]


@dataclass(frozen=True)
class ChangedPictures:
    """Queries that changed, with pictures.

    note: why there are none, "" if there are.
    """

    cards: list[ChangedCard]
    note: str = ""


def changed_pictures(
    runs: tuple[Evaluated, Evaluated], found: RunDifference, variant: str, metric: str, page: Path
) -> ChangedPictures:
    """Pictures of the queries that changed most.

    runs: the first, and the one that is compared with it. page: folder of the page that links to their reports.
    """
    sides = [(run, stored_lists(run.folder / LISTS)) for run in runs]
    without = [run for run, lists in sides if lists is None]
    if without:
        again = "; ".join(f"sorn eval {shlex.quote(str(run.folder))} --force" for run in without)
        return ChangedPictures([], f"Pictures appear here once both reports have lists of every query. Run: `{again}`")
    stored = [(run, lists) for run, lists in sides if lists is not None]
    try:
        cards = [_card(one, stored, variant, metric, page) for one in found.changed[:DRAWN]]
    except (OSError, ValueError, KeyError, IndexError) as error:
        return ChangedPictures([], f"There are no pictures: the lists beside a report cannot be read ({error}).")
    drawn = [card for card in cards if card is not None]
    note = "" if drawn else f"There are no pictures: the reports have no lists of {variant}."
    return ChangedPictures(drawn, note)


def _card(
    one: ChangedQuery, stored: Sequence[tuple[Evaluated, StoredLists]], variant: str, metric: str, page: Path
) -> ChangedCard | None:
    found = [(run, lists.find(one.query, variant, SHOWN)) for run, lists in stored]
    shown = [(run, row) for run, row in found if row is not None]
    if len(shown) < len(stored):
        return None
    change = f"{metric} {100 * one.before:.1f} → {100 * one.after:.1f} %"
    image = Thumbnail.of(shown[0][1].image, HEIGHT, f"the query, person {one.pid}")
    return ChangedCard(one.query, str(one.pid), change, image, [_list(run, row, one.query, page) for run, row in shown])


def _list(run: Evaluated, row: StoredList, query: str, page: Path) -> ChangedList:
    report = os.path.relpath(run.folder / "report.html", page).replace(os.sep, "/")
    first = f"first match at rank {row.first_hit}" if row.first_hit else "no match in the gallery"
    return ChangedList(run.name, f"{quote(report)}#query={quote(query, safe='')}", first, list(map(_tile, row.answers)))


def _tile(answer: StoredAnswer) -> ChangedTile:
    kind, sign, who = ("right", "✓", "the same person") if answer.right else ("wrong", "✗", "another person")
    about = f"rank {answer.rank}, {who}: person {answer.person}, camera {answer.camera}"
    tag = f"{answer.rank} {sign} {short(answer.similarity)}"
    return ChangedTile(kind, f"{about} · {answer.name}", Thumbnail.of(answer.image, HEIGHT, about), tag)
