"""Dataset manifests: where a dataset's images lie, how names are read, what must be there. Reads *.toml.

data_manifests/README.md explains every key. The search for the images is pipeline/image_search.py. No torch.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import types
import typing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.datasets.records import ImageRecord, read_records
from pipeline.errors import UserError
from pipeline.io.files import digest_json
from pipeline.io.text import read_toml

# Records are found here too: whoever reads a manifest works on records.
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
    "read_records",
]

_PACKAGE = Path(__file__).parents[1]
_PLACES = (_PACKAGE / "data_manifests", _PACKAGE.parent / "data_manifests")  # of an installed package, of a checkout
MANIFEST_DIR = _PLACES[0] if _PLACES[0].is_dir() else _PLACES[1]

SPLITS = ("train", "val_query", "val_gallery", "query", "gallery", "labeler")
# `labeler` holds identities for training part segmenters; no re-identification stage touches it.
# Query split -> its gallery.
QUERY_SPLITS = {"query": "gallery", "val_query": "val_gallery"}


@dataclass(frozen=True)
class ImageSet:
    """A folder of images of one split, or a list of names. `camera` is None where the names tell it."""

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
        """What the names of its images begin with."""
        return f"{self.split}/{self.name}/" if self.name else f"{self.split}/"


@dataclass(frozen=True)
class Protocol:
    """Which queries are asked of which gallery: images whose name begins with the prefix.

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
    """What to say when file names do not parse and match `pattern`."""

    pattern: str
    text: str


@dataclass(frozen=True)
class Rendering:
    """SynPed: the data stage renders the images. size: a name of pipeline.datasets.synped.plan.SIZES. style: of
    pipeline.datasets.synped.style.STYLES."""

    size: str
    seed: int = 0
    style: str = "home"


@dataclass(frozen=True)
class Lists:
    """Another way to get the dataset: lists of names that select from another dataset's tree.

    folders: where the user's copy of the lists may lie. roots: the other dataset's. fallback: the folder of that tree
    for a name that the folder of the same split has not.
    """

    folders: tuple[str, ...]
    roots: tuple[str, ...]
    fallback: str
    description: str


@dataclass(frozen=True)
class Manifest:
    """One dataset. `origin` is the file it was read from; it and nothing else depends on the machine."""

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
    paper: tuple[dict[str, Any], ...] = ()
    rendered: Rendering | None = None
    lists: Lists | None = None
    origin: Path = Path()

    @cached_property
    def name_pattern(self) -> re.Pattern[str]:
        return re.compile(self.pattern, re.ASCII)

    @property
    def evaluation_only(self) -> bool:
        """Whether there is nothing to train on, whatever is found. Of a CSV only its rows can tell."""
        return not self.csv and all(image_set.split != "train" for image_set in self.set)

    @property
    def csv_path(self) -> Path:
        """The CSV of a dataset that is one; relative to the manifest."""
        return (self.origin.parent / self.csv).absolute()

    def digest(self) -> str:
        """sha256 of all that the manifest says of the data."""
        defaults = {"origin": "", "default_labeler": "", "default_config": ""}
        return digest_json(dataclasses.asdict(self) | defaults)

    def find_protocol(self, name: str) -> Protocol:
        """The protocol of that name; "default" is the one marked so. Raises UserError for an unknown one."""
        for protocol in self.protocol:
            if protocol.name == name or (name == "default" and protocol.default):
                return protocol
        known = ", ".join(protocol.name for protocol in self.protocol)
        raise UserError(f"{self.name} has no protocol '{name}'", f"Known: {known}; choose: --set eval.protocol=NAME.")


def mask_path(manifest: Manifest, root: Path, record: ImageRecord) -> Path:
    """Where the mask of an image lies, if there is one. root: the dataset's folder, `root` in the data summary."""
    split, _, path = record.name.partition("/")
    return root / manifest.masks.format(split=split, path=PurePosixPath(path).with_suffix("").as_posix())


