"""Skeletons of other tools' JSON entries as COCO's 17 joints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.datasets.coco.entries import Entry
from sorn.sample import JOINTS

# Numbers of joints whose first 17 are COCO's: COCO, Halpe-26, COCO-WholeBody, Halpe.
COUNTS = (len(JOINTS), 26, 133, 136)
HIDDEN, VISIBLE = 1, 2  # flags of COCO's annotations in place of confidences


@dataclass(frozen=True)
class FoundPose:
    """One skeleton of an image.

    keypoints: [17, 3] float64, x, y in pixels and confidence in [0, 1]; zeros for a joint that was not found. score:
    the tool's for the person, None without one. target: whether the file names it as the person of the crop.
    """

    keypoints: np.ndarray
    score: float | None = None
    target: bool = False


def read_poses(entries: Sequence[Entry], names: tuple[str, ...] = ()) -> list[FoundPose]:
    """Skeletons of the entries, in their order.

    names: of the keypoints, if the file has them. Raises UserError for an entry without keypoints, with another number
    of joints, or with numbers that are none.
    """
    return [FoundPose(_joints(entry, names), entry.score, entry.fields.get("is_target") is True) for entry in entries]


def _joints(entry: Entry, names: tuple[str, ...]) -> np.ndarray:
    triples = _triples(entry)
    if names and len(names) == len(triples):
        order = [names.index(joint) if joint in names else -1 for joint in JOINTS]
        if order.count(-1) == len(JOINTS):
            raise entry.damaged(f"has joints with other names than COCO's: {', '.join(names[:4])} ...")
        triples = np.where(np.array(order)[:, None] >= 0, triples[order], 0)
    elif len(triples) not in COUNTS:
        remedy = (
            f"Write COCO's 17 joints, or {', '.join(map(str, COUNTS[1:]))} that begin with them (Halpe, WholeBody)."
        )
        raise entry.damaged(f"has {len(triples)} joints, of which it is not known which is which", remedy)
    keypoints = triples[: len(JOINTS)].copy()
    if not np.isfinite(keypoints).all():
        raise entry.damaged("has joints that are no finite numbers")
    confidence = keypoints[:, 2]
    if (confidence == VISIBLE).any() and np.isin(confidence, (0, HIDDEN, VISIBLE)).all():
        keypoints[:, 2] = confidence == VISIBLE
    keypoints[:, 2] = keypoints[:, 2].clip(0, 1)  # heat maps of AlphaPose go a little above 1
    # OpenPifPaf pads images, and takes the padding off the zeros of a joint that it did not find, too.
    keypoints[(keypoints <= 0).all(axis=1)] = 0
    return keypoints


def _triples(entry: Entry) -> np.ndarray:
    """x, y, confidence of the joints [n, 3] from a flat list, a list of threes, or pairs with scores."""
    values = entry.fields.get("keypoints")
    if values is None:
        keys = ", ".join(list(entry.fields)[:4]) or "nothing"
        remedy = "Write COCO's JSON: each person with `keypoints`, 17 times x, y and confidence."
        raise entry.damaged(f"has no keypoints, but {keys}", remedy)
    try:
        if isinstance(values, Mapping):  # Ultralytics' to_json
            columns = [values["x"], values["y"], values.get("visible", [1.0] * len(values["x"]))]
            return np.array(columns, np.float64).T.reshape(-1, 3)
        array = np.array(values, np.float64)
        if array.ndim == 2 and array.shape[1] == 2:  # MMPose
            scores = np.array(entry.fields.get("keypoint_scores", [1.0] * len(array)), np.float64)
            return np.column_stack([array, scores])
        return array.reshape(-1, 3)
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise entry.damaged("has keypoints that are not x, y and confidence of each joint") from error
