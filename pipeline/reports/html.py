"""HTML pages from jinja2 templates, with styles, scripts and images inlined."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from pipeline.reports.canvas import width_at

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Table:
    """A table of plain text, for the macro `table`.

    rows: the first is the header. numbers_from: columns from this one on are aligned as numbers. label: name for screen
    readers.
    """

    rows: Sequence[Sequence[object]]
    numbers_from: int = 1
    label: str = "table"


@dataclass(frozen=True)
class Thumbnail:
    """An image embedded in the page, for the macro `image`.

    width, height: pixels. alt: for screen readers.
    """

    uri: str
    width: int
    height: int
    alt: str

    @classmethod
    def of(cls, pixels: np.ndarray, height: int, alt: str) -> Thumbnail:
        """An image [H, W, 3] uint8, `height` pixels high."""
        return cls(picture_uri(pixels, height), max(1, width_at(pixels, height)), height, alt)


def render(template: str, page: object) -> str:
    """A whole page.

    template: file in templates/. page: its view model; every string in it is escaped.
    """
    return environment().get_template(template).render(page=page)


@cache
def environment() -> Environment:
    """The jinja2 environment of all pages.

    It escapes every value, and raises UndefinedError for a name that does not exist.
    """
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    made.globals["asset"] = asset
    made.filters |= {"px": px, "short": short}
    return made


def asset(name: str) -> Markup:
    """Content of a file in static/, for <style> or <script>."""
    return Markup((HERE / "static" / name).read_text(encoding="utf-8"))


def px(value: float) -> str:
    """A coordinate in an SVG drawing, to a tenth of a unit."""
    return f"{value:.1f}"


def short(value: float) -> str:
    """Two digits, as in ".83": tiles are narrow."""
    return f"{round(float(value), 2) + 0.0:.2f}".replace("-", "−").replace("0.", ".", 1)


def picture_uri(pixels: np.ndarray, height: int, quality: int = 80) -> str:
    """An image [H, W, 3] uint8 as a JPEG data URI, `height` pixels high."""
    stream = io.BytesIO()
    Image.fromarray(pixels).resize((max(1, width_at(pixels, height)), height), Image.Resampling.LANCZOS).save(
        stream, "JPEG", quality=quality
    )
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
