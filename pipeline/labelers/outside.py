"""Guards around plug-ins: answers checked, exceptions turned into sentences."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.datasets.records import ImageRecord
from pipeline.errors import UserError, reason
from pipeline.labelers.base import Labeled
from pipeline.runs.config import Runtime
from sorn.parts import CLASSES
from sorn.sample import JOINTS, NOT_COUNTED, Status

ALLOWED = (Status.OK, Status.EMPTY, Status.LOW_RESOLUTION, Status.SEVERAL_PEOPLE, Status.UNLABELED)


@dataclass(frozen=True)
class PluginOrigin:
    """Source of a plug-in.

    word: its kind. name: as the user gives it. title, file, mend: in messages. identity: JSON of the code that answers,
    for the fingerprint.
    """

    word: str
    name: str
    title: str
    file: Path
    mend: str
    identity: Mapping[str, str | None]

    @contextlib.contextmanager
    def told(self, when: str) -> Iterator[None]:
        """A UserError that names the plug-in, in place of its exception.

        UserErrors of the plug-in itself pass.
        """
        try:
            yield
        except UserError:
            raise
        except Exception as error:
            raise UserError(f"{self.title} raises {described(error, self.file)} {when}", self.mend) from error


class OutsidePlugin:
    """Guard around one labeler or keypoint finder from outside.

    made: the object of its class. Several threads may call the guard at a time, as they call the object itself.
    """

    def __init__(self, origin: PluginOrigin, made: Any) -> None:
        self.origin, self.made = origin, made
        self.name, self.version = origin.name, int(made.version)

    def describe(self) -> Mapping[str, object]:
        """The plug-in's own description, with the identity of its code.

        The name is the one that the user gives.
        """
        with self.origin.told("in describe()"):
            said = self.made.describe()
        try:
            own = json.loads(json.dumps(said, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise UserError(f"{self.origin.title}: describe() returns no JSON: {error}", self.origin.mend) from error
        if not isinstance(own, dict):
            wrong = f"{self.origin.title}: describe() returns {_kind(said)}, not a dict"
            raise UserError(wrong, self.origin.mend)
        return {"version": self.version, **own, "name": self.name, "plugin": dict(self.origin.identity)}

    def inputs(self, records: Sequence[ImageRecord]) -> dict[str, str]:
        """Its own, under names that no other input has."""
        with self.origin.told("in inputs()"):
            said = self.made.inputs(records)
        if not isinstance(said, dict) or not all(isinstance(text, str) for pair in said.items() for text in pair):
            wrong = f"{self.origin.title}: inputs() returns {_kind(said)}, not a dict of texts"
            raise UserError(wrong, self.origin.mend)
        return {f"{self.origin.word} {self.name}: {name}": digest for name, digest in said.items()}

    def prepare(self, records: Sequence[ImageRecord], runtime: Runtime) -> None:
        with self.origin.told("in prepare()"):
            self.made.prepare(records, runtime)

    def _ask(self, method: str, records: list[ImageRecord], images: list[np.ndarray]) -> list[Any]:
        """One answer per image. It gets copies of the images: what it does to them is not stored."""
        try:
            answers = getattr(self.made, method)(list(records), [image.copy() for image in images])
        except UserError:
            raise
        except Exception as error:
            where = f"'{records[0].name}'" if records else "no image"
            if len(records) > 1:
                for record, image in zip(records, images, strict=True):  # which of them it is
                    self._ask(method, [record], [image])
                where = f"{len(records)} images at a time, from {where} to '{records[-1].name}'"
            raise UserError(
                f"{self.origin.title} raises {described(error, self.origin.file)} for {where}", self.origin.mend
            ) from error
        if not isinstance(answers, (list, tuple)) or len(answers) != len(records):
            count = f"{len(answers)} answers" if isinstance(answers, (list, tuple)) else _kind(answers)
            wrong = f"{self.origin.title}: {method}() returns {count} for {len(records)} images, not one each in a list"
            raise UserError(wrong, self.origin.mend)
        return list(answers)

    def _answers(
        self,
        method: str,
        records: list[ImageRecord],
        images: list[np.ndarray],
        fault: Callable[[Any, np.ndarray], str],
    ) -> list[Any]:
        answers = self._ask(method, records, images)
        for record, image, answer in zip(records, images, answers, strict=True):
            if wrong := fault(answer, image):
                raise UserError(f"{self.origin.title} returns {wrong}, for '{record.name}'", self.origin.mend)
        return answers


class OutsideLabeler(OutsidePlugin):
    """A labeler from outside, see `pipeline.labelers.base.Labeler`."""

    def label(self, records: list[ImageRecord], images: list[np.ndarray]) -> list[Labeled]:
        """The plug-in's labels, checked.

        Raises UserError for an answer that is no mask of the image, and for what the plug-in raises.
        """
        answers = self._answers("label", records, images, _fault_of_labels)
        return [dataclasses.replace(answer, mask=answer.mask.copy()) for answer in answers]  # it may use its own again


class OutsideFinder(OutsidePlugin):
    """A keypoint finder from outside, see `pipeline.labelers.keypoints.base.KeypointFinder`."""

    def find(self, records: list[ImageRecord], images: list[np.ndarray]) -> list[np.ndarray]:
        """The plug-in's keypoints, checked.

        Raises UserError for an answer that is no 17 joints, and for what the plug-in raises.
        """
        return [keypoints.copy() for keypoints in self._answers("find", records, images, _fault_of_keypoints)]


def described(error: BaseException, file: Path | None = None) -> str:
    """An exception in words, with its place in the code.

    The place is the last one in `file` that it passed, or else where it was raised.
    """
    text = reason(error) if isinstance(error, Exception) else str(error)
    said = type(error).__name__ if text in ("", type(error).__name__) else f"{type(error).__name__}: {text}"
    passed = [] if isinstance(error, SyntaxError) else traceback.extract_tb(error.__traceback__)
    passed = [frame for frame in passed if not frame.filename.startswith("<frozen")]
    frames = [frame for frame in passed if file and Path(frame.filename) == file] or passed
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return said + place


def _kind(value: object) -> str:
    return f"an object of type {type(value).__name__}"


def _fault_of_labels(answer: Any, image: np.ndarray) -> str:
    """What is wrong with a labeler's answer for an image; "" if nothing."""
    if not isinstance(answer, Labeled):
        return f"{_kind(answer)}, not Labeled"
    mask, height, width = answer.mask, *image.shape[:2]
    if not isinstance(mask, np.ndarray):
        return f"{_kind(mask)} as mask, not a numpy array"
    if mask.dtype != np.uint8:
        return f"a mask of {mask.dtype}, not of uint8"
    if mask.shape != (height, width):
        return f"a mask of shape {list(mask.shape)}, not [{height}, {width}] as the image"
    if mask.max() >= len(CLASSES):
        return f"a mask with the id {mask.max()}, which is no body part (0 to {len(CLASSES) - 1})"
    return _fault_of_person(answer)


