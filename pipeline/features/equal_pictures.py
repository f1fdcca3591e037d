"""Equal features for equal pictures of an evaluation. Reads shards; reads and writes eval/parts/*.h5.

The last batch of a part may be shorter than the others, and libraries add up in another order there: the features of a
picture differ in their last bits from those of an equal one in a whole batch. Then neither is ranked where it should
be, before or behind the other. So the picture in the short batch takes the features of the other one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.features.chunks import Part
from sorn.features import FeatureBank

NEAR = 1e-3  # 1 - cosine of the features, up to which two pictures are compared pixel by pixel


@dataclass
class _Picture:
    """An image in a short batch. unit: its features, of length 1. source: who has the features it should have."""

    part: Part
    row: int
    unit: np.ndarray
    source: tuple[Part, int] | None = None
    from_whole_batch: bool = False


@dataclass(frozen=True)
class _Pixels:
    """Digests of images, each read once."""

    known: dict[tuple[str, int], bytes] = field(default_factory=dict)

    def digest(self, part: Part, row: int) -> bytes:
        position = int(part.positions[row])
        key = (part.data.split, position)
        if key not in self.known:
            image = part.data.read(np.array([position]), *part.data.empty(1)).image
            self.known[key] = hashlib.sha256(image.numpy().tobytes()).digest()
        return self.known[key]


def unite_equal_pictures(parts: Sequence[Part], size: int) -> None:
    """Rewrite the parts in which a picture of a short batch equals another one. size: images of a whole batch.

    Whole batches come first, then the order of the parts; without an equal picture nothing changes. Raises UserError
    for a part that is damaged and for a full disk.
    """
    waiting = [picture for part in parts for picture in _in_short_batch(part, size)]
    if not waiting:
        return
    units, pixels = np.stack([picture.unit for picture in waiting]), _Pixels()
    for part in parts:
        near = units @ _units(part.read()).T >= 1 - NEAR
        for number, row in zip(*np.nonzero(near), strict=True):
            _offer(waiting[number], part, int(row), row < _whole(part, size), pixels)
    for part in parts:
        changed = [p for p in waiting if p.part is part and p.source not in (None, (part, p.row))]
        if changed:
            _rewrite(part, changed)


def _in_short_batch(part: Part, size: int) -> Iterator[_Picture]:
    first = _whole(part, size)
    if first < len(part.positions):
        for row, unit in enumerate(_units(part.read())[first:], first):
            yield _Picture(part, row, unit)


def _whole(part: Part, size: int) -> int:
    """How many images of the part are in whole batches: the first ones."""
    return len(part.positions) // size * size


def _units(bank: FeatureBank) -> np.ndarray:
    """All features of each image, float32 [n, Dg + P Dl] of length 1; zeros stay zero."""
    flat = np.concatenate([bank.global_, bank.local.reshape(len(bank), -1)], axis=1)
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), np.float32(1e-12)))


def _offer(picture: _Picture, part: Part, row: int, whole: bool, pixels: _Pixels) -> None:
    """The image `row` of the part as the source of the picture's features, if it is the better one."""
    if picture.from_whole_batch or (picture.source is not None and not whole):
        return
    if pixels.digest(part, row) == pixels.digest(picture.part, picture.row):
        picture.source, picture.from_whole_batch = (part, row), bool(whole)


def _rewrite(part: Part, pictures: Sequence[_Picture]) -> None:
    bank = part.read()
    seen = [np.array(values) for values in (bank.global_, bank.local, bank.visibility)]
    for picture in pictures:
        assert picture.source is not None
        source, row = picture.source
        other = source.read()
        for values, taken in zip(seen, (other.global_, other.local, other.visibility), strict=True):
            values[picture.row] = taken[row]
    part.write((seen[0], seen[1], seen[2]))
