"""What a search found, for people and programs. Reads gallery pictures, writes search.html and search.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.datasets.image_folder import shown
from pipeline.io.files import write_json, write_text
from pipeline.io.images import decode
from pipeline.reports.canvas import class_colours
from pipeline.reports.html import page, picture_uri, text
from pipeline.reports.pictures import overlay_parts
from pipeline.runs.layout import SearchPaths
from pipeline.search.searcher import Answer, Hit, Recall, Searcher
from sorn.parts import LABELLINGS

SCHEMA_VERSION = 1
HEIGHT = 192  # pixels of a picture on the page

RULES = {
    "sorn": "global feature and the stripes visible in both pictures (Eq. 15)",
    "global": "global feature alone (Eq. 13): the network has no stripes",
}
NOTICE = (
    "A similarity is no identification. The best of a gallery is shown even where the person is not in it, and people "
    "in like clothes are alike to the network; see docs/ethics.md."
)
KEY = "Beside a picture, its stripes: filled where the body is visible, empty where it is hidden."
STYLE = f"""
h2, .facts td {{ overflow-wrap: anywhere; }} .facts td:first-child {{ overflow-wrap: normal; color: var(--muted); }}
.query, .hits {{ display: flex; flex-wrap: wrap; gap: 1rem; padding: 0; margin: .5rem 0; list-style: none; }}
.hits > li, .query > div {{ background: var(--panel); border: 1px solid var(--line); border-radius: 6px;
  padding: .5rem; width: 10rem; overflow-wrap: anywhere; }}
.shot {{ display: flex; gap: 4px; height: {HEIGHT}px; }}
.shot img {{ height: 100%; min-width: 0; object-fit: contain; }}
.missing {{ flex: 1; display: grid; place-items: center; border: 1px dashed var(--muted); color: var(--muted);
  text-align: center; font-size: .8rem; }}
.stripes {{ display: flex; flex-direction: column; gap: 2px; width: 9px; flex: none; }}
.stripes i {{ flex: 1; border: 1px solid var(--muted); }} .stripes i.on {{ background: var(--accent);
  border-color: var(--accent); }}
