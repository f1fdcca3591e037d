"""Digests of many files or samples, 32 bytes each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from pipeline.io.packed import PackedSequence
from pipeline.io.texts import blocks

SIZE = hashlib.sha256().digest_size


class DigestColumn(PackedSequence[str]):
    """Sequence of sha256 digests, hexadecimal where one is asked for.

    Texts that are no digest, such as one for a file that cannot be read, are kept beside it: `others`, position ->
    text. Digests may be added at the end.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._bytes = bytearray()
        self.others: dict[int, str] = {}
        self.extend(texts)

    @classmethod
    def of_bytes(cls, digests: np.ndarray, known: np.ndarray, other: str) -> DigestColumn:
        """Column of N digests from their bytes.

        digests: uint8 [N, 32]. known: bool [N]; elsewhere the column has `other`.
        """
        made = cls()
        made._bytes += digests.data
        made.others = dict.fromkeys(np.flatnonzero(~known).tolist(), other)
        return made

    @property
    def numbers(self) -> np.ndarray:
        """Numbers of the digests, int64 [N].

        Equal digests have equal numbers, others hardly ever.
        """
        numbers = np.frombuffer(self._bytes, np.int64)[:: SIZE // 8].copy()
        for position, text in self.others.items():
            numbers[position] = hash(text)
        return numbers

    def append(self, digest: bytes) -> None:
        self._bytes += digest

    def extend(self, texts: Iterable[str]) -> None:
        if isinstance(texts, DigestColumn):
            self.others |= {len(self) + position: text for position, text in texts.others.items()}
            self._bytes += texts._bytes
            return
        for block in blocks(texts):
            digests = _digests("".join(block)) if all(len(text) == 2 * SIZE for text in block) else None
            if digests is not None:
                self._bytes += digests
                continue
            for text in block:
                digest = _digests(text) if len(text) == 2 * SIZE else None
                if digest is None:
                    self.others[len(self)] = text
                self._bytes += digest or bytes(SIZE)

    def at(self, rows: np.ndarray) -> DigestColumn:
        """Digests at some positions, int [n]; itself for all in their order."""
        if len(rows) == len(self) and bool((rows == np.arange(len(rows))).all()):
            return self
        made = DigestColumn()
        made._bytes += np.frombuffer(self._bytes, np.uint8).reshape(-1, SIZE)[rows].data
        if self.others:
            places = np.flatnonzero(np.isin(rows, list(self.others))).tolist()
            made.others = {place: self.others[int(rows[place])] for place in places}
        return made

    def __len__(self) -> int:
        return len(self._bytes) // SIZE

    def item(self, row: int) -> str:
        other = self.others.get(row)
        return self._bytes[row * SIZE : (row + 1) * SIZE].hex() if other is None else other

    def __eq__(self, other: object) -> bool:
        if isinstance(other, DigestColumn):
            return self._bytes == other._bytes and self.others == other.others
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]


def _digests(text: str) -> bytes | None:
    """Bytes of digests in a row; None for another text."""
    try:
        digests = bytes.fromhex(text)
    except ValueError:
        return None
    return digests if digests.hex() == text else None
