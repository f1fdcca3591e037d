"""Columns of the labels page: images, labels and their agreement.

Reads shards and ground truth. The columns become data.js, which the page loads as a script: a browser reads no other
file beside a page that opens from disk.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.mask_metrics import Stripes
from pipeline.reports.labels.page_source import LabelsSource, MaskLayer
from pipeline.reports.sheets import COLUMNS, ROWS
from pipeline.runs.run import Run
from sorn import metrics
from sorn.parts import CLASSES, COLOURS
from sorn.sample import Status

UNKNOWN = -1  # of an image without a mask
THOUSAND = 1000  # shares are whole thousandths: short in the file, and finer than anyone reads
LEFT_OUT = "left out before"  # in place of a reason that is not known any more


@dataclass(frozen=True)
class MeasuredImage:
    """Figures of one image, per layer or per pair of layers.

    foreground: thousandths of its pixels. parts: bit p - 1 is set if part p is shown. iou: mIoU in thousandths.
    stripes: stripes that agree. All of them UNKNOWN without a mask.
    """

    foreground: tuple[int, ...]
    parts: tuple[int, ...]
    iou: tuple[int, ...]
    stripes: tuple[int, ...]


@dataclass(frozen=True)
class LayerColumns:
    """A layer of masks in data.js.

    status: positions in `statuses`, None for ground truth.
    """

    key: str
    title: str
    status: list[int] | None
    foreground: list[int]
    parts: list[int]


@dataclass(frozen=True)
class PairColumns:
    """Agreement of two layers in data.js. layers: their positions."""

    title: str
    layers: tuple[int, int]
    iou: list[int]
    stripes: list[int]


@dataclass(frozen=True, kw_only=True)
class LabelColumns:
    """Content of data.js.

    key: of the marks that the browser keeps. sheet: columns, rows, and width and height of a thumbnail. colours: CSS.
    stripes: their number. split, camera, person: positions in `splits`, `cameras`, `persons`. marks: numbers of images
    that are marked from the start, with the reasons.
    """

    key: str
    sheet: dict[str, int]
    classes: tuple[str, ...]
    colours: list[str]
    statuses: list[str]
    stripes: int
    names: list[str]
    splits: list[str]
    split: list[int]
    cameras: list[str]
    camera: list[int]
    persons: list[str]
    person: list[int]
    layers: list[LayerColumns]
    pairs: list[PairColumns]
    marks: list[tuple[int, str]]


def pairs_of(layers: Sequence[object]) -> list[tuple[int, int]]:
    """Positions of every two layers."""
    return list(itertools.combinations(range(len(layers)), 2))


def measure_images(masks: Sequence[Sequence[np.ndarray | None]], stripes: Stripes) -> list[MeasuredImage]:
    """Figures of some images.

    masks: per layer, the masks [H, W] uint8 of the images, of one size.
    """
    visible = [_visible(layer, stripes) if len(masks) > 1 else {} for layer in masks]
    measured = []
    for number in range(len(masks[0])):
        own = [layer[number] for layer in masks]
        foreground, parts = zip(*map(_shown, own), strict=True)
        pairs = pairs_of(masks)
        iou = [_iou(own[one], own[other]) for one, other in pairs]
        same = [_equal(visible[one].get(number), visible[other].get(number)) for one, other in pairs]
        measured.append(MeasuredImage(tuple(foreground), tuple(parts), tuple(iou), tuple(same)))
    return measured


def _shown(mask: np.ndarray | None) -> tuple[int, int]:
    """Foreground in thousandths, and the parts as bits."""
    if mask is None:
        return UNKNOWN, UNKNOWN
    counts = np.bincount(mask.ravel(), minlength=len(CLASSES))
    parts = sum(1 << (part - 1) for part in range(1, len(CLASSES)) if counts[part])
    return round(THOUSAND * float(counts[1:].sum() / mask.size)), parts


def _iou(mask: np.ndarray | None, reference: np.ndarray | None) -> int:
    if mask is None or reference is None:
        return UNKNOWN
    return round(THOUSAND * metrics.mean_iou(metrics.confusion(mask, reference, len(CLASSES))))


def _equal(visible: np.ndarray | None, reference: np.ndarray | None) -> int:
    return UNKNOWN if visible is None or reference is None else int((visible == reference).sum())


def _visible(masks: Sequence[np.ndarray | None], stripes: Stripes) -> dict[int, np.ndarray]:
    """Position -> visible stripes, bool [P], of the masks; none where they are too low for so many stripes."""
    there = {number: mask for number, mask in enumerate(masks) if mask is not None}
    if not there or not stripes.fit(next(iter(there.values())).shape):
        return {}
    return dict(zip(there, stripes.indicators(stripes.scores(np.stack(list(there.values())))), strict=True))


def label_columns(
    source: LabelsSource,
    measured: Sequence[MeasuredImage],
    run: Run,
    size: tuple[int, int],
    reasons: Mapping[str, str],
) -> LabelColumns:
    """Columns of all images.

    measured: an entry per image. run: of the labels. size: height and width of a thumbnail. reasons: name of an image
    that is left out -> why it was marked.
    """
    labels, rows, names = source.labels, source.rows, run.names
    splits, split = _positions(labels.split[rows].tolist())
    cameras, camera = _positions([names.camera(camid) for camid in labels.camid[rows].tolist()])
    persons, person = _positions([names.person(pid) for pid in labels.pid[rows].tolist()])
    return LabelColumns(
        key=f"sorn-labels-{labels.index.fingerprint[:16]}",
        sheet={"columns": COLUMNS, "rows": ROWS, "width": size[1], "height": size[0]},
        classes=CLASSES,
        colours=["rgb({}, {}, {})".format(*colour) for colour in COLOURS.tolist()],
        statuses=[status.name.lower().replace("_", " ") for status in Status],
        stripes=run.config.model.stripes,
        names=list(labels.names.at(rows)),
        splits=splits,
        split=split,
        cameras=cameras,
        camera=camera,
        persons=persons,
        person=person,
        layers=[_layer_columns(layer, place, measured) for place, layer in enumerate(source.layers)],
        pairs=_pair_columns(source.layers, measured),
        marks=[
            (row, reasons.get(labels.names[int(rows[row])], LEFT_OUT))
            for row in np.flatnonzero(labels.status[rows] == Status.LEFT_OUT).tolist()
        ],
    )


def _layer_columns(layer: MaskLayer, place: int, measured: Sequence[MeasuredImage]) -> LayerColumns:
    status = None if layer.status is None else layer.status.tolist()
    foreground, parts = ([getattr(one, column)[place] for one in measured] for column in ("foreground", "parts"))
    return LayerColumns(layer.key, layer.title, status, foreground, parts)


def _pair_columns(layers: Sequence[MaskLayer], measured: Sequence[MeasuredImage]) -> list[PairColumns]:
    """Agreement of every two layers that have a mask of the same image."""
    made = []
    for place, (one, other) in enumerate(pairs_of(layers)):
        iou = [image.iou[place] for image in measured]
        if max(iou) != UNKNOWN:
            title = f"{layers[one].title} and {layers[other].title}"
            made.append(PairColumns(title, (one, other), iou, [image.stripes[place] for image in measured]))
    return made


def _positions(values: Sequence[str]) -> tuple[list[str], list[int]]:
    """Different values, shorter ones first, and each value's position among them."""
    different = sorted(set(values), key=lambda value: (len(value), value))
    place = {value: number for number, value in enumerate(different)}
    return different, [place[value] for value in values]
