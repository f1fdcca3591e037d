"""Packer of a finished training as a network that ships.

Writes weights/<name>/: the weights in half precision, config.json, stamp.json, CARD.md and, where the evaluation of the
training has measured it, calibration.json. The folder is finished by a rename.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.datasets.manifest import known_datasets
from pipeline.errors import UserError
from pipeline.evaluation.calibration import read_calibration, write_calibration
from pipeline.io import checkpoints
from pipeline.io.files import TEMPORARY, digest_file, write_json, write_text
from pipeline.io.text import read_json
from pipeline.io.weights_metadata import read_metadata
from pipeline.runs import layout, stamp
from pipeline.runs.checkpoint_info import describe
from pipeline.runs.inputs import BUILT_IN
from pipeline.runs.layout import DESCRIPTION, STAMP
from pipeline.tools.weights.agreement import HalfAgreement, compare_danet, compare_sorn, find_images
from pipeline.tools.weights.card import CardFacts, card, program_commit
from pipeline.tools.weights.half import halved, without_classifiers
from pipeline.tools.weights.source import PackSource

CARD = "CARD.md"
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LIMIT = 40 * 10**6  # bytes of all networks that ship: they are part of every clone and wheel
OLD = ".old"  # behind the name of a folder that is replaced


@dataclass(frozen=True)
class Packed:
    """Packed network.

    bytes: of its folder. total: of all networks in the same place.
    """

    folder: Path
    bytes: int
    total: int
    agreement: HalfAgreement

    def text(self) -> str:
        sizes = f"{self.bytes / 1e6:.1f} MB, {self.total / 1e6:.1f} of {LIMIT / 1e6:.0f} MB for all that ship"
        return f"{self.folder}: {sizes}\n{self.agreement.text}"


def pack(source: PackSource, name: str, place: Path, replaced: bool = False) -> Packed:
    """Write the network of a training into a folder of that name.

    place: folder of the networks that ship. replaced: whether a network of another training is replaced. Raises
    UserError for a name that cannot be used, for weights that half precision changes too much, and for a folder that is
    too large; then nothing has changed.
    """
    target = place / name
    _require_name(name)
    _require_replaceable(source, target, replaced)
    working = place / f"{name}{TEMPORARY}"
    shutil.rmtree(working, ignore_errors=True)
    try:
        agreement = _write(source, name, working)
        size, total = _bytes(working), _bytes(place, without=(name, working.name, f".{name}{OLD}")) + _bytes(working)
        if total > LIMIT:
            section = "danet" if source.stage == "labeler" else "model"
            wrong = f"the networks in {place} would have {total / 1e6:.1f} MB, more than {LIMIT / 1e6:.0f}"
            remedy = f"Train with a smaller network, for example: --set {section}.backbone=mobilenet_v2"
            raise UserError(wrong, remedy)
        _publish(working, target)
    finally:
        shutil.rmtree(working, ignore_errors=True)
    return Packed(target, size, total, agreement)


def default_place() -> Path:
    """Folder of the networks that ship, in a checkout.

    Raises UserError for an installed program.
    """
    if not (layout.SHIPPED_DIR.parent / "pyproject.toml").is_file():
        wrong = f"this program is installed in {layout.SHIPPED_DIR.parent}, where nothing is packed"
        raise UserError(wrong, "Name a folder: --out FOLDER")
    return layout.SHIPPED_DIR


def _write(source: PackSource, name: str, folder: Path) -> HalfAgreement:
    weights, described = folder / source.weights.name, _public(read_json(source.described))
    small = halved(checkpoints.read_weights(source.weights))
    if "model" in described:
        small, described["model"] = without_classifiers(small), {**described["model"], "identities": 0}
    checkpoints.save_weights(weights, small, _public(read_metadata(source.weights)))
    write_json(folder / DESCRIPTION, described)
    agreement = _compare(source, weights)
    if agreement.failure:
        wrong = f"{source.weights} in half precision is another network: {agreement.failure}"
        raise UserError(wrong, "Train it again with a weight decay, for example: --set train.weight_decay=5e-4")
    commit = program_commit(layout.SHIPPED_DIR.parent)
    facts = CardFacts(name, source, described, agreement.text, commit, weights.stat().st_size)
    write_text(folder / CARD, card(facts))
    _write_stamp(source, folder, weights)
    _write_calibration(source, folder, weights)
    return agreement


def _compare(source: PackSource, half: Path) -> HalfAgreement:
    if source.stage == "labeler":
        return compare_danet(source.weights, half, find_images(source.shards))
    about = describe(source.folder)
    return compare_sorn(about, source.weights, half, find_images(source.shards, about.image_size))


def _write_stamp(source: PackSource, folder: Path, weights: Path) -> None:
    """Stamp of the training, with the digests of the packed files."""
    files = (weights, folder / DESCRIPTION)
    outputs = {path.name: [digest_file(path), path.stat().st_size, 0] for path in files}
    provides = {"checkpoint": digest_file(weights)}
    made = replace(source.stamp, outputs=outputs, provides=provides, command=source.command, origin=None)
    write_json(folder / STAMP, asdict(made), sort_keys=True)


def _write_calibration(source: PackSource, folder: Path, weights: Path) -> None:
    """Calibration of the training, if its evaluation has written one, for the packed weights."""
    path = source.folder / layout.CALIBRATION
    if not path.is_file():
        return
    found = read_calibration(path)
    if found.checkpoint_sha256 == digest_file(source.weights):
        note = "measured before the weights were packed in half precision"
        write_calibration(
            folder / layout.CALIBRATION, replace(found, checkpoint_sha256=digest_file(weights), note=note)
        )


def _public(described: Mapping[str, Any]) -> dict[str, Any]:
    """Description of a network without folders of this machine."""
    found = dict(described)
    for section in ("train", "options"):
        init = found.get(section, {}).get("init")
        if isinstance(init, str) and "/" in init:
            found[section] = {**found[section], "init": Path(init).name}
    if "dataset" in found and found["dataset"] != Path(str(found["dataset"])).name:
        found["dataset"] = Path(str(found["dataset"])).name
    return found


def _require_name(name: str) -> None:
    taken = {*BUILT_IN, *known_datasets()}
    if not NAME.fullmatch(name) or name in taken:
        why = "the name of something else" if name in taken else "no word of small letters and digits, joined by '-'"
        raise UserError(f"--name {name}: it is {why}", "Choose another, for example: --name starter")


def _require_replaceable(source: PackSource, target: Path, replaced: bool) -> None:
    """Raise UserError for a network of another training, unless it is to be replaced."""
    if replaced or not target.exists():
        return
    try:
        there = stamp.read(target)
    except UserError:
        there = None
    if there is None or there.fingerprint != source.stamp.fingerprint:
        raise UserError(f"{target} holds the network of another training", "Add --replace, or choose another --name.")


def _publish(working: Path, target: Path) -> None:
    """Rename of a whole folder; the earlier one is removed afterwards."""
    old = target.with_name(f".{target.name}{OLD}")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    working.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _bytes(folder: Path, without: tuple[str, ...] = ()) -> int:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in files if path.relative_to(folder).parts[0] not in without)
