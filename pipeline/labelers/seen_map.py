"""Format, values and ids of one possible label map.

Reads the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.datasets.mask_files import bits_per_pixel, read_values
from pipeline.datasets.mask_values import CHANNELS, OUTLINE, VOID, Misfit, class_ids
from pipeline.datasets.score_layers import are_scores
from pipeline.datasets.shipped_tables import LAYERS, TABLES
from pipeline.errors import UserError

IDS, SCORES, OUTLINES, COLOURS, UNUSABLE = KINDS = ("ids", "scores", "outline", "colours", "unusable")
LARGEST_ID = max(map(len, TABLES.values())) - 1
FEW_IDS = 3  # with the background: fewer do not tell which of several channels holds ids


@dataclass(frozen=True)
class SeenMap:
    """One file that was looked at.

    kind: one of KINDS. form: its format and type in words. shape: of its values. ids: class ids [h, w] int64, None
    where it has none. channel: that of the ids, "" where there is one way to read them. table: the one of its layers of
    scores. wrong: why it cannot be used. bits: per pixel of a greyscale or palette PNG, else 0.
    """

    path: Path
    kind: str
    form: str = ""
    shape: tuple[int, ...] = ()
    ids: np.ndarray | None = None
    channel: str = ""
    table: str = ""
    wrong: str = ""
    bits: int = 0


def see(path: Path) -> SeenMap:
    """Format, values and ids of a file. No file raises an error."""
    try:
        values = read_values(path)
    except Misfit as error:
        return SeenMap(path, UNUSABLE, wrong=error.found)
    except UserError as error:
        return SeenMap(path, UNUSABLE, wrong=error.wrong.removeprefix(f"mask {path} "))
    form, shape, bits = _form(path, values), values.shape, bits_per_pixel(path)
    if values.dtype == bool:
        return SeenMap(path, OUTLINES, form, shape)
    for table, layers in LAYERS.items():
        if are_scores(values, len(layers)):
            return SeenMap(path, SCORES, form, shape, table=table)
    try:
        ids, channel = class_ids(values).astype(np.int64), ""
    except Misfit as error:
        channel = _channel(values)
        if not channel:
            kind = COLOURS if values.ndim == 3 and values.dtype == np.uint8 else UNUSABLE
            return SeenMap(path, kind, form, shape, wrong=error.found)
        ids = class_ids(values, channel).astype(np.int64)
    silhouette = any(np.isin(ids, values).all() for values in (OUTLINE, (0, 1)))
    kind = OUTLINES if ids.any() and silhouette else IDS
    return SeenMap(path, kind, form, shape, ids, channel, bits=bits)


def voids(ids: np.ndarray) -> list[int]:
    """Values of a map that mark pixels without a class."""
    return [value for value in VOID if (ids == value).any()]


def _form(path: Path, values: np.ndarray) -> str:
    if path.suffix.lower() != ".png":
        return f"{path.suffix.lower()} of {values.dtype}"
    with path.open("rb") as file:
        head = file.read(26)
    bits, colour = head[24:26]
    kinds = {0: "greyscale", 2: "RGB", 3: "palette", 4: "greyscale with transparency", 6: "RGBA"}
    return f"PNG, {kinds.get(colour, 'unknown')}, {bits} bits"


def _channel(values: np.ndarray) -> str:
    """The one channel of several that can hold class ids; "" where none or more than one can."""
    found = []
    for channel in CHANNELS:
        try:
            ids = class_ids(values, channel)
        except Misfit:
            return ""
        known = np.unique(ids)
        known = known[~np.isin(known, VOID)]
        if len(known) >= FEW_IDS and known.max() <= LARGEST_ID and not np.isin(ids, OUTLINE).all():
            found.append(channel)
    return found[0] if len(found) == 1 else ""
