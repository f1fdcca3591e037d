"""Values of a label map: channels, class ids, part classes. No files."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from pipeline.datasets.class_tables import UNKNOWN
from pipeline.datasets.shipped_tables import TABLES
from sorn.parts import BACKGROUND

CHANNELS = ("red", "green", "blue")
MOST_CHANNELS = 4  # of a picture; a longer axis counts rows, columns or classes
LARGEST_WHOLE = 2**31  # of an id stored as a float: far above every table
VOID = (-1, 255, 65535)  # what tools write where no class is known
NAMED = 4  # unknown values that a message names
ONE_ID = "Give one class id per pixel: an indexed or greyscale PNG, or a two-dimensional .npy of integers."
OUTLINE = (0, 255)  # the values of a silhouette
SUCCESSORS = {"sapiens28": ("sapiens29", "Sapiens2")}  # table -> the one with more ids, and the tool that writes them
OUTLINE_REMEDY = "Give the label maps, not the outlines of the people."


class Misfit(ValueError):
    """Reason why values are no label map of their image.

    found: what follows the name of the file. remedy: a sentence. option: setting of the labeler `import` that may help,
    such as "channel=red"; when: the condition under which it does.
    """

    def __init__(self, found: str, remedy: str, option: str = "", when: str = "") -> None:
        super().__init__(f"{found}. {remedy}")
        self.found, self.remedy, self.option, self.when = found, remedy, option, when


class Outline(Misfit):
    """Outline of the person in place of class ids."""


def class_ids(values: np.ndarray, channel: str = "", classes: int = 0) -> np.ndarray:
    """Class ids [h, w] of an array of whole numbers, truths or whole floats.

    values: [h, w], [1, h, w], [h, w, 1]; several channels that are all equal; or, for a table of `classes` entries, a
    stack of that many layers, first or last, of which each pixel has exactly one. channel: one of CHANNELS, where
    several channels differ. Raises Misfit.
    """
    found = _one_hot(values, classes)
    layer = _layer(values, channel) if found is None else found
    if layer is None or not layer.size or layer.dtype.kind not in "uibf":
        raise _no_label_map(values, classes)
    return _whole(layer) if layer.dtype.kind == "f" else layer


def _one_hot(values: np.ndarray, classes: int) -> np.ndarray | None:
    if values.ndim != 3 or classes < 2 or values.dtype.kind not in "uibf":
        return None
    for axis in (0, 2):
        if values.shape[axis] != classes or not ((values == 0) | (values == 1)).all():
            continue
        if (np.count_nonzero(values, axis=axis) == 1).all():
            return np.asarray(values.argmax(axis=axis))
    return None


def _layer(values: np.ndarray, channel: str) -> np.ndarray | None:
    """The one channel that holds the ids; None where it is not known which."""
    while values.ndim > 3 and 1 in (values.shape[0], values.shape[-1]):
        values = values[0] if values.shape[0] == 1 else values[..., 0]
    if values.ndim != 3:
        return values if values.ndim == 2 else None
    few = [axis for axis in (2, 0) if 1 <= values.shape[axis] <= MOST_CHANNELS]
    if not few:
        return None
    layers: np.ndarray = np.moveaxis(values, min(few, key=lambda axis: values.shape[axis] != 1), 0)
    if all(np.array_equal(layers[0], other) for other in layers[1:]):
        channel = CHANNELS[0]
    number = CHANNELS.index(channel) if len(layers) >= len(CHANNELS) and channel else 0  # of two, one is transparency
    return np.asarray(layers[number]) if channel else None


def _whole(values: np.ndarray) -> np.ndarray:
    """Whole numbers that are stored as floats, int64."""
    values = values.astype(np.float64)  # a half cannot be compared with a large number
    whole = np.isfinite(values) & (np.abs(values) < LARGEST_WHOLE)
    whole[whole] = values[whole] == np.round(values[whole])
    if not whole.all():
        first = values[~whole][0]
        raise Misfit(
            f"holds the number {first:g}, which is no class id",
            "Scores are no label map: save the class with the largest score of each pixel (argmax).",
        )
    return values.astype(np.int64)


def _no_label_map(values: np.ndarray, classes: int) -> Misfit:
    found = f"is no label map but {values.dtype} of shape {values.shape}"
    if values.ndim == 3 and classes > MOST_CHANNELS and classes in (values.shape[0], values.shape[2]):
        axis = 0 if values.shape[0] == classes else 2
        return Misfit(f"{found}: {classes} layers", f"Save the class with the largest score: values.argmax({axis}).")
    if values.ndim == 3 and MOST_CHANNELS >= min(values.shape[0], values.shape[2]) > 1:
        found += ": its channels differ, as those of colours do"
        return Misfit(found, ONE_ID, "channel=red", "If one channel holds the ids, name it")
    return Misfit(found, ONE_ID)


def require_ids(values: np.ndarray, lookup: np.ndarray, table: str) -> np.ndarray:
    """The same class ids [h, w]; Outline for true and false.

    True and false are ids where the table has two classes.
    """
    if values.dtype == bool and len(lookup) > 2:
        raise Outline(f"holds true and false, not the class ids of table {table}", OUTLINE_REMEDY)
    return values


def to_parts(values: np.ndarray, lookup: np.ndarray, table: str, ignore: Collection[int] = ()) -> np.ndarray:
    """Part mask of class ids: values [h, w] -> part ids uint8 [h, w].

    lookup: as `load_table` returns it. table: its name, for messages. ignore: values that become background. Raises
    Misfit naming the values that are not in the table, with their numbers of pixels.
    """
    inside = np.clip(values, 0, len(lookup) - 1).astype(np.intp)
    parts = np.where(inside == values, lookup[inside], UNKNOWN)
    if ignore:
        parts[np.isin(values, list(ignore))] = BACKGROUND
    if (parts == UNKNOWN).any():
        raise _unknown(values, parts == UNKNOWN, table)
    return parts.astype(np.uint8)


def _unknown(values: np.ndarray, unknown: np.ndarray, table: str) -> Misfit:
    ids, pixels = np.unique(values[unknown], return_counts=True)
    counts = [f"{value} in {count:,}" for value, count in zip(ids.tolist(), pixels.tolist(), strict=True)]
    counts = counts[:NAMED] + ([f"{len(counts) - NAMED} more values"] if len(counts) > NAMED else [])
    number = f"the value {ids[0]}" if len(ids) == 1 else f"{len(ids)} values"
    found = f"holds {number}, which class table {table} does not know ({', '.join(counts)} of {values.size:,} pixels)"
    remedy, option, when = _table_meant(ids, table)
    if np.isin(values, OUTLINE).all():
        return Outline(f"{found}: 0 and 255 alone are an outline, not class ids", OUTLINE_REMEDY, option, when)
    return Misfit(found, remedy, option, when)


def _table_meant(unknown: np.ndarray, table: str) -> tuple[str, str, str]:
    """Remedy for values that a table does not know, and the option that may help with its condition."""
    choose, largest = "Choose the table of the tool that made it", int(unknown.max())
    if len(unknown) == 1 and largest in VOID:
        return f"{choose}.", f"ignore={largest}", "If it marks pixels without a class, count them as background"
    if table in SUCCESSORS and unknown.tolist() == [len(TABLES[table])]:
        later, tool = SUCCESSORS[table]
        return f"{choose}.", f"table={later}", f"If it is {tool}, whose ids are not those of {table}"
    known = [name for name, labels in TABLES.items() if unknown.min() >= 0 and largest < len(labels)]
    named = f" ({', '.join(known)} {'know' if len(known) > 1 else 'knows'} them)" if known else ""
    return f"{choose}{named}, or write your own: --set masks.options.table=mine.csv", "", ""
