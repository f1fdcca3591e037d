"""Labels of other segmenters that joints divide into limbs.

Clothes name no limb, and a label of a whole arm or leg names two. With joints each pixel gets one of the parts that its
label may cover; hair, faces, hands, feet and limbs that a tool tells apart keep the class of their table.
"""

from __future__ import annotations

import numpy as np

from pipeline.datasets.class_tables import HANDS, UNKNOWN, read_classes
from pipeline.datasets.shipped_tables import HAND, LAYERS, TABLES
from pipeline.errors import UserError
from sorn.parts import BACKGROUND, CLASSES, LOWER_ARM, LOWER_LEG, TORSO, UPPER_ARM, UPPER_LEG

# Class of a table -> the parts that it may cover. Hems hang below the hips, and waists are above them.
DIVIDED = {
    "person": tuple(range(1, len(CLASSES))),
    "clothing": (TORSO, UPPER_ARM, LOWER_ARM, UPPER_LEG, LOWER_LEG),
    "upper clothing": (TORSO, UPPER_ARM, LOWER_ARM, UPPER_LEG),
    "lower clothing": (TORSO, UPPER_LEG, LOWER_LEG),
    "arm": (UPPER_ARM, LOWER_ARM),
    "leg": (UPPER_LEG, LOWER_LEG),
}
# The same -> labels of the shipped tables, of either side.
_LABELS = {
    "clothing": "dress, coat, jumpsuit, robe, apparel, other full-body clothes",
    "upper clothing": "upper clothes, upper clothing, top, jacket, T-shirt, polo shirt, sweater, singlet, "
    "other upper-body clothes",
    "lower clothing": "pants, shorts, skirt, lower clothing, other lower-body clothes",
    "arm": "arm, arms",
    "leg": "leg, legs, stockings",
}
_CLASS_OF = {label: ours for ours, labels in _LABELS.items() for label in labels.split(", ")}
PERSON = len(CLASSES)  # region of a silhouette
NAMES = (*CLASSES, *DIVIDED)  # of the regions, by number
# bool [regions, 8]: parts that a pixel of a region may become. A known part is only itself.
REGIONS = np.zeros((len(NAMES), len(CLASSES)), bool)
for _number, _name in enumerate(NAMES):
    REGIONS[_number, list(DIVIDED.get(_name, (_number,)))] = True


def load_regions(name: str) -> np.ndarray:
    """Lookup table, int16 [largest value + 1]: label value -> region, a number of NAMES.

    UNKNOWN marks a value that is not in the table. name: a shipped table, or the path of the user's own, in which the
    names of DIVIDED are classes too. Raises UserError as `load_table` does, and for a table of layers.
    """
    if name in LAYERS:
        remedy = "Choose a table of class ids, e.g. --set masks.options.table=lip20"
        raise UserError(f"table {name} is of layers with scores, which joints cannot divide", remedy)
    entries = read_classes(name, tuple(DIVIDED))
    if name in TABLES:
        labels = {
            value: label.removeprefix("left ").removeprefix("right ") for value, (label, _) in enumerate(TABLES[name])
        }
        entries = {value: _CLASS_OF.get(labels[value], ours) for value, ours in entries.items()}
    lookup = np.full(max(entries) + 1, UNKNOWN, np.int16)
    for value, ours in entries.items():
        lookup[value] = NAMES.index(next(iter(HANDS.values())) if ours == HAND else ours)
    return lookup


def silhouette(person: np.ndarray) -> np.ndarray:
    """Regions uint8 [h, w] of a person's silhouette bool [h, w]."""
    return np.where(person, PERSON, BACKGROUND).astype(np.uint8)
