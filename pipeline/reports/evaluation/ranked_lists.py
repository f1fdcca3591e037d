"""Ranked lists as HTML: one card per query, its answers beside it, and under every pair what was compared."""

from __future__ import annotations

import numpy as np

from pipeline.reports.evaluation.illustrations import ROW_LABELS
from pipeline.reports.evaluation.shown_queries import KINDS, AnswerList, RankedImage, ShownQuery
from pipeline.reports.html import picture_uri, text

HEIGHT = 160  # of embedded images, pixels at most: one that is lower is embedded as it is

BADGES = {"random": "drawn at random", "worst": "among the worst", "best": "among the best"}

CAPTION = (
    "Each card is one query, in the blue frame, and what the gallery answers, most similar first. A solid green frame "
    "and ✓: the same person. A dashed red frame and ✗: another one. Where the first match comes later, it is shown "
    "last, behind the dots. Gallery images of the query's own person and camera are left out, as in the figures. The "
    "bar beside an image shows its stripes: filled where visible, hollow where hidden."
)
DRAWS_CAPTION = "Lists show the whole gallery; the AP of a query is its mean over the draws of the protocol."
KEY = (
    "Beneath an image: its rank and similarity; its person; g, the similarity of the global features; and a line per "
    "stripe, from the top, with two boxes, the query's stripe and the gallery image's (■ visible, □ hidden), and their "
    "similarity, bold if it counts and struck out if it does not. The similarity above is the mean of g and of what "
    "counts (Eq. 15)."
)


def lists_html(queries: list[ShownQuery]) -> str:
    """The form that chooses (which page.js shows) and all cards, in the order given."""
    cards = "\n".join(_card(number, query) for number, query in enumerate(queries))
    return f'{_form(queries)}\n<div id="lists">\n{cards}\n</div>'


def _form(queries: list[ShownQuery]) -> str:
    cameras = sorted({query.camid for query in queries})
    counts = {kind: sum(kind in query.kinds for query in queries) for kind in KINDS}
    choices = {
        "kind": (
            "shown as",
            {"": "all", **{kind: f"{BADGES[kind]} ({counts[kind]})" for kind in KINDS if counts[kind]}},
        ),
        "first": ("first answer", {"": "right or wrong", "right": "right", "wrong": "wrong"}),
        "camera": ("camera of the query", {"": "any", **{str(camid): str(camid) for camid in cameras}}),
        "order": ("order", {"": "as drawn", "rising": "lowest AP first", "falling": "highest AP first"}),
    }
    fields = [
        f'<label>{label} <select name="{name}">'
        + "".join(f'<option value="{text(value)}">{text(shown)}</option>' for value, shown in options.items())
        + "</select></label>"
        for name, (label, options) in choices.items()
    ]
    return (
        '<form id="choose" class="choose" data-script hidden>\n' + "\n".join(fields) + "\n"
        '<label>name or person <input type="search" name="words" autocomplete="off"></label>\n'
        '<button type="reset">Show all</button> <output aria-live="polite"></output>\n</form>'
    )


def _card(number: int, query: ShownQuery) -> str:
    first = "right" if query.lists[0].first_hit == 1 else "wrong"
    badges = " ".join(f'<span class="badge {kind}">{BADGES[kind]}</span>' for kind in query.kinds)
    images = f"{query.matches} matching gallery image{'' if query.matches == 1 else 's'}"
    heading = f"Person {query.pid}, camera {query.camid}"
    lists = "\n".join(_list(row, query, heading) for row in query.lists)
    words = text(f"{query.name} {query.pid}".lower())
    return f"""<article class="card" data-kinds="{" ".join(query.kinds)}" data-first="{first}"
 data-camera="{query.camid}" data-words="{words}" data-ap="{query.ap:.6f}" aria-labelledby="query-{number}">
<header><h3 id="query-{number}">{heading}</h3> {badges} <span class="ap">AP {100 * query.ap:.1f} %</span></header>
<div class="pair"><div class="asked">
<div class="tile query">{_picture(query.image, f"the query, {heading.lower()}")}{_bar(query.visible, "the query")}</div>
<p><b>query</b><br><span class="name">{text(query.name)}</span><br><span class="muted">{images}</span></p>
</div><div class="answers">
{lists}
</div></div></article>"""


