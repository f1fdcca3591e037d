"""Inputs of a stage, from earlier stages and from outside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import LostFile, UserError, did_you_mean
from pipeline.io.digests import FilePlace
from pipeline.io.file_kind import kind_of
from pipeline.io.files import digest_file
from pipeline.runs.shipped import known_networks, shipped_names, weights_path

OUTSIDE = ""  # stage of an input that no stage of the run makes
MASK_NAMES = {"train": "masks of ", "eval": "images of "}  # reader -> prefix of a split of the masks stage in its stamp
POSE = "pose"  # the digest of all keypoints, among what the masks stage provides
BUILT_IN = ("imagenet", "none")  # initial weights that are no file
FROM_DATA = ("records", "manifest")
FORMER_INPUTS = {"data": ("folder",)}  # inputs in the stamps of 0.1 that decide nothing: a place is no content
LATER_INPUTS = {"eval": ("images of val_query", "images of val_gallery")}  # stamps of older builds may lack them


@dataclass(frozen=True)
class Input:
    """One input of a stage.

    stage: the stage that made it, OUTSIDE for an input from the user. key: its name among the digests that this stage
    provides. digest: sha256 of the content, or a text that describes it.
    """

    stage: str
    key: str
    digest: str

    def stored_name(self, reader: str) -> str:
        """Name in the stamp of the stage that reads it.

        It is part of a fingerprint, so it never changes.
        """
        return MASK_NAMES[reader] + self.key if self.stage == "masks" and self.key != POSE else self.key


def initial_weights(option: str, init: str) -> str | dict[str, str]:
    """Origin of initial weights, as a fingerprint holds it.

    "imagenet", "none", or name and digest of a file. The name of a network that ships is that of its file. option: its
    name, for messages. Raises LostFile for a file that does not exist, UserError for a damaged network that ships.
    """
    if init in BUILT_IN:
        return init
    path = weights_path(init)
    if path.is_dir() and (kind := kind_of(path)):
        raise UserError(f"{option} = {init} is {kind.what}", kind.remedy)
    if not path.is_file():
        is_word = len(path.parts) == 1
        meant = did_you_mean(init, (*BUILT_IN, *shipped_names())) if is_word else ""
        shipped = f" {known_networks()}" if is_word else ""
        raise LostFile(
            f"{option} = {init}: no such file", f"{meant}Give a weights file, 'imagenet' or 'none'.{shipped}"
        )
    return {"file": FilePlace(Path(init).name), "sha256": digest_file(path)}


def as_stored(reader: str, inputs: Iterable[Input]) -> dict[str, str]:
    """Inputs as in the stamp of the stage `reader`: name -> digest."""
    return {one.stored_name(reader): one.digest for one in inputs}


def from_stored(reader: str, stored: Mapping[str, str]) -> tuple[Input, ...]:
    """Inputs from the stamp of the stage `reader`."""
    return tuple(Input(*_origin(reader, name), digest) for name, digest in stored.items())


def _origin(reader: str, name: str) -> tuple[str, str]:
    prefix = MASK_NAMES.get(reader, "")
    if prefix and name.startswith(prefix):
        return "masks", name.removeprefix(prefix)
    if reader in ("labeler", "masks", "eval") and name in FROM_DATA:
        return "data", name
    if reader == "eval" and name == "checkpoint":
        return "train", name
    if reader == "eval" and name == POSE:
        return "masks", name
    return OUTSIDE, name
