"""Class tables: labels of another segmenter -> the eight part classes.

Reads a user's .toml or .csv table; those that ship are in pipeline/datasets/shipped_tables.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.datasets.shipped_tables import HAND, LAYERS, TABLES
from pipeline.errors import LostFile, UserError, did_you_mean, reason
from pipeline.io.csv_table import read_table, whole
from pipeline.io.text import read_toml
from sorn.parts import CLASSES

HANDS = {"lower_arm": "lower arm", "background": "background"}
UNKNOWN = -1
LARGEST_VALUE = 65535  # of a 16-bit index image


def load_table(name: str, hands: str) -> np.ndarray:
    """Lookup table, int16 [largest value + 1]: label value -> part id.

    The ids are those of `sorn.parts`; UNKNOWN marks a value that is not in the table. name: one of TABLES or LAYERS, or
    the path of a user's own table: a .toml with a table [classes], e.g. `0 = "background"`, or a .csv with the columns
    value,class. Classes are the names of `sorn.parts` or "hand". hands: a key of HANDS. Raises UserError for a table
    that is unknown or cannot be read.
    """
    entries = read_classes(name)
    lookup = np.full(max(entries) + 1, UNKNOWN, np.int16)
    for value, ours in entries.items():
        lookup[value] = CLASSES.index(HANDS[hands] if ours == HAND else ours)
    return lookup


def read_classes(name: str, more: tuple[str, ...] = ()) -> dict[int, Any]:
    """Class of each label value, "hand" included.

    name: as for `load_table`. more: further classes that a user's table may have. Raises as `load_table` does.
    """
    shipped = TABLES | LAYERS
    if name in shipped:
        return {value: ours for value, (_, ours) in enumerate(shipped[name])}
    if name.lower().endswith((".toml", ".csv")):
        return _read_table(Path(name), (*CLASSES, HAND, *more))
    wrong = f"unknown class table '{name}'; known: {', '.join(sorted(shipped))}"
    raise UserError(wrong, f"{did_you_mean(name, shipped)}Or give the path of your own .toml or .csv.")


def _read_table(path: Path, known: tuple[str, ...]) -> dict[int, Any]:
    remedy = 'Write one class per value: [classes] 0 = "background" in TOML, or a CSV with the columns value,class.'
    try:
        rows = _toml_rows(path) if path.suffix.lower() == ".toml" else _csv_rows(path, remedy)
        entries = {int(whole(value)): ours for value, ours in rows}
    except FileNotFoundError as error:
        raise LostFile(f"class table {path} does not exist", remedy) from error
    except (ValueError, KeyError, OSError) as error:
        raise UserError(f"class table {path} cannot be read: {reason(error)}", remedy) from error
    _check_table(path, entries, len(rows), remedy, known)
    return entries


def _toml_rows(path: Path) -> list[tuple[str, Any]]:
    classes = read_toml(path)["classes"]
    if not isinstance(classes, dict):
        raise ValueError(f"classes = {classes!r} is no table")
    return list(classes.items())


def _csv_rows(path: Path, remedy: str) -> list[tuple[str, Any]]:
    return [(row["value"], row["class"].lower()) for _, row in read_table(path, ("value", "class"), remedy)]


def _check_table(path: Path, entries: dict[int, Any], rows: int, remedy: str, known: tuple[str, ...]) -> None:
    for value, ours in entries.items():
        if ours not in known:
            names = ", ".join(known)
            raise UserError(f"class table {path}: value {value} is '{ours}', which is no class", f"Known: {names}.")
        if not 0 <= value <= LARGEST_VALUE:
            raise UserError(f"class table {path}: value {value} is not in 0..{LARGEST_VALUE}", remedy)
    if not entries:
        raise UserError(f"class table {path} is empty", remedy)
    if len(entries) < rows:
        raise UserError(f"class table {path} names a value twice", remedy)