def _fault_of_person(answer: Labeled) -> str:
    if not isinstance(answer.status, Status) or answer.status not in ALLOWED:
        return f"the status {answer.status!r}, not one of {', '.join(status.name for status in ALLOWED)}"
    if not isinstance(answer.people, int | np.integer) or answer.people < NOT_COUNTED:
        return f"people = {answer.people!r}, not a number of people or {NOT_COUNTED}"
    if not _numbers(answer.box, 4) or not all(0 <= edge <= 1 for edge in answer.box):
        return f"the box {answer.box!r}, not 4 fractions of the image's sides"
    if not _numbers((answer.score,), 1):
        return f"the score {answer.score!r}, not a finite number"
    return ""


def _numbers(values: Any, count: int) -> bool:
    try:
        return len(values) == count and all(math.isfinite(value) for value in values)
    except TypeError:
        return False


def _fault_of_keypoints(answer: Any, image: np.ndarray) -> str:
    """What is wrong with a keypoint finder's answer for an image; "" if nothing."""
    if not isinstance(answer, np.ndarray):
        return f"{_kind(answer)}, not a numpy array"
    if answer.dtype != np.float32 or answer.shape != (len(JOINTS), 3):
        return f"keypoints of {answer.dtype} {list(answer.shape)}, not of float32 [{len(JOINTS)}, 3]"
    if not np.isfinite(answer).all():
        return "keypoints that are not finite"
    if (answer[:, 2] < 0).any() or (answer[:, 2] > 1).any():
        return "a confidence outside [0, 1]"
    return ""
