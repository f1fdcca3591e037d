"""What every HTML page of ours shares: one file that opens from disk, light or dark, wide or narrow. Writes nothing."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Sequence

import numpy as np
from PIL import Image

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1f2937; --muted: #6b7280; --line: #e5e7eb; --panel: #f9fafb;
  --accent: #2563eb; --right: #16944e; --wrong: #d62828; }
@media (prefers-color-scheme: dark) { :root { --paper: #111418; --ink: #e5e7eb; --muted: #9ca3af; --line: #2d333b;
  --panel: #1a1f26; --accent: #6ea8ff; --right: #3fbf75; --wrong: #ff6b6b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1200px; padding: 1rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.15rem; margin-top: 2rem; }
a { color: var(--accent); }
.note { border-left: 4px solid var(--accent); background: var(--panel); padding: .5rem .8rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; } th, td { padding: .25rem .7rem; border-bottom: 1px solid var(--line); }
th { text-align: left; } td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.muted { color: var(--muted); } img { max-width: 100%; } code { overflow-wrap: anywhere; }
"""


def page(title: str, body: str, style: str = "", script: str = "") -> str:
    """A whole page. title: plain text; body: HTML; style and script: of this page alone, inlined as they are."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>{STYLE}{style}</style>\n</head>\n<body>\n{body}\n"
        + (f"<script>{script}</script>\n" if script else "")
        + "</body>\n</html>\n"
    )


def text(value: object) -> str:
    """Any value as text in HTML or in an attribute: markup in it is shown, never obeyed."""
    return html.escape(str(value), quote=True)


def embedded_json(name: str, value: object) -> str:
    """JSON values for a script of the page, in the element of that id, which nothing in them can end."""
    safe = (
        json.dumps(value, separators=(",", ":")).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    )
    return f'<script type="application/json" id="{text(name)}">{safe}</script>'


def table(rows: Sequence[Sequence[object]], numbers_from: int = 1, label: str = "table") -> str:
    """The first row is the header; cells are plain text. Columns from `numbers_from` on are aligned as numbers. label:
    what a screen reader calls it. A table that is too wide scrolls in its own box, by keyboard too.
    """

    def line(cells: Sequence[object], tag: str) -> str:
        kinds = [' class="number"' if i >= numbers_from else "" for i in range(len(cells))]
        scope = ' scope="col"' if tag == "th" else ""
        return "".join(f"<{tag}{scope}{kind}>{text(cell)}</{tag}>" for kind, cell in zip(kinds, cells, strict=True))

    head, body = line(rows[0], "th"), "\n".join(f"<tr>{line(row, 'td')}</tr>" for row in rows[1:])
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{text(label)}"><table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def picture_uri(pixels: np.ndarray, height: int, quality: int = 80) -> str:
    """An image [H, W, 3] uint8 as a JPEG data URI, `height` pixels high."""
    width = max(1, round(height * pixels.shape[1] / pixels.shape[0]))
    stream = io.BytesIO()
    Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS).save(stream, "JPEG", quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
