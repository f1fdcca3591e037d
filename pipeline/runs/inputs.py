"""Inputs of a stage: what it reads of earlier stages and from outside the run, with digests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

OUTSIDE = ""  # stage of an input that no stage of the run makes
MASK_NAMES = {"train": "masks of ", "eval": "images of "}  # reader -> how its stamps spell a split of the masks stage
POSE = "pose"  # the digest of all keypoints, among what the masks stage provides
FROM_DATA = ("records", "manifest")


@dataclass(frozen=True)
class Input:
    """One input. stage: whose output it is, OUTSIDE for what the user brings. key: its name among what that stage
    provides. digest: sha256 of the content, or a text that says what it is.
    """

    stage: str
    key: str
    digest: str

    def stored_name(self, reader: str) -> str:
        """The name in the stamp of the stage that reads it: part of a fingerprint, so it never changes."""
        return MASK_NAMES[reader] + self.key if self.stage == "masks" and self.key != POSE else self.key


def as_stored(reader: str, inputs: Iterable[Input]) -> dict[str, str]:
    """name -> digest, as the stamp of `reader` holds them."""
    return {one.stored_name(reader): one.digest for one in inputs}


def from_stored(reader: str, stored: Mapping[str, str]) -> tuple[Input, ...]:
    """The inputs in the stamp of the stage `reader`."""
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
