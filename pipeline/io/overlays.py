"""Part masks and heat maps over an image. Reads and writes nothing."""

from __future__ import annotations

import numpy as np
from PIL import Image

from sorn.parts import COLLAPSE, COLOURS

OVERLAY = 0.6  # opacity of masks and maps over the image

# Dark violet over red to light yellow: rises in brightness all the way, so that it also reads in grey.
HEAT_STOPS = np.array([(13, 8, 60), (106, 23, 110), (188, 55, 84), (243, 120, 25), (252, 255, 164)], dtype=np.float64)


def class_colours(labels: int) -> np.ndarray:
    """Colours of a labelling with 8, 5 or 2 classes, uint8 [labels, 3].

    A class has the colour of the first of the eight part classes in it.
    """
    return COLOURS[[int(np.flatnonzero(COLLAPSE[labels] == number)[0]) for number in range(labels)]]


def overlay_parts(image: np.ndarray, parts: np.ndarray, labels: int) -> np.ndarray:
    """Part colours over a greyed image, without colour for the background.

    image: [H, W, 3] uint8. parts: [h, w] uint8. Returns [H, W, 3] uint8.
    """
    height, width = image.shape[:2]
    full = np.asarray(Image.fromarray(parts).resize((width, height), Image.Resampling.NEAREST))
    grey = image.mean(axis=2, keepdims=True).repeat(3, axis=2)
    mixed = (1 - OVERLAY) * grey + OVERLAY * class_colours(labels)[full]
    shown: np.ndarray = np.where(full[..., None] > 0, mixed, grey).round().astype(np.uint8)
    return shown


def overlay_heat(image: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values in [0, 1] as heat over a greyed image.

    [H, W, 3] uint8, [h, w] float -> [H, W, 3] uint8.
    """
    height, width = image.shape[:2]
    field = Image.fromarray(values.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
    grey = image.mean(axis=2, keepdims=True)
    shown: np.ndarray = ((1 - OVERLAY) * grey + OVERLAY * heat_colours(np.asarray(field))).round().astype(np.uint8)
    return shown


def heat_colours(values: np.ndarray) -> np.ndarray:
    """[...] float in [0, 1] -> [..., 3] uint8."""
    stops = np.linspace(0, 1, len(HEAT_STOPS))
    channels = [np.interp(values, stops, HEAT_STOPS[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)
