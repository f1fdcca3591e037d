"""Dataset manifests: image folders, file names, expected counts, protocols.

Reads *.toml. data_manifests/README.md explains every key. pipeline/datasets/discovery.py searches for the images. No
torch.
"""

from __future__ import annotations

import dataclasses
import os
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from pipeline.datasets.base_manifest import inherited
from pipeline.datasets.records import ImageRecord
from pipeline.errors import UserError, did_you_mean
from pipeline.io.build import DERIVED, build
from pipeline.io.files import digest_json
from pipeline.io.text import read_toml

# Records are exported here too, because code that reads a manifest works on records.
__all__ = [
    "QUERY_SPLITS",
    "SPLITS",
    "ImageRecord",
    "ImageSet",
    "Manifest",
    "Protocol",
    "known_datasets",
    "load_manifest",
    "mask_path",
    "safe_name",
]

_PACKAGE = Path(__file__).parents[1]
_PLACES = (_PACKAGE / "data_manifests", _PACKAGE.parent / "data_manifests")  # of an installed package, of a checkout
MANIFEST_DIR = _PLACES[0] if _PLACES[0].is_dir() else _PLACES[1]
KEYS_EXPLAINED = "data_manifests/README.md explains every key."

SPLITS = ("train", "val_query", "val_gallery", "query", "gallery", "labeler")
# `labeler` holds identities for training part segmenters; no re-identification stage touches it.
# Query split -> its gallery.
QUERY_SPLITS = {"query": "gallery", "val_query": "val_gallery"}


@dataclass(frozen=True)
class ImageSet:
    """Folder of images of one split, or a list of names.

    `camera` is None where the file names contain it.
    """

    split: str
    name: str = ""
    folders: tuple[str, ...] = ()
    nested: bool = False
    camera: int | None = None
    images: int | None = None
    per_camera: dict[str, int] = field(default_factory=dict)
    list: str = ""
    list_sha256: str = ""

    @property
    def prefix(self) -> str:
        """Beginning of the names of its images."""
        return f"{self.split}/{self.name}/" if self.name else f"{self.split}/"


@dataclass(frozen=True)
class Protocol:
    """Evaluation protocol: queries and gallery, selected by name prefix.

    shots: 0 = the whole gallery, 1 = one random gallery image per identity, drawn `trials` times.
    """

    name: str
    description: str
    query_prefix: str = "query/"
    gallery_prefix: str = "gallery/"
    shots: int = 0
    trials: int = 100
    default: bool = False


STANDARD = Protocol("default", "Every query against the whole gallery.", default=True)


@dataclass(frozen=True)
class Hint:
    """Advice for file names that cannot be parsed and match `pattern`."""

    pattern: str
    text: str


@dataclass(frozen=True)
class Rendering:
    """Rendering of SynPed by the data stage.

    size: a name of pipeline.datasets.synped.plan.SIZES. style: a name of pipeline.datasets.synped.style.STYLES.
    """

    size: str
    seed: int = 0
    style: str = "home"


@dataclass(frozen=True)
class Lists:
    """Lists of names that select the dataset from another dataset's tree.

    folders: possible folders of the user's copy of the lists. roots: possible folders of the other dataset. fallback:
    the folder of that tree for a name that is not in the folder of the same split.
    """

    folders: tuple[str, ...]
    roots: tuple[str, ...]
    fallback: str
    description: str


@dataclass(frozen=True)
class Manifest:
    """Manifest of one dataset.

    `origin` is the file it was read from. Only `origin` depends on the machine.
    """

    name: str
    title: str
    licence: str = ""
    notice: str = ""
    camera_policy: str = ""
    roots: tuple[str, ...] = ()
    extensions: tuple[str, ...] = (".jpg",)
    pattern: str = ""
    junk_pids: tuple[int, ...] = ()
    distractor_pids: tuple[int, ...] = ()
    subset: bool = False
    masks: str = "masks/{split}/{path}.png"
    csv: str = ""
    default_labeler: str = "densepose"
    default_config: str = "paper"
    expected_ids: dict[str, int] = field(default_factory=dict)
    set: tuple[ImageSet, ...] = ()
    protocol: tuple[Protocol, ...] = (STANDARD,)
    hint: tuple[Hint, ...] = ()
    paper: tuple[dict[str, str | int | float], ...] = ()
    rendered: Rendering | None = None
    lists: Lists | None = None
    origin: Path = field(default=Path(), metadata=DERIVED)

    @cached_property
    def name_pattern(self) -> re.Pattern[str]:
        return re.compile(self.pattern, re.ASCII)

    @property
    def evaluation_only(self) -> bool:
        """Whether the dataset has nothing to train on.

        For a CSV only its rows can answer this.
        """
        return not self.csv and all(image_set.split != "train" for image_set in self.set)

    @property
    def csv_path(self) -> Path:
        """CSV of a dataset that is a CSV; relative to the manifest."""
        return (self.origin.parent / self.csv).absolute()

    @property
    def shipped(self) -> bool:
        """Whether it is part of the program."""
        return self.origin.parent == MANIFEST_DIR

    def digest(self) -> str:
        """sha256 of all facts about the data in the manifest."""
        defaults = {"origin": "", "default_labeler": "", "default_config": ""}
        return digest_json(dataclasses.asdict(self) | defaults)

    def find_protocol(self, name: str) -> Protocol:
        """Protocol of that name; "default" is the one marked as default.

        Raises UserError for an unknown name.
        """
        for protocol in self.protocol:
            if protocol.name == name or (name == "default" and protocol.default):
                return protocol
        known = ", ".join(protocol.name for protocol in self.protocol)
        raise UserError(f"{self.name} has no protocol '{name}'", f"Known: {known}; choose: --set eval.protocol=NAME.")


