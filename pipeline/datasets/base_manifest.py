"""Keys that a manifest takes from its base."""

from __future__ import annotations

from collections.abc import Mapping

SAME_IMAGES = {
    "roots",
    "name",
    "title",
    "licence",
    "notice",
    "masks",
    "hint",
    "default_labeler",
    "default_config",
    "protocol",
}
# Keys that a manifest may set and still describe the images of its base, in another place.


def inherited(base: Mapping[str, object], spelled: str, file: str, own: set[str]) -> dict[str, object]:
    """Keys of the base, without what is false of other images.

    The paper's figures are of the base as published, so they are never inherited with other images or protocols. Other
    images have a title of their own. spelled: the base as the manifest names it. file: name of the manifest's file.
    own: keys that it sets itself.
    """
    changed: dict[str, object] = {}
    if not own <= SAME_IMAGES - {"protocol"}:
        changed["paper"] = []
    if not own <= SAME_IMAGES:
        changed["title"] = f"images of {file}, in the layout of {spelled}"
    if own & {"pattern", "set"}:
        changed["camera_policy"] = ""
    return {**base, **changed}
