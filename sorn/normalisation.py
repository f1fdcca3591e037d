"""Normalisation of a network's input."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

Colour = tuple[float, float, float]

ALIKE = 0.005


class Normalisation(NamedTuple):
    """Mean and standard deviation that an input is normalised by.

    Of red, green and blue, in units of the full range. They belong to the weights: a backbone has those of the images
    that its published weights were trained on.
    """

    mean: Colour
    std: Colour

    @classmethod
    def of(cls, mean: Iterable[float], std: Iterable[float]) -> Normalisation:
        """Normalisation from numbers of any origin. Raises ValueError unless each has three."""
        (r, g, b), (dr, dg, db) = (map(float, values) for values in (mean, std))
        return cls((r, g, b), (dr, dg, db))

    def like(self, other: Normalisation) -> bool:
        """Whether both are the same up to rounding.

        Programs write 127/255 or 0.5 for the same.
        """
        return all(abs(a - b) < ALIKE for a, b in zip(self.mean + self.std, other.mean + other.std, strict=True))

    def text(self) -> str:
        mean, std = (" ".join(f"{value:.3g}" for value in values) for values in self)
        return f"mean {mean} and deviation {std}"


IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # torchvision's weights expect it
TENSORFLOW = Normalisation((127 / 255,) * 3, (128 / 255,) * 3)  # mean 127 and deviation 128 of 255