def _list(row: AnswerList, query: ShownQuery, heading: str) -> str:
    tiles = []
    for place, answer in enumerate(row.answers, start=1):
        if answer.rank > place:
            tiles.append('<li class="gap" aria-hidden="true">…</li>')
        tiles.append(_tile(answer, query.visible))
    label = f"answers to {heading} by {row.variant}"
    return (
        f'<p class="variant"><b>{text(row.variant)}</b> <span>first match at rank {row.first_hit}</span> '
        f'<span class="muted">{text(ROW_LABELS[row.variant].removeprefix(row.variant + ": "))}</span></p>\n'
        f'<ol class="scroll tiles" tabindex="0" aria-label="{text(label)}">\n' + "\n".join(tiles) + "\n</ol>"
    )


def _tile(answer: RankedImage, asked: np.ndarray) -> str:
    kind, sign, who = ("right", "✓", "the same person") if answer.right else ("wrong", "✗", "another person")
    about = f"rank {answer.rank}, {who}: person {answer.pid}, camera {answer.camid}"
    lines = []
    if not np.isnan(answer.whole):
        lines.append(f"<div><i>g</i> <b>{short(answer.whole)}</b></div>")
    for p, value in enumerate(answer.stripes):
        seen = (bool(asked[p]), bool(answer.visible[p]))
        boxes = "".join("■" if visible else "□" for visible in seen)
        tag = "b" if answer.counted[p] else "s"
        spoken = f"stripe {p + 1}: {_spoken(seen)}, {'counts' if answer.counted[p] else 'does not count'}:"
        boxes = f'<i role="img" aria-label="{spoken}">{boxes}</i>'
        lines.append(f'<div title="{spoken} {value:.3f}">{boxes} <{tag}>{short(value)}</{tag}></div>')
    return (
        f'<li class="tile {kind}" title="{text(f"{about} · {answer.name}")}">'
        f'<div class="frame">{_picture(answer.image, about)}{_bar(answer.visible, "the gallery image")}</div>'
        f'<div class="tag">{answer.rank} {sign} {short(answer.similarity)}</div>'
        f'<div class="who">{answer.pid} <small>cam {answer.camid}</small></div>'
        f'<div class="stripes">{"".join(lines)}</div></li>'
    )


def short(value: float) -> str:
    """Two digits, as in ".83": tiles are narrow."""
    return f"{round(float(value), 2) + 0.0:.2f}".replace("-", "−").replace("0.", ".", 1)


def _spoken(seen: tuple[bool, bool]) -> str:
    return {
        (True, True): "visible in both",
        (True, False): "hidden in the gallery image",
        (False, True): "hidden in the query",
        (False, False): "hidden in both",
    }[seen]


def _picture(image: np.ndarray, alt: str) -> str:
    height = min(HEIGHT, image.shape[0])
    width = max(1, round(height * image.shape[1] / image.shape[0]))
    return f'<img src="{picture_uri(image, height)}" width="{width}" height="{height}" alt="{text(alt)}">'


def _bar(visible: np.ndarray, whose: str) -> str:
    """A column as high as the image, one box per stripe."""
    if not len(visible):
        return ""
    shown = ", ".join(f"{p} {'visible' if seen else 'hidden'}" for p, seen in enumerate(visible, start=1))
    boxes = "".join(f'<span class="{"seen" if seen else ""}"></span>' for seen in visible)
    return f'<span class="bar" role="img" aria-label="stripes of {whose}: {shown}">{boxes}</span>'
