"""View model of the network's outputs: body parts and aggregation maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.io.overlays import class_colours, heat_colours, overlay_heat, overlay_parts
from pipeline.reports.html import Thumbnail
from pipeline.reports.pictures import Explained
from sorn.parts import LABELLINGS

HEIGHT = 160  # of embedded images, pixels


@dataclass(frozen=True)
class Patch:
    """Patch n of an aggregation map, where it should be high.

    top, height: percent of the image.
    """

    top: float
    height: float


@dataclass(frozen=True)
class NetworkImage:
    """One image and what is written above it."""

    name: str
    image: Thumbnail
    patch: Patch | None = None


@dataclass(frozen=True)
class NetworkView:
    """View model of the network's outputs.

    figures: name of a query -> its images. legend: body part -> CSS colour; empty without predicted parts. heat: CSS
    colours of an aggregation map from 0 to 1; empty without maps.
    """

    figures: list[tuple[str, list[NetworkImage]]]
    legend: dict[str, str]
    heat: list[str]


def network_view(explained: list[Explained], labels: int) -> NetworkView:
    """One figure per query. labels: K classes of the masks."""
    legend, heat = {}, []
    if explained[0].parts is not None:
        names = enumerate(LABELLINGS[labels][1:], start=1)
        legend = {name: _css(class_colours(labels)[number]) for number, name in names}
    if len(explained[0].maps):
        heat = [_css(colour) for colour in heat_colours(np.linspace(0, 1, 9))]
    return NetworkView([(example.name, _images(example, labels)) for example in explained], legend, heat)


def _images(example: Explained, labels: int) -> list[NetworkImage]:
    masks = {"predicted": example.parts, example.reference: example.label}
    images = [_image("image", example.image, "")]
    for name, mask in masks.items():
        if mask is not None:
            images.append(_image(name, overlay_parts(_enlarged(example.image), mask, labels), "part mask, "))
    sets = len(example.maps)
    for n, values in enumerate(example.maps):
        heat = overlay_heat(_enlarged(example.image), values)
        images.append(_image(f"M_{n + 1}", heat, "aggregation map ", Patch(100 * n / sets, 100 / sets)))
    return images


def _image(name: str, pixels: np.ndarray, kind: str, patch: Patch | None = None) -> NetworkImage:
    return NetworkImage(name, Thumbnail.of(pixels, HEIGHT, f"{kind}{name}"), patch)


def _enlarged(image: np.ndarray) -> np.ndarray:
    """Image enlarged by a whole factor to HEIGHT or more, so that masks over it have sharp edges."""
    factor = -(-HEIGHT // image.shape[0])
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def _css(colour: np.ndarray) -> str:
    return "rgb({}, {}, {})".format(*colour.tolist())
