"""Feature banks on disk: all that matching, reports and pictures need without a network. Reads and writes features.h5.

Groups `query` and `gallery` hold one FeatureBank each, `examples` what the pictures show; `docs/formats.md` is the
contract. No torch.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from pipeline.disk_space import require_space, told_when_full
from pipeline.errors import UserError
from sorn.features import FeatureBank

SCHEMA_VERSION = 2
LIBVER = ("v110", "v110")  # as in pipeline.shards: equal features give equal bytes
REMEDY = "Delete it and run the eval stage again (`make eval`): it extracts the features anew."
DIVERGED = "Training diverged: train again with a lower rate (--set schedule.base_lr=...)."
BANK_FIELDS = {"global": "global_", "local": "local", "visibility": "visibility", "pid": "pid", "camid": "camid"}
OPTIONAL = ("pose", "segmenter")  # stripe visibility by others than the network; a bank may be without
HEADROOM = 1 << 20  # bytes of names and HDF5's own tables, beyond the arrays


@dataclass(frozen=True)
class Examples:
    """What the network shows of n images, for pictures.

    name: [n] str. maps: [n, N, h, w] float16 in [0, 1], the aggregation maps M_1..M_N; N = 0 without a global branch.
    parts: [n, 4h, 4w] uint8, the predicted class of every pixel; [n, 0, 0] without a semantic branch.
    """

    name: np.ndarray
    maps: np.ndarray
    parts: np.ndarray


@dataclass(frozen=True)
class Banks:
    """Content of features.h5. attrs: name -> text, what the features were made from."""

    query: FeatureBank
    gallery: FeatureBank
    attrs: dict[str, str]
    examples: Examples | None


def write_banks(
    path: Path, query: FeatureBank, gallery: FeatureBank, attrs: dict[str, str], examples: Examples | None = None
) -> None:
    """Write both banks whole or not at all. attrs: name -> text; `config` is JSON.

    Raises UserError when the disk is full or a feature is not finite.
    """
    banks = {"query": query, "gallery": gallery}
    for side, bank in banks.items():
        _require_finite(path, side, bank, DIVERGED)
    arrays = [array for bank in banks.values() for array in _arrays(bank).values()]
    arrays += [examples.maps, examples.parts] if examples else []
    path.parent.mkdir(parents=True, exist_ok=True)
    require_space(path, sum(array.nbytes for array in arrays) + HEADROOM)
    temporary = path.with_name(path.name + ".tmp")
    try:
        with told_when_full(path):
            with h5py.File(temporary, "w", libver=LIBVER) as file:
                for side, bank in banks.items():
                    _write_group(file.create_group(side), _arrays(bank))
                if examples is not None:
                    fields = {"name": examples.name, "maps": examples.maps, "parts": examples.parts}
                    _write_group(file.create_group("examples"), fields)
                file.attrs["schema_version"] = SCHEMA_VERSION
                file.attrs.update(attrs)
            with open(temporary, "rb") as written:
                os.fsync(written.fileno())
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_banks(path: Path) -> Banks:
    """Raises UserError for a file that is missing, truncated, of another schema version, or not finite."""
    attrs = read_attrs(path)
    try:
        with h5py.File(path, "r", locking=False) as file:
            query, gallery = (_read_bank(file[side]) for side in ("query", "gallery"))
            examples = _read_examples(file["examples"]) if "examples" in file else None
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise _unreadable(path, error) from error
    for side, bank in (("query", query), ("gallery", gallery)):
        _require_finite(path, side, bank, REMEDY)
    if query.global_.shape[1:] != gallery.global_.shape[1:] or query.local.shape[1:] != gallery.local.shape[1:]:
        raise UserError(f"{path} has query and gallery features of different sizes", REMEDY)
    return Banks(query, gallery, attrs, examples)


def read_attrs(path: Path) -> dict[str, str]:
    """What the features were made from, without reading them. Raises UserError as `read_banks` does."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            attrs = dict(file.attrs)
        version = int(attrs.pop("schema_version"))
    except FileNotFoundError as error:
        raise UserError(f"there are no features: {path} is missing", REMEDY) from error
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise _unreadable(path, error) from error
    if version != SCHEMA_VERSION:
        raise UserError(f"{path} is of schema version {version}, this program of {SCHEMA_VERSION}", REMEDY)
    return {key: str(value) for key, value in attrs.items()}


def _arrays(bank: FeatureBank) -> dict[str, np.ndarray]:
    """Name in the file -> array."""
    optional = {key: getattr(bank, key) for key in OPTIONAL if getattr(bank, key) is not None}
    return {**{key: getattr(bank, field) for key, field in BANK_FIELDS.items()}, **optional, "name": bank.name}


def _write_group(group: h5py.Group, arrays: dict[str, np.ndarray]) -> None:
    for key, array in arrays.items():
        if key == "name":
            group.create_dataset(key, data=array.astype(object), dtype=h5py.string_dtype("utf-8"), track_times=False)
        else:
            group.create_dataset(key, data=array, track_times=False)


def _read_names(group: h5py.Group) -> np.ndarray:
    return group["name"].asstr()[:].astype(str)


def _read_bank(group: h5py.Group) -> FeatureBank:
    optional = {key: group[key][:] for key in OPTIONAL if key in group}
    fields = {field: group[key][:] for key, field in BANK_FIELDS.items()}
    return FeatureBank(**fields, name=_read_names(group), **optional)


def _read_examples(group: h5py.Group) -> Examples:
    examples = Examples(_read_names(group), group["maps"][:], group["parts"][:])
    if not len(examples.name) == len(examples.maps) == len(examples.parts):
        raise ValueError("its examples have different lengths")
    return examples


def _require_finite(path: Path, side: str, bank: FeatureBank, remedy: str) -> None:
    arrays = _arrays(bank)
    for key in ("global", "local", "visibility", *OPTIONAL):
        if key not in arrays:
            continue
        array = arrays[key]
        bad = ~np.isfinite(array).all(axis=tuple(range(1, array.ndim)))
        if bad.any():
            first = bank.name[bad.argmax()]
            raise UserError(f"{path}: {side}/{key} is not finite for {bad.sum()} images, first {first}", remedy)


def _unreadable(path: Path, error: Exception) -> UserError:
    return UserError(f"{path} is truncated or no feature bank: {error}", REMEDY)
