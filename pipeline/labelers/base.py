"""Protocol of a labeler: images in, part masks out.

`docs/labelers.md` shows a whole labeler; `protocol_check.py` checks a class from outside against this protocol.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from pipeline.datasets.manifest import Manifest
from pipeline.datasets.records import ImageRecord
from pipeline.io.build import build
from pipeline.runs.config import Runtime
from sorn.sample import NO_SCORE, NOT_COUNTED, WHOLE, Status

Options = TypeVar("Options")


@dataclass(frozen=True)
class Source:
    """The dataset that is labelled.

    root: its folder, absolute. checkpoint: file of its own trained labeler, there or not.
    """

    manifest: Manifest
    root: Path
    checkpoint: Path = Path()


@dataclass(frozen=True)
class Labeled:
    """A labeler's answer for one image.

    mask: [h, w] uint8 at the image's own size, ids of `sorn.parts`. people, box, score: as in `sorn.sample.Sample`, for
    labelers that detect people.
    """

    mask: np.ndarray
    status: Status
    people: int = NOT_COUNTED
    box: tuple[float, float, float, float] = WHOLE
    score: float = NO_SCORE


class Labeler(Protocol):
    """Labeler of body parts, built in or a plug-in.

    The constructor takes (options, source): the user's [masks.options] and the dataset. It checks the options, as
    `read_options` does, and does no work. Every worker process imports the class by its name and makes an object of it.

    name: in messages. version: an int; a new one means that the same input is labelled differently, and makes the stage
    run again.
    """

    name: str
    version: int

    def describe(self) -> Mapping[str, object]:
        """JSON of what decides the labels.

        Name, version, options, weights (their sha256 or None). Enters the fingerprint and every shard. Works without
        the labeler's framework.
        """

    def inputs(self, records: Sequence[ImageRecord]) -> dict[str, str]:
        """Digests of the files, besides the images, that the labels come from.

        name -> digest, for these records.
        """

    def prepare(self, records: Sequence[ImageRecord], runtime: Runtime) -> None:
        """Preparation, once per process, before labelling starts.

        Imports the framework, loads weights onto the device, looks whether all files are there. Raises UserError for
        whatever would stop the work half-way.
        """

    def label(self, records: list[ImageRecord], images: list[np.ndarray]) -> list[Labeled]:
        """One answer per record, in their order.

        images: [h, w, 3] uint8 RGB, each of its own size. On a CPU several threads call it at a time. The answer for an
        image depends on that image alone: shards are the same however the images are divided.
        """


def describe(
    name: str, version: int, options: object, weights: str | None = None, without: Sequence[str] = ()
) -> dict[str, object]:
    """What every labeler's `describe` returns.

    options: the labeler's options dataclass. without: names of options that change no label.
    """
    values = dataclasses.asdict(options)  # type: ignore[call-overload]
    kept = {key: value for key, value in values.items() if key not in without}
    return {"name": name, "version": version, "options": kept, "weights": weights}


def read_options(
    kind: type[Options],
    name: str,
    options: Mapping[str, Any],
    owner: str = "labeler",
    section: str = "masks.options",
) -> Options:
    """A labeler's [masks.options] as its dataclass.

    owner, section: another kind of plug-in and its section, for messages. Raises UserError for an unknown option or one
    out of range.
    """
    remedy = "Correct it: --set {key}=...; see: sorn labelers"
    return build(kind, dict(options), f"{owner} {name}", prefix=f"{section}.", remedy=remedy)


def labeled(mask: np.ndarray) -> Labeled:
    """A mask with its status: EMPTY without any body part, else OK."""
    return Labeled(mask, Status.OK if mask.any() else Status.EMPTY)
