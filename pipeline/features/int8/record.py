"""Record of an int8 network: int8.json, beside its files."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UserError, reason
from pipeline.io import documents
from pipeline.io.files import digest_file, digest_json, write_json
from pipeline.io.text import read_json
from pipeline.runs.find import place_of
from pipeline.runs.layout import INDEX, INT8_FOLDER
from pipeline.runs.shipped import ships

SCHEMA_VERSION = 1
RECORD = "int8.json"
PACKAGES = ("openvino", "nncf")
OTHERWISE = "or take another precision: --set eval.precision=auto, or embed the pictures with --precision auto"
GRAPH = "network.xml"
WEIGHTS_FILE = "network.bin"  # of the graph
PROBE = "probe.npz"  # images, and the outputs that the network had for them where it was made


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
    comparison: None where `note` says why. Raises ValueError for files that are not those of an int8 network.
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

    def __post_init__(self) -> None:
        if set(self.files) != {GRAPH, WEIGHTS_FILE, PROBE}:
            raise ValueError(f"files: expected {GRAPH}, {WEIGHTS_FILE} and {PROBE}, found {', '.join(self.files)}")
        if self.comparison and {len(self.comparison.rank1), len(self.comparison.mean_ap)} != {2}:
            raise ValueError("comparison: expected two numbers each, of fp32 and of int8")

    @property
    def digest(self) -> str:
        """Digest of the network.

        The probe is no part of it: its last digits are those of the CPU that made it.
        """
        return digest_json([self.files[GRAPH], self.files[WEIGHTS_FILE]])


def require_packages(names: tuple[str, ...] = PACKAGES) -> None:
    """Raise UserError for a package that is missing."""
    missing = [name for name in names if not version(name)]
    if missing:
        wrong = f"int8 needs packages that this environment lacks: {', '.join(missing)}"
        raise UserError(wrong, f"In the project's folder, type: pip install -e '.[int8]'; {OTHERWISE}.")


def version(package: str) -> str:
    """Version of an installed package, "" where it is missing; nothing is imported."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def require_cpu(device: str) -> None:
    """Raise UserError for a GPU, which OpenVINO's int8 is not for."""
    if device not in ("auto", "cpu"):
        wrong = f"int8 is computed on a CPU, and the device is '{device}'"
        raise UserError(wrong, f"Use --device cpu; {OTHERWISE}: a GPU computes bf16 or fp16 faster.")


def require_shards(training: Path) -> Path:
    """Index of the shards that a network was trained on.

    Raises UserError where they are gone, and for a network that ships.
    """
    if ships(training):
        wrong = f"the network '{training.name}' ships without the images that int8 takes its ranges from"
        raise UserError(wrong, f"Train from it on images of your own: make train INIT={training.name}; {OTHERWISE}.")
    place = place_of(training)
    index = place.runs / place.name / "masks" / INDEX
    if not index.is_file():
        wrong = f"int8 takes its ranges from training images, and {index} is not there, nor is {training / INT8_FOLDER}"
        raise UserError(wrong, f"Copy one of them from where the network was trained; {OTHERWISE}.")
    return index


def read_record(folder: Path) -> Int8Record | None:
    """Record of the int8 network in a folder.

    None without one. Its files are not looked at. Raises UserError for a damaged record.
    """
    path = folder / RECORD
    if not path.is_file():
        return None
    try:
        return documents.from_json(Int8Record, documents.require_version(read_json(path), SCHEMA_VERSION))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} does not describe an int8 network: {reason(error)}", again(folder)) from error


def find_record(folder: Path, checkpoint: str) -> Int8Record | None:
    """Record of a whole int8 network of a checkpoint.

    checkpoint: sha256 of the weights. None for a folder without one, and for one of other weights. Raises UserError
    for files that are damaged.
    """
    record = read_record(folder)
    if record is None or record.checkpoint_sha256 != checkpoint:
        return None
    changed = [name for name, digest in record.files.items() if _digest(folder / name) != digest]
    if changed:
        raise UserError(f"{folder / changed[0]} is missing or was changed after it was written", again(folder))
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


def again(folder: Path) -> str:
    """Remedy for a damaged int8 network."""
    return f"Delete {folder / RECORD}: the next command makes the network again, where the shards of the training are."
