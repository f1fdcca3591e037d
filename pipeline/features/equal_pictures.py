"""Equal features for equal pictures of an evaluation.

Reads shards; reads and writes eval/parts/*.h5. The last batch of a chunk may be shorter than the others. Libraries sum
in another order there, so the last bits of the features differ from those of an equal picture in a whole batch. Then
the ranking of the two pictures would depend on these bits. So the picture in the short batch gets the features of the
other one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.features.chunks import Chunk
from sorn.features import FeatureBank, Features, Views

NEAR = 1e-3  # largest 1 - cosine of the features for which two pictures are compared pixel by pixel


@dataclass
class _Picture:
    """Image in a short batch.

    unit: its features, of length 1. source: chunk and row of the image whose features it should have.
    """

    chunk: Chunk
    row: int
    unit: np.ndarray
    source: tuple[Chunk, int] | None = None
    from_whole_batch: bool = False


@dataclass(frozen=True)
class _Pixels:
    """Cache of the digests of images."""

    known: dict[tuple[str, int], bytes] = field(default_factory=dict)

    def digest(self, chunk: Chunk, row: int) -> bytes:
        position = int(chunk.positions[row])
        key = (chunk.data.split, position)
        if key not in self.known:
            image = chunk.data.read(np.array([position]), *chunk.data.empty(1)).image
            self.known[key] = hashlib.sha256(image.numpy().tobytes()).digest()
        return self.known[key]


def unite_equal_pictures(chunks: Sequence[Chunk], size: int) -> None:
    """Copy features to equal pictures in short batches.

    Rewrites a chunk only if a picture of its short batch equals another one. A picture in a whole batch is preferred as
    the source, then the first one in the order of the chunks. size: images of a whole batch. Raises UserError for a
    damaged chunk and for a full disk.
    """
    waiting = [picture for chunk in chunks for picture in _in_short_batch(chunk, size)]
    if not waiting:
        return
    units, pixels = np.stack([picture.unit for picture in waiting]), _Pixels()
    for chunk in chunks:
        near = units @ _units(chunk.read()).T >= 1 - NEAR
        for number, row in zip(*np.nonzero(near), strict=True):
            _offer(waiting[number], chunk, int(row), row < _whole(chunk, size), pixels)
    for chunk in chunks:
        changed = [p for p in waiting if p.chunk is chunk and p.source not in (None, (chunk, p.row))]
        if changed:
            _rewrite(chunk, changed)


def _in_short_batch(chunk: Chunk, size: int) -> Iterator[_Picture]:
    first = _whole(chunk, size)
    if first < len(chunk.positions):
        for row, unit in enumerate(_units(chunk.read())[first:], first):
            yield _Picture(chunk, row, unit)


def _whole(chunk: Chunk, size: int) -> int:
    """Number of images of the chunk in whole batches, which come first."""
    return len(chunk.positions) // size * size


def _units(bank: FeatureBank) -> np.ndarray:
    """All features of each image, float32 [n, Dg + P Dl + G Dp] of length 1; zeros stay zero."""
    found = bank.features
    arrays = [found.global_, *(one.reshape(len(bank), -1) for one in (found.local, found.part_features))]
    flat = np.concatenate(arrays, axis=1)
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), np.float32(1e-12)))


def _offer(picture: _Picture, chunk: Chunk, row: int, whole: bool, pixels: _Pixels) -> None:
    """Set image `row` of the chunk as the source of the picture, if it is equal and better than the present one."""
    if picture.from_whole_batch or (picture.source is not None and not whole):
        return
    if pixels.digest(chunk, row) == pixels.digest(picture.chunk, picture.row):
        picture.source, picture.from_whole_batch = (chunk, row), bool(whole)


def _rewrite(chunk: Chunk, pictures: Sequence[_Picture]) -> None:
    bank = chunk.read()
    outputs = Features(*map(np.array, bank.features))
    for picture in pictures:
        assert picture.source is not None
        source, row = picture.source
        other = source.read()
        for values, source_values in zip(outputs, other.features, strict=True):
            values[picture.row] = source_values[row]
    views = Views.alone(outputs)
    if bank.second is not None:
        views.moved[bank.second.of] = True
        views = views._replace(second=bank.second.bank.features)
    chunk.write(views)
