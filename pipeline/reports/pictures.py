"""The report's pictures: ranked lists, part masks over images, aggregation maps.

Reads samples, writes PNG files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.io.overlays import heat_colours, overlay_heat, overlay_parts
from pipeline.reports.canvas import (
    BORDER,
    GAP,
    INK,
    MARGIN,
    MUTED,
    QUERY,
    RIGHT,
    STRIP,
    TEXT,
    WRONG,
    Point,
    Sheet,
    SheetTitle,
    TextStyle,
    font,
    width_at,
)

TILE = 192  # height of a gallery image
SHOWN_QUERY = 264  # height of the query beside its ranked lists
STRIPES = 8  # width of the column that shows visible stripes
LINE = TEXT + 8
ROW_TEXT = 620  # room for a row's label and the rank of its first match
TEXT_WIDTH = 180  # room for the lines beneath an image and its masks
LEGEND = {8: 640, 5: 400, 2: 160}  # room for the names of K classes
HEADING = TextStyle(TEXT + 1)
SMALL = TextStyle(TEXT - 1, MUTED)
COLOUR_BAR = 560  # room for the colour bar and its text


@dataclass(frozen=True)
class Ranked:
    """One gallery image in a ranked list.

    image: [H, W, 3] uint8; visible: [P] bool, I_p of Eq. 12.
    """

    image: np.ndarray
    visible: np.ndarray
    similarity: float
    right: bool


@dataclass(frozen=True)
class RankedList:
    """The best gallery images of one query under one variant.

    first_hit: 1-based rank of the first match.
    """

    label: str
    first_hit: int
    images: list[Ranked]


@dataclass(frozen=True)
class Explained:
    """One image and the network's outputs for it.

    image: [H, W, 3] uint8. parts: predicted class ids [h', w'] uint8, or None without a semantic branch. label: class
    ids of the reference, in the same labelling [h', w'] uint8, or None without one. reference: name of the reference.
    maps: M_n [N, h, w] float32.
    """

    name: str
    image: np.ndarray
    parts: np.ndarray | None
    label: np.ndarray | None
    maps: np.ndarray
    reference: str = "labelled"


@dataclass(frozen=True)
class Overlaid:
    """One image [H, W, 3] uint8 and masks over it.

    masks: what each is called -> class ids [h', w'] uint8. texts: lines beneath.
    """

    image: np.ndarray
    masks: dict[str, np.ndarray]
    texts: tuple[str, ...] = ()


def draw_ranked_lists(
    path: Path, title: SheetTitle, query: np.ndarray, visible: np.ndarray, lists: list[RankedList]
) -> None:
    """One query [H, W, 3], its visible stripes [P], and ranked gallery images."""
    tile_width = max(width_at(ranked.image, TILE) for row in lists for ranked in row.images) + 2 * BORDER
    pitch = tile_width + 3 + STRIPES + GAP
    row_height = LINE + TILE + 2 * BORDER + LINE + GAP
    left = MARGIN + width_at(query, SHOWN_QUERY) + 2 * BORDER + 3 + STRIPES + 3 * GAP
    width = left + max(max(len(row.images) for row in lists) * pitch - GAP, ROW_TEXT) + MARGIN
    column_height = LINE + SHOWN_QUERY + 2 * BORDER + 4 * LINE  # query, its tag and the key of the stripes
    height = STRIP + MARGIN + max(len(lists) * row_height - GAP, column_height) + MARGIN
    sheet = Sheet(width, height, title)
    top = STRIP + MARGIN + LINE
    query_width = sheet.framed((MARGIN, top), query, SHOWN_QUERY, QUERY)
    sheet.stripes((MARGIN + query_width + 3, top + BORDER), SHOWN_QUERY, visible)
    below = top + SHOWN_QUERY + 2 * BORDER + 2
    sheet.tag((MARGIN, below), query_width, "query", QUERY, filled=True)
    if len(visible):
        sheet.key((MARGIN, below + 2 * LINE), True, "visible stripe")
        sheet.key((MARGIN, below + 3 * LINE), False, "hidden stripe")
    for number, row in enumerate(lists):
        y = STRIP + MARGIN + number * row_height
        sheet.text((left, y), row.label, HEADING)
        sheet.text((sheet.width - MARGIN, y), f"first match at rank {row.first_hit}", TextStyle(TEXT, MUTED, "ra"))
        for rank, ranked in enumerate(row.images, start=1):
            _draw_ranked(sheet, (left + (rank - 1) * pitch, y + LINE), rank, ranked)
    sheet.save(path)


def _draw_ranked(sheet: Sheet, at: Point, rank: int, ranked: Ranked) -> None:
    (x, y), colour = at, RIGHT if ranked.right else WRONG
    width = sheet.framed(at, ranked.image, TILE, colour)
    sheet.stripes((x + width + 3, y + BORDER), TILE, ranked.visible)
    sheet.tag((x, y + TILE + 2 * BORDER + 2), width, f"{rank} · {ranked.similarity:.2f}", colour, filled=ranked.right)


def draw_part_masks(path: Path, title: SheetTitle, labels: int, examples: list[Explained], across: int = 4) -> None:
    """Images with predicted parts and their reference.

    labels: K classes.
    """
    overlaid = []
    for example in examples:
        masks = {"predicted": example.parts, example.reference: example.label}
        shown = {name: mask for name, mask in masks.items() if mask is not None}
        overlaid.append(Overlaid(example.image, shown))
    draw_overlays(path, title, labels, {"": overlaid}, across)


def draw_overlays(
    path: Path, title: SheetTitle, labels: int, sections: dict[str, list[Overlaid]], across: int = 4
) -> None:
    """Images with masks over them, in sections.

    All images have one shape. labels: K classes of the masks.
    """
    everything = [example for examples in sections.values() for example in examples]
    tile = width_at(everything[0].image, TILE)
    tiles = 1 + max(len(example.masks) for example in everything)
    texts = max(len(example.texts) for example in everything)
    group = max(tiles * (tile + 4) - 4, TEXT_WIDTH if texts else 0)
    across = min(across, max(map(len, sections.values())))
    row_height = LINE + TILE + texts * LINE + GAP
    heights = [bool(heading) * LINE + -(-len(shown) // across) * row_height for heading, shown in sections.items()]
    headings = max(round(font(TEXT + 1).getlength(heading)) for heading in sections)
    width = 2 * MARGIN + max(across * group + (across - 1) * 2 * GAP, LEGEND[labels], headings)
    height = STRIP + MARGIN + LINE + GAP + sum(heights) + (len(sections) - 1) * GAP - GAP + MARGIN
    sheet = Sheet(width, height, title)
    sheet.legend((MARGIN, STRIP + MARGIN), labels)
    top = STRIP + MARGIN + LINE + GAP
    for (heading, examples), section_height in zip(sections.items(), heights, strict=True):
        sheet.text((MARGIN, top), heading, HEADING)
        for number, example in enumerate(examples):
            x = MARGIN + number % across * (group + 2 * GAP)
            y = top + bool(heading) * LINE + number // across * row_height
            _draw_overlaid(sheet, (x, y), (tile, group), labels, example)
        top += section_height + GAP
    sheet.save(path)


def _draw_overlaid(sheet: Sheet, point: Point, widths: tuple[int, int], labels: int, example: Overlaid) -> None:
    """widths: of one tile, and of the whole group with its texts."""
    (x, y), (tile, group) = point, widths
    shown = {"image": example.image}
    shown |= {name: overlay_parts(example.image, mask, labels) for name, mask in example.masks.items()}
    for column, (name, pixels) in enumerate(shown.items()):
        at = x + column * (tile + 4)
        sheet.text((at, y), name, SMALL)
        sheet.picture((at, y + LINE), pixels, TILE)
    for number, text in enumerate(example.texts):
        style = TextStyle(TEXT - 1, MUTED if number else INK)
        sheet.tail((x, y + LINE + TILE + 4 + number * LINE), group, text, style)


def draw_maps(path: Path, title: SheetTitle, examples: list[Explained], across: int = 4) -> None:
    """Images and their aggregation maps M_1..M_N as heat (Fig. 4).

    White lines mark the n-th patch, where M_n should be high.
    """
    sets = len(examples[0].maps)
    across = max(1, min(across, len(examples), 16 // (1 + sets)))
    tile = width_at(examples[0].image, TILE)
    group = (1 + sets) * (tile + 4) - 4
    rows = -(-len(examples) // across)
    row_height = LINE + TILE + GAP
    width = 2 * MARGIN + max(across * group + (across - 1) * 2 * GAP, COLOUR_BAR)
    sheet = Sheet(width, STRIP + MARGIN + LINE + GAP + rows * row_height - GAP + MARGIN, title)
    heat = heat_colours(np.linspace(0, 1, 64))
    ends = ("0", "1   value of M_n;   white lines: the n-th patch")
    sheet.colour_bar((MARGIN, STRIP + MARGIN), 200, heat, ends)
    for number, example in enumerate(examples):
        x = MARGIN + number % across * (group + 2 * GAP)
        y = STRIP + MARGIN + LINE + GAP + number // across * row_height
        sheet.text((x, y), "image", SMALL)
        sheet.picture((x, y + LINE), example.image, TILE)
        for n, values in enumerate(example.maps):
            at = x + (n + 1) * (tile + 4)
            sheet.text((at, y), f"M_{n + 1}", SMALL)
            sheet.picture((at, y + LINE), overlay_heat(example.image, values), TILE)
            for edge in (n, n + 1):
                line = min(y + LINE + round(TILE * edge / sets), y + LINE + TILE - 1)
                sheet.draw.line((at, line, at + tile - 1, line), fill=(255, 255, 255))
    sheet.save(path)
