"""Kernel over the products of a chunk: similarities of Eq. 15."""

from __future__ import annotations

import numpy as np

from sorn.compiled import compiled

BLOCK = 512
# Columns that are combined at a time: what they need stays in a core's cache.


@compiled("void(f4[:, :, ::1], f4[:, ::1], f4[:, ::1], b1[:, :, ::1], f4[:, :, ::1], f4[:, :, ::1], i8)")
def combine(products, of_query, of_gallery, seen, shown, out, start):  # type: ignore[no-untyped-def]
    """Similarities under R rules.

    They are written to the columns of `out` from `start` on. products: of V features, float32 [V, m, n]; m and n may be
    larger than the numbers of images. of_query, of_gallery: 1 / length of each vector, [V, b], [V, c]. seen, shown:
    whether a rule compares a feature of an image, bool [R, V, b] and float32 [R, V, c]. out: float32 [R, b, columns]. A
    similarity is the mean over the features that are compared in both images, within -1 and 1; -1 without one.
    """
    one, none = np.float32(1.0), np.float32(0.0)
    cosine = np.empty((len(products), BLOCK), np.float32)
    total, common = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    for i in range(out.shape[1]):
        for first in range(0, of_gallery.shape[1], BLOCK):
            last = min(first + BLOCK, of_gallery.shape[1])
            for v in range(len(products)):
                length, lengths, found, cosines = (
                    of_query[v, i],
                    of_gallery[v, first:last],
                    products[v, i, first:last],
                    cosine[v],
                )
                for j in range(len(lengths)):
                    cosines[j] = found[j] * (length * lengths[j])
            for r in range(len(out)):
                written = out[r, i, start + first : start + last]
                for j in range(len(written)):
                    total[j] = none
                    common[j] = none
                for v in range(len(products)):
                    if seen[r, v, i]:
                        weights, cosines = shown[r, v, first:last], cosine[v]
                        for j in range(len(weights)):
                            total[j] += cosines[j] if weights[j] > none else none
                            common[j] += weights[j]
                for j in range(len(written)):
                    value = -one if common[j] == none else total[j] / max(common[j], one)
                    value = one if value > one else value
                    written[j] = -one if value < -one else value
