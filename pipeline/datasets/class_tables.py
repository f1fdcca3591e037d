"""Class tables: labels of another segmenter -> the eight part classes.

Reads a user's .toml or .csv table. No mapping can correct these limits of the shipped tables:
- LIP and ATR name garments and skin, not limb segments. Garments of the upper body become torso, sleeves included;
trousers and skirts become upper leg down to the hem. The arm and leg labels mark bare skin, and become lower arm and
lower leg, where skin is bare most often. Upper arms therefore never occur. Jumpsuits and dresses become torso.
- Pascal-Person-Part has no feet: they belong to the lower legs.
- Bags are no body part; scarves and belts count as torso, socks as lower leg, gloves as hands.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import LostFile, UserError, reason
from pipeline.io.csv_table import read_table, whole
from pipeline.io.text import read_toml
from sorn.parts import CLASSES

HAND = "hand"  # not one of the eight classes: the option `hands` gives its class
HANDS = {"lower_arm": "lower arm", "background": "background"}
UNKNOWN = -1
LARGEST_VALUE = 65535  # of a 16-bit index image

# Name of a table -> (its label, our class) by label value.
TABLES: dict[str, tuple[tuple[str, str], ...]] = {
    "sorn8": tuple((name, name) for name in CLASSES),
    # Look into Person, 20 labels.
    "lip20": (
        ("background", "background"),
        ("hat", "head"),
        ("hair", "head"),
        ("glove", HAND),
        ("sunglasses", "head"),
        ("upper clothes", "torso"),
        ("dress", "torso"),
        ("coat", "torso"),
        ("socks", "lower leg"),
        ("pants", "upper leg"),
        ("jumpsuits", "torso"),
        ("scarf", "torso"),
        ("skirt", "upper leg"),
        ("face", "head"),
        ("left arm", "lower arm"),
        ("right arm", "lower arm"),
        ("left leg", "lower leg"),
        ("right leg", "lower leg"),
        ("left shoe", "foot"),
        ("right shoe", "foot"),
    ),
    # ATR, 18 labels.
    "atr18": (
        ("background", "background"),
        ("hat", "head"),
        ("hair", "head"),
        ("sunglasses", "head"),
        ("upper clothes", "torso"),
        ("skirt", "upper leg"),
        ("pants", "upper leg"),
        ("dress", "torso"),
        ("belt", "torso"),
        ("left shoe", "foot"),
        ("right shoe", "foot"),
        ("face", "head"),
        ("left leg", "lower leg"),
        ("right leg", "lower leg"),
        ("left arm", "lower arm"),
        ("right arm", "lower arm"),
        ("bag", "background"),
        ("scarf", "torso"),
    ),
    "pascal_person_part7": (
        ("background", "background"),
        ("head", "head"),
        ("torso", "torso"),
        ("upper arms", "upper arm"),
        ("lower arms", "lower arm"),
        ("upper legs", "upper leg"),
        ("lower legs", "lower leg"),
    ),
    # DensePose's fine segmentation, I = 0..24.
    "densepose24": (
        ("background", "background"),
        *[("torso", "torso")] * 2,
        ("right hand", HAND),
        ("left hand", HAND),
        ("left foot", "foot"),
        ("right foot", "foot"),
        *[("upper leg", "upper leg")] * 4,
        *[("lower leg", "lower leg")] * 4,
        *[("upper arm", "upper arm")] * 4,
        *[("lower arm", "lower arm")] * 4,
        *[("head", "head")] * 2,
    ),
    # DensePose's coarse segmentation, S = 0..14.
    "densepose15": (
        ("background", "background"),
        ("torso", "torso"),
        ("right hand", HAND),
        ("left hand", HAND),
        ("left foot", "foot"),
        ("right foot", "foot"),
        ("right upper leg", "upper leg"),
        ("left upper leg", "upper leg"),
        ("right lower leg", "lower leg"),
        ("left lower leg", "lower leg"),
        ("left upper arm", "upper arm"),
        ("right upper arm", "upper arm"),
        ("left lower arm", "lower arm"),
        ("right lower arm", "lower arm"),
        ("head", "head"),
    ),
}


def load_table(name: str, hands: str) -> np.ndarray:
    """Lookup table, int16 [largest value + 1]: label value -> part id.

    The ids are those of `sorn.parts`; UNKNOWN marks a value that is not in the table. name: one of TABLES, or the path
    of a user's own table: a .toml with a table [classes], e.g. `0 = "background"`, or a .csv with the columns
    value,class. Classes are the names of `sorn.parts` or "hand". hands: a key of HANDS. Raises UserError for a table
    that is unknown or cannot be read.
    """
    if name in TABLES:
        entries = {value: ours for value, (_, ours) in enumerate(TABLES[name])}
    elif name.lower().endswith((".toml", ".csv")):
        entries = _read_table(Path(name))
    else:
        known = ", ".join(sorted(TABLES))
        raise UserError(f"unknown class table '{name}'; known: {known}", "Or give the path of your own .toml or .csv.")
    lookup = np.full(max(entries) + 1, UNKNOWN, np.int16)
    for value, ours in entries.items():
        lookup[value] = CLASSES.index(HANDS[hands] if ours == HAND else ours)
    return lookup


def _read_table(path: Path) -> dict[int, Any]:
    remedy = 'Write one class per value: [classes] 0 = "background" in TOML, or a CSV with the columns value,class.'
    try:
        rows = _toml_rows(path) if path.suffix.lower() == ".toml" else _csv_rows(path, remedy)
        entries = {int(whole(value)): ours for value, ours in rows}
    except FileNotFoundError as error:
        raise LostFile(f"class table {path} does not exist", remedy) from error
    except (ValueError, KeyError, OSError) as error:
        raise UserError(f"class table {path} cannot be read: {reason(error)}", remedy) from error
    _check_table(path, entries, len(rows), remedy)
    return entries


def _toml_rows(path: Path) -> list[tuple[str, Any]]:
    classes = read_toml(path)["classes"]
    if not isinstance(classes, dict):
        raise ValueError(f"classes = {classes!r} is no table")
    return list(classes.items())


def _csv_rows(path: Path, remedy: str) -> list[tuple[str, Any]]:
    return [(row["value"], row["class"].lower()) for _, row in read_table(path, ("value", "class"), remedy)]


def _check_table(path: Path, entries: dict[int, Any], rows: int, remedy: str) -> None:
    for value, ours in entries.items():
        if ours not in (*CLASSES, HAND):
            known = ", ".join((*CLASSES, HAND))
            raise UserError(f"class table {path}: value {value} is '{ours}', which is no class", f"Known: {known}.")
        if not 0 <= value <= LARGEST_VALUE:
            raise UserError(f"class table {path}: value {value} is not in 0..{LARGEST_VALUE}", remedy)
    if not entries:
        raise UserError(f"class table {path} is empty", remedy)
    if len(entries) < rows:
        raise UserError(f"class table {path} names a value twice", remedy)
