"""Many texts in one buffer."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import numpy as np

from pipeline.io.packed import PackedSequence

Item = TypeVar("Item")

BLOCK = 4096  # texts handled at a time: few calls, and little memory


class Texts(PackedSequence[str]):
    """Sequence of texts that takes 8 bytes per text beyond their letters.

    A list takes some 60. Texts may be added at the end. Names of files that are no text are kept as they are.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._letters = bytearray()
        self._ends = array("q", [0])
        self.extend(texts)

    def append(self, text: str) -> None:
        self._letters += _encoded(text)
        self._ends.append(len(self._letters))

    def extend(self, texts: Iterable[str]) -> None:
        for block in blocks(texts):
            joined = "".join(block)
            lengths = map(len, block if joined.isascii() else map(_encoded, block))
            ends = np.fromiter(lengths, np.int64, len(block)).cumsum() + len(self._letters)
            self._letters += _encoded(joined)
            self._ends.frombytes(ends.tobytes())

    def at(self, rows: np.ndarray) -> Texts:
        """Texts at some positions, int [n]; itself for all in their order."""
        if len(rows) == len(self) and bool((rows == np.arange(len(rows))).all()):
            return self
        return Texts(self[int(row)] for row in rows)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def item(self, row: int) -> str:
        return self._letters[self._ends[row] : self._ends[row + 1]].decode(errors="surrogateescape")

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Texts):
            return self._ends == other._ends and self._letters == other._letters
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]


def blocks(values: Iterable[Item], size: int = BLOCK) -> Iterator[list[Item]]:
    """Values in lists of at most `size`."""
    values = iter(values)
    while block := list(islice(values, size)):
        yield block


def ascending(texts: Iterable[str]) -> bool:
    """Whether every text is larger than the one before."""
    before = None
    for text in texts:
        if before is not None and text <= before:
            return False
        before = text
    return True


def first_equal(texts: Sequence[str]) -> np.ndarray:
    """Position of the first text that is equal to each, int [N]."""
    first = first_equal_number(np.fromiter(map(hash, texts), np.int64, len(texts)))
    for number in np.flatnonzero(first != np.arange(len(texts))).tolist():
        if texts[int(first[number])] != texts[number]:  # by chance
            first[number] = texts.index(texts[number])
    return first


def first_equal_number(numbers: np.ndarray) -> np.ndarray:
    """Position of the first number that is equal to each, int [N]."""
    _, firsts, groups = np.unique(numbers, return_index=True, return_inverse=True)
    first: np.ndarray = firsts[groups]
    return first


def digest_list(values: Iterable[object], start: str = "", end: str = "") -> str:
    """sha256 of a JSON list as `digest_json` spells it, without holding it.

    start, end: text around the list.
    """
    digest, comma = hashlib.sha256(f"{start}[".encode()), ""
    for block in blocks(values):
        digest.update((comma + json.dumps(block, sort_keys=True, separators=(",", ":"))[1:-1]).encode())
        comma = ","
    digest.update(f"]{end}".encode())
    return digest.hexdigest()


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
