"""What every HTML page of ours shares: one file that opens from disk, light or dark, wide or narrow. Writes nothing."""

from __future__ import annotations

import base64
import html
import io
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


def table(rows: Sequence[Sequence[object]], numbers_from: int = 1) -> str:
    """The first row is the header; cells are plain text. Columns from `numbers_from` on are aligned as numbers."""

    def line(cells: Sequence[object], tag: str) -> str:
        kinds = [' class="number"' if i >= numbers_from else "" for i in range(len(cells))]
        return "".join(f"<{tag}{kind}>{text(cell)}</{tag}>" for kind, cell in zip(kinds, cells, strict=True))

    body = "\n".join(f"<tr>{line(row, 'td')}</tr>" for row in rows[1:])
    return (
        f'<div class="scroll"><table>\n<thead><tr>{line(rows[0], "th")}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def picture_uri(pixels: np.ndarray, height: int, quality: int = 80) -> str:
    """An image [H, W, 3] uint8 as a JPEG data URI, `height` pixels high."""
    width = max(1, round(height * pixels.shape[1] / pixels.shape[0]))
    stream = io.BytesIO()
    Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS).save(stream, "JPEG", quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
