"""Identity of what made labels or keypoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pipeline.io.documents import Flat, from_json


@dataclass(frozen=True)
class MadeBy:
    """Labeler or keypoint finder.

    details: version, options and weights, all that decides its output.
    """

    name: str
    details: Annotated[dict[str, object], Flat()] = field(default_factory=dict)

    @classmethod
    def of(cls, described: Mapping[str, object]) -> MadeBy:
        """Identity from the value of `describe()`.

        Raises ValueError if it has no name.
        """
        return from_json(cls, described)
