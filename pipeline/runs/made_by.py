"""Identity of what made labels or keypoints."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from pipeline.io.documents import Flat


@dataclass(frozen=True)
class MadeBy:
    """A labeler or keypoint finder. details: version, options and weights, all that decides its output."""

    name: str
    details: Annotated[dict[str, object], Flat()] = field(default_factory=dict)
