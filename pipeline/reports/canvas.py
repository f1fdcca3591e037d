"""PNG sheets: a title strip, images, texts and legends.

All positions and lengths are pixels; a point is the upper left corner unless an anchor says otherwise.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipeline.io.files import atomic
from pipeline.io.overlays import class_colours
from sorn.parts import LABELLINGS

Colour = tuple[int, int, int]
Point = tuple[int, int]

INK: Colour = (31, 41, 55)
MUTED: Colour = (107, 114, 128)
PAPER: Colour = (255, 255, 255)
RIGHT: Colour = (22, 148, 66)
WRONG: Colour = (214, 40, 40)
QUERY: Colour = (37, 99, 235)

MARGIN = 20
GAP = 14
STRIP = 44
BORDER = 4
TEXT = 13
TITLE = 16


@functools.cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def width_at(pixels: np.ndarray, height: int) -> int:
    """Width of an image [H, W, ...] shown `height` high."""
    width: int = round(height * pixels.shape[1] / pixels.shape[0])
    return width


@dataclass(frozen=True)
class TextStyle:
    """Size, colour and anchor of a text.

    size: pixels. anchor: of the point within the text, as Pillow names it.
    """

    size: int = TEXT
    colour: Colour = INK
    anchor: str = "la"


@dataclass(frozen=True)
class SheetTitle:
    """Texts of the title strip.

    text: to the left. note: to the right.
    """

    text: str
    note: str = ""


PLAIN = TextStyle()
MIDDLE = TextStyle(anchor="lm")


class Sheet:
    """A white picture with a title strip.

    width, height: of the whole picture, title strip included; wider if title and note need it.
    """

    def __init__(self, width: int, height: int, title: SheetTitle) -> None:
        texts = font(TITLE).getlength(title.text) + font(TEXT).getlength(title.note)
        self.width = width = max(width, 2 * MARGIN + round(texts) + 3 * GAP)
        self.canvas = Image.new("RGB", (width, height), PAPER)
        self.draw = ImageDraw.Draw(self.canvas)
        self.draw.rectangle((0, 0, width, STRIP - 1), fill=INK)
        self.text((MARGIN, STRIP // 2), title.text, TextStyle(TITLE, PAPER, "lm"))
        self.text((width - MARGIN, STRIP // 2), title.note, TextStyle(TEXT, (209, 213, 219), "rm"))

    def text(self, at: Point, text: str, style: TextStyle = PLAIN) -> None:
        self.draw.text(at, text, fill=style.colour, font=font(style.size), anchor=style.anchor)

    def tail(self, at: Point, width: int, text: str, style: TextStyle = PLAIN) -> None:
        """A text of at most that width.

        Of a longer one its end is kept, because that is where names differ.
        """
        shown = text
        while font(style.size).getlength(shown) > width and len(shown) > 2:
            shown = "…" + shown[2:]
        self.text(at, shown, style)

    def picture(self, at: Point, pixels: np.ndarray, height: int) -> int:
        """Show an image [H, W, 3] uint8 `height` high -> its width."""
        width = width_at(pixels, height)
        self.canvas.paste(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS), at)
        return width

    def framed(self, at: Point, pixels: np.ndarray, height: int, colour: Colour) -> int:
        """An image inside a border whose outer corner is `at` -> outer width."""
        (x, y), width = at, width_at(pixels, height)
        self.draw.rectangle((x, y, x + width + 2 * BORDER - 1, y + height + 2 * BORDER - 1), fill=colour)
        self.picture((x + BORDER, y + BORDER), pixels, height)
        return width + 2 * BORDER

    def stripes(self, at: Point, height: int, visible: np.ndarray, width: int = 8) -> None:
        """A column of boxes, one per stripe of an image.

        height: of the image. Boxes are filled where the stripe is visible, hollow where it is hidden.
        """
        x, y = at
        for p, filled in enumerate(visible):
            top, bottom = (y + round(height * edge / len(visible)) for edge in (p, p + 1))
            box = (x, top + 1, x + width - 1, bottom - 2)
            self.draw.rectangle(box, fill=INK if filled else PAPER, outline=INK if filled else MUTED)

    def key(self, at: Point, visible: bool, text: str) -> None:
        """One box as in `stripes`, with its meaning."""
        self.stripes(at, TEXT + 2, np.array([visible]))
        self.text((at[0] + 8 + 6, at[1] + TEXT // 2 + 1), text, TextStyle(TEXT - 1, MUTED, "lm"))

    def tag(self, at: Point, width: int, text: str, colour: Colour, filled: bool) -> None:
        """A short text centred in a box.

        filled: whether the box is, so that tags differ by more than colour.
        """
        x, y = at
        if filled:
            self.draw.rectangle((x, y, x + width - 1, y + TEXT + 5), fill=colour)
        style = TextStyle(TEXT, PAPER if filled else colour, "mm")
        self.text((x + width // 2, y + (TEXT + 6) // 2), text, style)

    def legend(self, at: Point, labels: int) -> None:
        """A row of colour squares with the names of part classes.

        labels: K classes, of which the background is left out.
        """
        x, y = at
        for number, name in enumerate(LABELLINGS[labels][1:], start=1):
            self.draw.rectangle((x, y, x + TEXT, y + TEXT), fill=_rgb(class_colours(labels)[number]))
            self.text((x + TEXT + 7, y + TEXT // 2 + 1), name, MIDDLE)
            x += TEXT + 7 + round(font(TEXT).getlength(name)) + 2 * GAP

    def colour_bar(self, at: Point, width: int, colours: np.ndarray, ends: tuple[str, str]) -> None:
        """colours [n, 3] uint8 from left to right, with the text of both ends."""
        (x, y), (low, high) = at, ends
        left = x + round(font(TEXT).getlength(low)) + 7
        bar = Image.fromarray(colours[None]).resize((width, TEXT), Image.Resampling.BILINEAR)
        self.canvas.paste(bar, (left, y))
        self.text((x, y + TEXT // 2 + 1), low, MIDDLE)
        self.text((left + width + 7, y + TEXT // 2 + 1), high, MIDDLE)

    def save(self, path: Path) -> None:
        """Write a PNG, whole or not at all."""
        with atomic(path) as temporary:
            self.canvas.save(temporary, format="PNG", compress_level=1)  # 0.04 s instead of 0.13, a sixth larger


def _rgb(colour: np.ndarray) -> Colour:
    red, green, blue = (int(value) for value in colour)
    return red, green, blue