def mask_path(manifest: Manifest, root: Path, record: ImageRecord) -> Path:
    """Path of an image's ground-truth mask, if there is one.

    root: the dataset's folder. A mask with the whole name of the image (a.jpg.png) comes before one without its suffix.
    """
    split, _, path = record.name.partition("/")
    whole = os.path.join(root, manifest.masks.format(split=split, path=path))  # text: thousands of Paths take a second
    if os.path.isfile(whole):
        return Path(whole)
    return root / manifest.masks.format(split=split, path=PurePosixPath(path).with_suffix("").as_posix())


def known_datasets() -> list[str]:
    return sorted(path.stem for path in MANIFEST_DIR.glob("*.toml"))


def load_manifest(dataset: str) -> Manifest:
    """Manifest from the name of a shipped one, or from a path.

    The path is that of a .toml manifest or of a .csv list of images. Raises UserError for an unknown name, with the
    known names, for an unknown key and for an impossible value.
    """
    if dataset.lower().endswith(".csv"):
        path = Path(dataset)
        if not path.is_file():
            raise UserError(f"{dataset} does not exist", "Give a CSV with the columns path,pid,camid,split.")
        name, title = safe_name(path.stem), f"own images of {path.name}"
        return Manifest(name, title, csv=path.name, junk_pids=(-1,), origin=path)
    table, origin = _read(dataset)
    table.setdefault("junk_pids", [-1] if "csv" in table else [])
    manifest = dataclasses.replace(build(Manifest, table, str(origin), remedy=KEYS_EXPLAINED), origin=origin)
    _validate(manifest)
    return manifest


def safe_name(stem: str) -> str:
    """Name of a folder, from that of a file."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", stem)


def _read(dataset: str) -> tuple[dict[str, object], Path]:
    """Table of a manifest, merged with its `base`, and its file."""
    origin = Path(dataset) if dataset.lower().endswith(".toml") else MANIFEST_DIR / f"{dataset}.toml"
    if not origin.is_file():
        known = known_datasets()
        raise UserError(
            f"unknown dataset '{dataset}'",
            f"{did_you_mean(dataset, known)}Known: {', '.join(known)}; "
            "or give the path of your own .toml manifest or .csv list.",
        )
    try:
        table = read_toml(origin)
    except ValueError as error:
        remedy = "Mend that line; data_manifests/README.md has an example."
        raise UserError(f"{origin} is not TOML: {error}", remedy) from error
    base = table.pop("base", "")
    if not isinstance(base, str):
        raise UserError(f"{origin}: base = {base!r} is no text", 'Name a dataset or a manifest: base = "market1501".')
    if base:
        beside = origin.parent / base
        base_table = _read(str(beside) if base.lower().endswith(".toml") else base)[0]
        # A name of its own, so that its outputs are not taken for those of the other.
        taken = inherited(base_table, base, origin.name, set(table))
        table = taken | {"name": safe_name(origin.stem)} | table
    return table, origin


def _validate(manifest: Manifest) -> None:
    """Check of a whole manifest. Raises UserError for contradictory keys."""

    def must(condition: bool, wrong: str, remedy: str) -> None:
        if not condition:
            raise UserError(f"{manifest.origin}: {wrong}", remedy)

    usable = bool(manifest.name) and safe_name(manifest.name) == manifest.name
    must(usable, f"name = '{manifest.name}'", "Use letters, digits, _ and - only.")
    defaults = [protocol.name for protocol in manifest.protocol if protocol.default]
    must(len(defaults) == 1, f"{len(defaults)} protocols are marked default", "Mark exactly one with default = true.")
    if manifest.csv:
        must(not manifest.set, "has both csv and [[set]]", "Keep one of them.")
        return
    must(bool(manifest.roots and manifest.set), "names no roots or no [[set]]", 'Add them, or csv = "mine.csv".')
    prefixes = {image_set.prefix for image_set in manifest.set}
    must(len(prefixes) == len(manifest.set), "two sets share a split and a name", "Name them apart.")
    for image_set in manifest.set:
        where = f"set '{image_set.prefix}'"
        must(image_set.split in SPLITS, f"{where} is of no known split", f"Known splits: {', '.join(SPLITS)}.")
        must(bool(image_set.folders), f"{where} names no folders", 'Add folders = ["..."].')
        large = f"{where} has a camera of 2^63 or more"
        must(abs(image_set.camera or 0) < 2**63, large, "Write a smaller number, e.g. camera = 0.")
    try:
        groups = manifest.name_pattern.groupindex
    except re.error as error:
        raise UserError(
            f"{manifest.origin}: pattern is no regular expression: {error}",
            "Mend it; data_manifests/README.md has one.",
        ) from error
    must("pid" in groups, "pattern has no group pid", r"Write (?P<pid>\d+) where the person's number is.")
    must(
        "camid" in groups or all(image_set.camera is not None for image_set in manifest.set),
        "neither the pattern nor every set tells the camera",
        r"Write (?P<camid>\d+) into the pattern, or camera = 0 into each set.",
    )
