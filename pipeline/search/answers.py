"""Answers of a search: queries with their hits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Hit:
    """Gallery picture with its similarities to a query.

    name: its name in the bank. path: its file when the bank was made; None if unknown. similarity: Eq. 15, in [-1, 1].
    global_similarity: Eq. 13; None without a global feature. stripes: Eq. 14 of each stripe, top to bottom, hidden
    stripes included. visible: I_p of this picture (Eq. 12). parts, visible_parts: the same of the part groups; empty
    without a part branch. blank: all its features are zero, so its similarity has no
    meaning. false_match_rate: share of pairs of different people that are as similar, at most; None where it is
    unknown. own: whether it is the query's own file. box: x, y, w, h of the picture in its file; None for a whole file.
    """

    name: str
    path: Path | None
    similarity: float
    global_similarity: float | None
    stripes: tuple[float, ...]
    visible: tuple[bool, ...]
    blank: bool
    parts: tuple[float, ...] = ()
    visible_parts: tuple[bool, ...] = ()
    false_match_rate: float | None = None
    own: bool = False
    box: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Answer:
    """Query with its hits, best first; empty where none is similar enough.

    name: name of its file, or "query N". image: the network's input, uint8 [H, W, 3]. parts: predicted part classes,
    uint8 [4h, 4w]; None without a semantic branch. visibility: v_p of Eq. 11. visible: I_p of Eq. 12. visible_parts:
    the same of the part groups. highest: similarity of the most similar picture, a hit or not; None if unknown.
    """

    name: str
    image: np.ndarray
    parts: np.ndarray | None
    visibility: tuple[float, ...]
    visible: tuple[bool, ...]
    hits: list[Hit]
    visible_parts: tuple[bool, ...] = ()
    highest: float | None = None


@dataclass(frozen=True)
class Recall:
    """Share of the exact hits that are also among the candidates, in [0, 1].

    queries: mean over the queries. drawn: mean over `pictures` random gallery pictures, each used as a query for the
    others; None if none was drawn.
    """

    queries: float
    drawn: float | None
    pictures: int
