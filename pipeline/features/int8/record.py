"""Record of an int8 network: int8.json, beside its files."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UserError, reason
from pipeline.io import documents
from pipeline.io.files import digest_file, digest_json, write_json
from pipeline.io.text import read_json

SCHEMA_VERSION = 1
RECORD = "int8.json"
PACKAGES = ("openvino", "nncf")


@dataclass(frozen=True)
class Int8Comparison:
    """What int8 changes on the validation split, beside fp32.

    queries, gallery_images, persons: their numbers. variant: of matching, the paper's fullest of the network. rank1,
    mean_ap: fractions, of fp32 and of int8. distance: |f - f'| / |f|, median over the global and stripe features of all
    images. stripes: share of visibility indicators that change, at `tau`; 0 without stripes.
    """

    queries: int
    gallery_images: int
    persons: int
    variant: str
    tau: float
    rank1: tuple[float, ...]
    mean_ap: tuple[float, ...]
    distance: float
    stripes: float


@dataclass(frozen=True)
class Int8Record:
    """Contents of int8.json.

    checkpoint_sha256: of the weights that were quantised. image_size: height, width, pixels. images: number of training
    images that gave the ranges. source: run and split of these. packages: package -> version. files: name -> sha256.
    comparison: None where `note` says why.
    """

    schema_version: int
    checkpoint_sha256: str
    image_size: tuple[int, ...]
    images: int
    source: str
    packages: dict[str, str]
    files: dict[str, str]
    comparison: Int8Comparison | None = None
    note: str = ""

    @property
    def digest(self) -> str:
        """Digest of the files of the network."""
        return digest_json(self.files)


def require_packages(names: tuple[str, ...] = PACKAGES) -> None:
    """Raise UserError for a package that is missing."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        wrong = f"int8 needs packages that this environment lacks: {', '.join(missing)}"
        raise UserError(wrong, "In the project's folder, type: pip install -e '.[int8]'; or leave int8 out.")


def require_cpu(device: str) -> None:
    """Raise UserError for a GPU, which OpenVINO's int8 is not for."""
    if device not in ("auto", "cpu"):
        remedy = "Use --device cpu, or another precision: a GPU computes bf16 or fp16 faster."
        raise UserError(f"int8 is computed on a CPU, and the device is '{device}'", remedy)


def versions() -> dict[str, str]:
    """Versions of the packages that make an int8 network."""
    return {name: importlib.metadata.version(name) for name in (*PACKAGES, "torch")}


def read_record(folder: Path, checkpoint: str) -> Int8Record | None:
    """Record of the int8 network in a folder.

    checkpoint: sha256 of the weights. None for a folder without one, and for one of other weights. Raises UserError
    for files that are damaged.
    """
    path = folder / RECORD
    if not path.is_file():
        return None
    try:
        record = documents.from_json(Int8Record, documents.require_version(read_json(path), SCHEMA_VERSION))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} does not describe an int8 network: {reason(error)}", _again(folder)) from error
    if record.checkpoint_sha256 != checkpoint:
        return None
    changed = [name for name, digest in record.files.items() if _digest(folder / name) != digest]
    if changed:
        raise UserError(f"{folder / changed[0]} is missing or was changed after it was written", _again(folder))
    return record


def write_record(folder: Path, record: Int8Record) -> None:
    """Write int8.json whole or not at all."""
    write_json(folder / RECORD, documents.to_json(record), allow_nan=False)


def record_text(record: Int8Record) -> str:
    """Record in words, for a report."""
    versions = ", ".join(f"{name} {version}" for name, version in record.packages.items())
    made = f"ranges from {record.images} images of {record.source}; {versions}"
    return f"{made}; {comparison_text(record)}"


def comparison_text(record: Int8Record) -> str:
    """Comparison with fp32 in words."""
    found = record.comparison
    if found is None:
        return record.note
    (rank1, int8_rank1), (mean_ap, int8_mean_ap) = found.rank1, found.mean_ap
    return (
        f"on {found.queries:,} queries of val (one is {100 / found.queries:.2f} points), variant {found.variant}, "
        f"beside fp32: "
        f"rank-1 {100 * rank1:.2f} -> {100 * int8_rank1:.2f} %, mAP {100 * mean_ap:.2f} -> {100 * int8_mean_ap:.2f} %, "
        f"features move by {100 * found.distance:.1f} % of their length, "
        f"{100 * found.stripes:.1f} % of visible stripes change"
    )


def _digest(path: Path) -> str:
    return digest_file(path) if path.is_file() else ""


def _again(folder: Path) -> str:
    return f"Remove the folder {folder}; the next command makes it again, where the shards of the training are."
