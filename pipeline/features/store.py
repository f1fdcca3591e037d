"""Feature banks on disk, for matching, reports and search.

A file holds either the banks `query` and `gallery` of an evaluation, with maps and parts for its pictures in `examples`
(features.h5), or one bank `images` of the user's own pictures. `docs/formats.md` describes the format. No torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pipeline.errors import UserError
from pipeline.features.bank_layout import LAYOUT, read_names, require_layout
from pipeline.features.bank_values import BANK_FIELDS, FEATURES, OPTIONAL, bank_arrays, require_good
from pipeline.io import hdf5
from pipeline.io.disk import require_space, told_when_full
from pipeline.io.files import atomic
from sorn.features import FeatureBank, SecondViews

SCHEMA_VERSION = 3
SIDES, IMAGES = ("query", "gallery"), "images"  # banks of an evaluation; the bank of a file that holds only one
PLACED = "placed"  # the bank of second views, beside that of queries or that of a chunk
REMEDY = "Delete it and run the eval stage again (`make eval`): it extracts the features anew."
OWN_REMEDY = "Make it again: sorn embed."
DIVERGED = (
    "Training diverged, or its numbers are too large for fp16: see whether --set eval.precision=fp32 helps, else train "
    "again with a lower rate (--set schedule.base_lr=...)."
)
EXAMPLES = ("name", "maps", "parts")
ORIGINS = ("state", "sha256")  # of the files of a user's own pictures
HEADROOM = 1 << 20  # bytes of names and HDF5's own tables, beyond the arrays


@dataclass(frozen=True)
class Examples:
    """Aggregation maps and predicted parts of n images, for pictures.

    name: [n] str. maps: [n, N, h, w] float16 in [0, 1], the aggregation maps M_1..M_N; N = 0 without a global branch.
    parts: [n, 4h, 4w] uint8, the predicted class of every pixel; [n, 0, 0] without a semantic branch.
    """

    name: np.ndarray
    maps: np.ndarray
    parts: np.ndarray


@dataclass(frozen=True)
class Banks:
    """Content of features.h5.

    attrs: name -> text, the sources of the features.
    """

    query: FeatureBank
    gallery: FeatureBank
    attrs: dict[str, str]
    examples: Examples | None


@dataclass(frozen=True)
class BankRows:
    """Bank in pieces, so that it need not fit into memory.

    count: images in all pieces. pieces: in order.
    """

    count: int
    pieces: Iterable[FeatureBank]


def write_banks(
    path: Path, query: FeatureBank, gallery: FeatureBank, attrs: dict[str, str], examples: Examples | None = None
) -> None:
    """Write features.h5 whole or not at all.

    attrs: name -> text; `config` is JSON. Raises UserError for a full disk and for a feature that is not finite.
    """
    banks = {"query": query, "gallery": gallery}
    for side, bank in banks.items():
        require_good(path, side, bank, DIVERGED)
    arrays = [array for bank in banks.values() for array in bank_arrays(bank).values()]
    arrays += [examples.maps, examples.parts] if examples else []
    require_space(path, sum(array.nbytes for array in arrays) + HEADROOM)
    join_banks(path, BankRows(len(query), [query]), BankRows(len(gallery), [gallery]), attrs, examples)


def join_banks(
    path: Path, query: BankRows, gallery: BankRows, attrs: dict[str, str], examples: Examples | None = None
) -> None:
    """Write features.h5 from banks in pieces, like `write_banks`.

    The features are not checked: the caller has checked that they are finite.
    """
    with _written(path, attrs) as file:
        for side, rows in zip(SIDES, (query, gallery), strict=True):
            _write_rows(file, side, rows)
        if examples is not None:
            group = file.create_group("examples")
            for key in EXAMPLES:
                _write_whole(group, key, getattr(examples, key))


def write_bank(
    path: Path, bank: FeatureBank, attrs: dict[str, str], origins: Sequence[tuple[str, str]] | None = None
) -> None:
    """Write one bank into its own file, whole or not at all.

    origins: size with time, and sha256, of the file of each image. Raises UserError as `write_banks` does.
    """
    require_good(path, IMAGES, bank, DIVERGED)
    require_space(path, sum(array.nbytes for array in bank_arrays(bank).values()) + HEADROOM)
    with _written(path, attrs) as file:
        group = _write_rows(file, IMAGES, BankRows(len(bank), [bank]))
        for number, key in enumerate(ORIGINS if origins is not None else ()):
            _write_whole(group, key, np.array([origin[number] for origin in origins or ()]))


def read_banks(path: Path) -> Banks:
    """Content of features.h5, checked.

    The features are mapped: read from the disk when they are used. Raises UserError for a file that is missing,
    truncated or of another schema version, and for features of a wrong type or shape, features that are not finite, and
    features that are all zero.
    """
    attrs = read_attrs(path)
    query, gallery = (_read_side(path, side, REMEDY, mapped=True) for side in SIDES)
    try:
        with hdf5.opened(path) as file:
            examples = _read_examples(path, hdf5.member(file, "examples")) if "examples" in file else None
    except hdf5.DAMAGE as error:
        raise _unreadable(path, error, REMEDY) from error
    if query.widths != gallery.widths:
        raise UserError(f"{path} has query and gallery features of different sizes", REMEDY)
    return Banks(query, gallery, attrs, examples)


def read_bank(path: Path, side: str = IMAGES) -> tuple[FeatureBank, dict[str, str]]:
    """One bank of a file, with the attributes of the file.

    side: "images", or "query" or "gallery" of a features.h5. Raises UserError as `read_banks` does, and for a file
    without a bank of that name.
    """
    remedy = OWN_REMEDY if side == IMAGES else REMEDY
    attrs = read_attrs(path, remedy)
    stored = bank_names(path)
    if side not in stored:
        names = " and ".join(f"'{name}'" for name in stored) or "nothing"
        raise UserError(f"{path} holds no feature bank '{side}', but {names}", "Name one that it holds.")
    return _read_side(path, side, remedy), attrs


def read_origins(path: Path) -> list[tuple[str, str]]:
    """Origins of the images of a bank, as given to `write_bank`.

    Empty for a bank without them. Raises UserError as `read_bank` does.
    """
    try:
        with hdf5.opened(path) as file:
            group = hdf5.member(file, IMAGES)
            if not all(key in group for key in ORIGINS):
                return []
            require_layout(path, group, ORIGINS)
            columns = [group[key].asstr()[:].tolist() for key in ORIGINS]
            return list(zip(*columns, strict=True))
    except hdf5.DAMAGE as error:
        raise _unreadable(path, error, OWN_REMEDY) from error


def bank_names(path: Path) -> tuple[str, ...]:
    """Names of the banks in a file.

    ("query", "gallery") for a features.h5, with "placed" if queries have second views, and ("images",) for a single
    bank. Raises UserError as `read_bank` does.
    """
    read_attrs(path, OWN_REMEDY)
    try:
        with hdf5.opened(path) as file:
            return tuple(name for name in (*SIDES, IMAGES, PLACED) if name in file)
    except hdf5.DAMAGE as error:
        raise _unreadable(path, error, OWN_REMEDY) from error


def read_attrs(path: Path, remedy: str = REMEDY) -> dict[str, str]:
    """Attributes of the file, the sources of its features.

    The features are not read. Raises UserError as `read_banks` does.
    """
    try:
        with hdf5.opened(path) as file:
            version = hdf5.attribute(file, "schema_version")
            attrs = hdf5.attributes(file) if version == SCHEMA_VERSION else {}
    except FileNotFoundError as error:
        raise UserError(f"there are no features: {path} is missing", remedy) from error
    except hdf5.DAMAGE as error:
        raise _unreadable(path, error, remedy) from error
    if version != SCHEMA_VERSION:
        raise UserError(f"{path} is of schema version {version}, this program of {SCHEMA_VERSION}", remedy)
    return {key: str(value) for key, value in attrs.items() if key != "schema_version"}


@contextmanager
def _written(path: Path, attrs: dict[str, str]) -> Iterator[h5py.File]:
    """New file under a temporary name, renamed to `path` when it is complete."""
    with told_when_full(path), atomic(path) as temporary, hdf5.created(temporary) as file:
        yield file
        hdf5.set_attributes(file, {"schema_version": SCHEMA_VERSION, **attrs})


def _write_rows(file: h5py.File, side: str, rows: BankRows) -> h5py.Group:
    """Write a bank, and the second views of its images into a bank of their own."""
    group = file.create_group(side)
    first, names, second = 0, [], []
    for piece in rows.pieces:
        arrays = bank_arrays(piece)
        names.append(arrays.pop("name"))
        for key, array in arrays.items():
            if key not in group:
                group.create_dataset(key, (rows.count, *array.shape[1:]), LAYOUT[key][0], track_times=False)
            group[key][first : first + len(array)] = array
        first += len(piece)
        second += [piece.second.bank] if piece.second else []
    assert first == rows.count, f"{group.name}: {first} of {rows.count} images"
    _write_whole(group, "name", np.concatenate(names))  # at once: the longest name sets the length of all
    if second:
        _write_rows(file, PLACED, BankRows(sum(map(len, second)), second))
    return group


def _write_whole(group: h5py.Group, key: str, array: np.ndarray) -> None:
    kind = LAYOUT[key][0]
    data = hdf5.texts(array) if kind == "text" else array.astype(kind, copy=False)
    group.create_dataset(key, data=data, track_times=False)


def _read_side(path: Path, side: str, remedy: str, mapped: bool = False) -> FeatureBank:
    try:
        with hdf5.opened(path) as file:
            group = hdf5.member(file, side)
            require_layout(path, group, (*BANK_FIELDS, "name", *(key for key in OPTIONAL if key in group)))
            arrays = {
                field: group[key] if key in FEATURES and mapped else group[key][:]
                for key, field in (BANK_FIELDS | {key: key for key in OPTIONAL if key in group}).items()
            }
            bank = FeatureBank(**arrays, name=read_names(group))
            require_good(path, side, bank, remedy)  # some rows at a time, also from the file
            large = {BANK_FIELDS.get(key, key): group[key] for key in FEATURES if key in group and mapped}
            maps: dict[str, Any] = {field: hdf5.mapped(path, dataset) for field, dataset in large.items()}
            bank = replace(bank, **maps)
            if side not in (SIDES[0], IMAGES) or PLACED not in file:
                return bank
        return replace(bank, second=_second_views(bank, _read_side(path, PLACED, remedy, mapped)))
    except hdf5.DAMAGE as error:
        raise _unreadable(path, error, remedy) from error


def _second_views(bank: FeatureBank, placed: FeatureBank) -> SecondViews:
    """Second views of the images that they are named after. Raises ValueError for other images."""
    numbers = {name: number for number, name in enumerate(bank.name.tolist())}
    of = np.array([numbers.get(name, -1) for name in placed.name.tolist()])
    if of[0] < 0 or (np.diff(of) <= 0).any():
        raise ValueError(f"{PLACED} holds other images, or the same ones in another order")
    return SecondViews(of, placed)


def _read_examples(path: Path, group: h5py.Group) -> Examples:
    require_layout(path, group, EXAMPLES)
    examples = Examples(read_names(group), group["maps"][:], group["parts"][:])
    if not len(examples.name) == len(examples.maps) == len(examples.parts):
        raise ValueError("its examples have different lengths")
    return examples


def _unreadable(path: Path, error: Exception, remedy: str) -> UserError:
    return hdf5.unreadable(path, "feature bank", error, remedy)
