"""Vectors that matching rules compare, with lengths and visibility."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sorn.config import OF_PARTS, OF_STRIPES
from sorn.features import FeatureBank
from sorn.products import ROWS, filled, filled_up, product
from sorn.rules import Rule
from sorn.threads import count

CHUNK = 16 << 20
# Bytes of products that a thread has at a time. BLAS puts its factors in order for each of them, so not too few.

FEWEST = 64
# Gallery images that a thread has at a time, at least, where they fit.

PIECES = 8
# Chunks per thread of a tile, where there are enough images: so that all threads end at about the same time.

FEATURES = 16 << 20
# Bytes of gallery features that a thread multiplies at a time, at the most.

MAPPED = 4 << 20
# Bytes of gallery features that a thread reads before those mapped from a file are let go.


LEAST = np.float32(1e-12)
# Length of a vector that is divided by: one of zeros stays zero.


class Kinds(NamedTuple):
    """Kinds of features that some rules compare, beside the global one."""

    stripes: bool
    parts: bool


@dataclass(frozen=True)
class Vectors:
    """Vectors of a bank that some rules compare.

    They are in the order in which similarities add them up. features: [N, D] each; the first `whole` are global, then
    `stripes` of stripes, then those of part groups. known: 1 / length of each vector, float32 [V, N]; NaN where nobody
    has asked yet.
    """

    bank: FeatureBank
    features: list[Tensor]
    whole: int
    stripes: int
    known: np.ndarray

    @staticmethod
    def of(bank: FeatureBank, kinds: Kinds) -> Vectors:
        found = bank.features
        whole = [found.global_] if found.global_.shape[1] else []
        stripes = [found.local[:, p] for p in range(found.local.shape[1] if kinds.stripes else 0)]
        parts = [found.part_features[:, k] for k in range(found.part_features.shape[1] if kinds.parts else 0)]
        features = [torch.from_numpy(one).float() for one in (*whole, *stripes, *parts)]
        known = np.full((len(features), len(bank)), np.nan, np.float32)
        return Vectors(bank, features, len(whole), len(stripes), known)

    def __len__(self) -> int:
        return len(self.features)

    @property
    def bytes_of_image(self) -> int:
        return 4 * sum(one.shape[1] for one in self.features)

    def chunk(self, queries: int, images: int) -> int:
        """Number of images at a time.

        As many as fit into CHUNK with some queries, and several for each thread.
        """
        room = CHUNK // (4 * filled(max(1, queries)) * max(1, len(self)))
        most = min(room, FEATURES // max(1, self.bytes_of_image), max(FEWEST, images // (PIECES * count())))
        return max(1, most // ROWS) * ROWS

    def rows(self, chunk: slice) -> list[Tensor]:
        """Vectors of some images [m, D], filled up."""
        return [filled_up(one[chunk]) for one in self.features]

    def inverse_lengths(self, chunk: slice) -> np.ndarray:
        """1 / length of the vectors of some images, float32 [V, n]."""
        found = self.known[:, chunk]
        if np.isnan(found[:, :1]).any():
            for out, one in zip(found, self.features, strict=True):
                length = torch.linalg.vector_norm(one[chunk], dim=1).numpy()
                out[:] = 1 / np.maximum(length, LEAST)
        return np.ascontiguousarray(found)

    def compared(self, chunk: slice, rules: Sequence[Rule]) -> np.ndarray:
        """Whether a rule compares the vectors of some images (Eq. 12), bool [R, V, n]."""
        bank = self.bank
        found = np.zeros((len(rules), len(self), chunk.stop - chunk.start), bool)
        parts = slice(self.whole + self.stripes, None)
        for out, rule in zip(found, rules, strict=True):
            out[: self.whole] = True
            if rule.variant in OF_STRIPES and self.stripes:
                scores = bank.exact if rule.exact else bank.visibility
                assert scores is not None, "checked before the first tile"
                everything = rule.variant == "global+local"
                out[self.whole : parts.start] = everything or (scores[chunk] >= np.float32(rule.tau)).T
            if rule.variant in OF_PARTS:
                assert bank.part_shares is not None, "checked before the first tile"
                out[parts] = (bank.part_shares[chunk] >= np.float32(rule.part_tau)).T
        return found

    def shown(self, chunk: slice, rules: Sequence[Rule]) -> np.ndarray:
        return self.compared(chunk, rules).astype(np.float32)


@dataclass(frozen=True)
class Asked:
    """Vectors of some queries on a device, and what is compared.

    vectors: filled up. lengths: 1 / length of each vector, float32 [V, b]. seen: bool [R, V, b].
    """

    vectors: list[Tensor]
    lengths: np.ndarray
    seen: np.ndarray

    @staticmethod
    def of(bank: FeatureBank, kinds: Kinds, rules: Sequence[Rule], device: torch.device | str) -> Asked:
        found, everything = Vectors.of(bank, kinds), slice(0, len(bank))
        vectors = [one.to(device) for one in found.rows(everything)]
        return Asked(vectors, found.inverse_lengths(everything), found.compared(everything, rules))

    def __len__(self) -> int:
        count: int = self.seen.shape[2]
        return count

    def products(self, vectors: list[Tensor], memory: Tensor) -> np.ndarray:
        """Products with the vectors of some gallery images, float32 [V, m, n].

        They are written to the beginning of `memory`.
        """
        asked, ranked = (len(one[0]) if one else 0 for one in (self.vectors, vectors))
        shape = len(vectors), asked, ranked
        out = memory[: math.prod(shape)].view(shape)
        for one, a, b in zip(out, self.vectors, vectors, strict=True):
            product(a, b, one)
        return out.numpy()
