"""Change of an image's label after the labeler."""

from __future__ import annotations

from dataclasses import dataclass

from sorn.sample import Status


@dataclass(frozen=True)
class Change:
    """Mark or mended mask of one image, as a shard records it.

    found: status that the labeler gave. mended: whether the mask is another one than the labeler's.
    """

    found: Status
    mended: bool = False
