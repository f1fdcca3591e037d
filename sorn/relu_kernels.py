"""Kernel of ReLU over bfloat16 numbers as uint16.

The bits of numbers that are not negative rise with the numbers.
"""

from __future__ import annotations

import numpy as np

from sorn.compiled import compiled

INFINITY = np.uint16(0x7F80)  # what is above it is not a number, or negative
NEGATIVE = np.uint16(0x8000)


@compiled("void(u2[::1], u2)")
def cut(values, top):  # type: ignore[no-untyped-def]
    """Values cut at 0 and at `top`, in place.

    What is not a number stays.
    """
    for i in range(len(values)):
        value = values[i]
        found = top if value > top else value
        found = np.uint16(0) if value >= NEGATIVE else found
        values[i] = value if (value & np.uint16(0x7FFF)) > INFINITY else found