def known_datasets() -> list[str]:
    return sorted(path.stem for path in MANIFEST_DIR.glob("*.toml"))


def load_manifest(dataset: str) -> Manifest:
    """Name of a shipped manifest, or path of a .toml manifest or of a .csv list of images -> Manifest.

    Raises UserError for an unknown name (with the known ones), an unknown key and a value that cannot be meant.
    """
    if dataset.lower().endswith(".csv"):
        path = Path(dataset)
        if not path.is_file():
            raise UserError(f"{dataset} does not exist", "Give a CSV with the columns path,pid,camid,split.")
        name, title = _safe_name(path.stem), f"own images of {path.name}"
        return Manifest(name, title, csv=path.name, junk_pids=(-1,), origin=path)
    table, origin = _read(dataset)
    table.setdefault("junk_pids", [-1] if "csv" in table else [])
    manifest: Manifest = dataclasses.replace(_build(Manifest, table, str(origin)), origin=origin)
    _validate(manifest)
    return manifest


def _safe_name(stem: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", stem)


def _read(dataset: str) -> tuple[dict[str, Any], Path]:
    """The manifest's table, with what it takes from its `base`, and its file."""
    origin = Path(dataset) if dataset.endswith(".toml") else MANIFEST_DIR / f"{dataset}.toml"
    if not origin.is_file():
        known = known_datasets()
        close = difflib.get_close_matches(dataset, known, 1)
        meant = f"Did you mean {close[0]}? " if close else ""
        raise UserError(
            f"unknown dataset '{dataset}'",
            f"{meant}Known: {', '.join(known)}; or give the path of your own .toml manifest or .csv list.",
        )
    try:
        table = read_toml(origin)
    except ValueError as error:
        remedy = "Mend that line; data_manifests/README.md has an example."
        raise UserError(f"{origin} is not TOML: {error}", remedy) from error
    base = table.pop("base", "")
    if base:
        beside = origin.parent / base
        theirs = _read(str(beside) if base.endswith(".toml") else base)[0]
        # A name of its own, so that its outputs are not taken for those of the other.
        table = theirs | {"name": _safe_name(origin.stem)} | table
    return table, origin


def _build(kind: Any, table: Any, where: str) -> Any:
    """A TOML table as the dataclass `kind`."""
    remedy = "data_manifests/README.md explains every key."
    if not isinstance(table, dict):
        raise UserError(f"{where} = {table!r} is not a table", remedy)
    known = {f.name: f for f in dataclasses.fields(kind) if f.name != "origin"}
    hints = typing.get_type_hints(kind)
    for key in table:
        if key not in known:
            raise UserError(f"{where}: unknown key '{key}'", f"Known: {', '.join(sorted(known))}. {remedy}")
    for key, f in known.items():
        if key not in table and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING:
            raise UserError(f"{where}: the key '{key}' is missing", remedy)
    return kind(**{key: _value(value, hints[key], f"{where}: {key}") for key, value in table.items()})


def _value(value: Any, hint: Any, where: str) -> Any:
    """A TOML value as the annotated type; a UserError where it is of another."""
    if isinstance(hint, types.UnionType):  # every optional key is absent or of the first type
        hint = typing.get_args(hint)[0]
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        return _build(hint, value, where)
    if origin is tuple and isinstance(value, list):
        return tuple(_value(item, inner[0], f"{where}[{number}]") for number, item in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return value if inner[1] is Any else {key: _value(v, inner[1], f"{where}.{key}") for key, v in value.items()}
    if origin is None and type(value) is hint:
        return value
    raise UserError(f"{where} = {value!r} is of another type", "data_manifests/README.md has an example of every key.")


def _validate(manifest: Manifest) -> None:
    """Raise UserError for a manifest that cannot be meant so."""

    def must(condition: bool, wrong: str, remedy: str) -> None:
        if not condition:
            raise UserError(f"{manifest.origin}: {wrong}", remedy)

    must(_safe_name(manifest.name) == manifest.name, f"name = '{manifest.name}'", "Use letters, digits, _ and - only.")
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
