"""What the network sees in some queries, as HTML: predicted parts beside their reference, and aggregation maps."""

from __future__ import annotations

import numpy as np

from pipeline.reports.canvas import class_colours
from pipeline.reports.html import picture_uri, text
from pipeline.reports.pictures import Explained, heat_colours, overlay_heat, overlay_parts
from sorn.parts import LABELLINGS

HEIGHT = 160  # of embedded images, pixels


def explained_html(explained: list[Explained], labels: int) -> str:
    """One figure per query. labels: K classes of the masks."""
    keys = []
    if explained[0].parts is not None:
        keys.append(_legend(labels))
    if len(explained[0].maps):
        keys.append(_scale())
    figures = "\n".join(_figure(example, labels) for example in explained)
    return f'<div class="keys">{"".join(keys)}</div>\n<div class="seen-by">\n{figures}\n</div>'


def _figure(example: Explained, labels: int) -> str:
    masks = {"predicted": example.parts, example.reference: example.label}
    views = [_view("image", example.image, "")]
    for name, mask in masks.items():
        if mask is not None:
            views.append(_view(name, overlay_parts(_enlarged(example.image), mask, labels), "part mask, "))
    sets = len(example.maps)
    for n, values in enumerate(example.maps):
        patch = f'<span class="patch" style="top:{100 * n / sets:.2f}%;height:{100 / sets:.2f}%"></span>'
        heat = overlay_heat(_enlarged(example.image), values)
        views.append(_view(f"M_{n + 1}", heat, "aggregation map ", patch))
    return (
        f'<figure><div class="scroll views">{"".join(views)}</div><figcaption class="name">{text(example.name)}'
        "</figcaption></figure>"
    )


def _view(name: str, pixels: np.ndarray, kind: str, over: str = "") -> str:
    return (
        f'<div class="view"><small>{text(name)}</small><div class="frame">'
        f'<img src="{picture_uri(pixels, HEIGHT)}" height="{HEIGHT}" alt="{kind}{text(name)}">{over}</div></div>'
    )


def _enlarged(image: np.ndarray) -> np.ndarray:
    """Small images by whole factors, so that masks over them keep sharp edges when they are shown."""
    factor = -(-HEIGHT // image.shape[0])
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def _legend(labels: int) -> str:
    colours = class_colours(labels)
    items = [
        f'<span class="key"><span class="swatch" style="background:#{"".join(f"{c:02x}" for c in colours[number])}">'
        f"</span>{text(name)}</span>"
        for number, name in enumerate(LABELLINGS[labels][1:], start=1)
    ]
    return f'<p aria-label="colours of the parts">{"".join(items)}</p>'


def _scale() -> str:
    stops = ",".join(f"rgb({r},{g},{b})" for r, g, b in heat_colours(np.linspace(0, 1, 9)).tolist())
    return f'<p>M_n: 0 <span class="ramp" style="background:linear-gradient(90deg,{stops})"></span> 1</p>'