.hits b {{ font-size: 1.1rem; font-variant-numeric: tabular-nums; }} .hits table {{ width: 100%; font-size: .8rem; }}
.hits td {{ padding: .05rem .2rem; }} .small {{ font-size: .8rem; }}
.swatch {{ display: inline-block; width: .8em; height: .8em; margin: 0 .3em 0 .8em; border-radius: 2px; }}
@media (max-width: 30rem) {{ .hits > li, .query > div {{ width: calc(50% - .5rem); }} }}
"""


@dataclass(frozen=True)
class SearchResult:
    """All that a search wrote down. recall: None where it was not measured."""

    searcher: Searcher
    answers: Sequence[Answer]
    recall: Recall | None

    def write(self, paths: SearchPaths) -> None:
        write_json(paths.json, self.as_json(), allow_nan=False)
        write_text(paths.html, self.as_html())

    def facts(self) -> dict[str, str]:
        """What people should know of the search, in words."""
        searcher, gallery = self.searcher, self.searcher.gallery
        facts = {
            "model": f"{searcher.embedder.weights.parent}, {searcher.embedder.inference.precision}",
            "gallery": f"{len(gallery.bank):,} pictures, {gallery.attrs.get('folder', gallery.path)}",
            "similarity": RULES[searcher.rule.variant],
        }
        if searcher.rule.variant == "sorn":
            facts["visible stripe"] = f"at least {searcher.tau:g} of it is body (Eq. 12)"
        if gallery.attrs.get("left_out"):
            facts["left out"] = gallery.attrs["left_out"]
        if searcher.count:
            facts["candidates"] = f"{searcher.count:,}, picked by the global feature"
        if self.recall:
            facts["recall"] = f"{self.recall.asked:.1%} of the exact answers to these queries"
            if self.recall.drawn is not None:
                facts["recall"] += f", {self.recall.drawn:.1%} of those to {self.recall.pictures} gallery pictures"
        return facts

    def as_json(self) -> dict[str, Any]:
        searcher, gallery = self.searcher, self.searcher.gallery
        recall = self.recall and {
            "queries": self.recall.asked,
            "drawn": self.recall.drawn,
            "pictures": self.recall.pictures,
        }
        return {
            "schema_version": SCHEMA_VERSION,
            "model": str(searcher.embedder.weights.parent),
            "checkpoint_sha256": searcher.embedder.sha256,
            "precision": searcher.embedder.inference.precision,
            "gallery": {
                "path": str(gallery.path),
                "folder": gallery.attrs.get("folder"),
                "images": len(gallery.bank),
                "left_out": gallery.attrs.get("left_out", ""),
            },
            "variant": searcher.rule.variant,
            "tau": searcher.tau,
            "candidates": searcher.count or None,
            "recall": recall,
            "queries": [
                {
                    "query": answer.name,
                    "visibility": list(answer.visibility),
                    "visible": list(answer.visible),
                    "hits": [_hit_json(rank, hit) for rank, hit in enumerate(answer.hits, 1)],
                }
                for answer in self.answers
            ],
        }

    def as_html(self) -> str:
        rows = "".join(f"<tr><td>{what}</td><td>{text(shown(value))}</td></tr>" for what, value in self.facts().items())
        labels = self.searcher.embedder.inference.network.config.labels
        sections = "\n".join(_section(answer, labels) for answer in self.answers)
        facts = f'<table class="facts">{rows}</table>\n<p class="small muted">{text(KEY)}</p>'
        return page("Search", f'<h1>Search</h1>\n<p class="note">{text(NOTICE)}</p>\n{facts}\n{sections}', STYLE)


def as_text(answer: Answer) -> str:
    """One query for a terminal: rank, similarity, stripes (V visible in both, - not), name."""
    lines = [f"{shown(answer.name)}"]
    for rank, hit in enumerate(answer.hits, 1):
        stripes = "".join("V" if compared else "-" for compared in _compared(answer, hit))
        blank = "  (all its features are zero)" if hit.blank else ""
        lines.append(f"{rank:4}  {hit.similarity:7.4f}  {stripes}  {shown(hit.name)}{blank}")
    return "\n".join(lines)


def _compared(answer: Answer, hit: Hit) -> list[bool]:
    """Per stripe, whether both pictures show it."""
    return [seen and there for seen, there in zip(answer.visible, hit.visible, strict=True)]


def _hit_json(rank: int, hit: Hit) -> dict[str, Any]:
    return {
        "rank": rank,
        "name": hit.name,
        "path": str(hit.path) if hit.path else None,
        "similarity": hit.similarity,
        "global": hit.global_similarity,
        "stripes": list(hit.stripes),
        "visible": list(hit.visible),
        "blank": hit.blank,
    }


def _section(answer: Answer, labels: int) -> str:
    name = text(shown(answer.name))
    own = f'<div>{_shot(answer.image, answer.visible, name)}<div class="small">query</div></div>'
    key = ""
    if answer.parts is not None:
        overlay = overlay_parts(answer.image, answer.parts, labels)
        own += f'<div>{_shot(overlay, answer.visible, f"parts of {name}")}<div class="small">its parts</div></div>'
        colours = zip(LABELLINGS[labels][1:], class_colours(labels)[1:], strict=True)
        key = "".join(
            f'<span class="swatch" style="background: rgb({r}, {g}, {b})"></span>{text(part)}'
            for part, (r, g, b) in colours
        )
        key = f'<p class="small muted">{key}</p>'
    hits = "\n".join(_hit(answer, rank, hit) for rank, hit in enumerate(answer.hits, 1))
    shots = f'<div class="query">{own}</div>\n{key}'
    return f'<section>\n<h2>{name}</h2>\n{shots}\n<ol class="hits">\n{hits}\n</ol>\n</section>'


def _hit(answer: Answer, rank: int, hit: Hit) -> str:
    image = decode(hit.path) if hit.path else None
    lines = [] if hit.global_similarity is None else [("global", f"{hit.global_similarity:.3f}")]
    for number, (similarity, compared) in enumerate(zip(hit.stripes, _compared(answer, hit), strict=True), 1):
        lines.append((f"stripe {number}", f"{similarity:.3f}" if compared else "hidden"))
    rows = "".join(f'<tr><td>{what}</td><td class="number">{value}</td></tr>' for what, value in lines)
    name = text(shown(hit.name))
    blank = '<div class="small">all its features are zero</div>' if hit.blank else ""
    return (
        f"<li>{_shot(image, hit.visible, name)}\n<div>{rank}. <b>{hit.similarity:.3f}</b></div>{blank}"
        f'<table>{rows}</table><div class="small muted">{name}</div></li>'
    )


def _shot(image: np.ndarray | None, visible: Sequence[bool], name: str) -> str:
    """A picture with its stripes beside it. name: escaped already."""
    if image is None:
        picture = '<span class="missing">picture not found</span>'
    else:
        picture = f'<img src="{picture_uri(image, HEIGHT)}" alt="{name}">'
    seen = ", ".join(str(number) for number, there in enumerate(visible, 1) if there) or "none"
    bar = "".join('<i class="on"></i>' if there else "<i></i>" for there in visible)
    stripes = f'<span class="stripes" role="img" aria-label="visible stripes: {seen}">{bar}</span>' if visible else ""
    return f'<div class="shot">{picture}{stripes}</div>'
