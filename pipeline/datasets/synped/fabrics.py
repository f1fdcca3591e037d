"""Fabrics by kind of garment, drawn as shops sell them.

Reads and writes nothing.
"""

from __future__ import annotations

import math

import numpy as np

from pipeline.datasets.synped.cloth import Cloth
from pipeline.datasets.synped.fashion import Chances, Fashion
from pipeline.datasets.synped.prints import DRAWERS, Print
from pipeline.datasets.synped.texture import Colour, Fabric, Palette, draw_accent, draw_colour, from_oklch

_BLOCKED = {
    "tshirt": 0.1,
    "polo": 0.15,
    "sweater": 0.12,
    "hoodie": 0.1,
    "zipped": 0.25,
    "down": 0.15,
    "longsleeve": 0.1,
    "dress": 0.12,
}
_PERIODS = {
    "stripes": (0.03, 0.28),
    "upright": (0.02, 0.1),
    "pinstripe": (0.08, 0.2),
    "plaid": (0.03, 0.16),
    "gingham": (0.05, 0.16),
    "cable": (0.12, 0.3),
    "quilted": (0.25, 0.4),
    "speckle": (0.1, 0.5),
}
_CONTRAST_SLEEVES = ("tshirt", "longsleeve", "hoodie", "zipped", "sweater", "polo")


def draw_cloth(rng: np.random.Generator, fashion: Fashion, kind: str) -> tuple[Cloth, Cloth]:
    """Cloth of a garment's body and cloth of its sleeves.

    kind: a named kind of garment.
    """
    palette = fashion.palette
    ground = _ground(rng, fashion, kind)
    fabric = _draw_fabric(rng, palette, fashion.patterns[kind], ground)
    seed = int(rng.integers(1 << 31))
    heavy = kind in ("down", "parka", "coat", "jacket", "jeans")
    cloth = Cloth(
        fabric,
        bands=_draw_bands(rng, palette, ground) if rng.uniform() < _BLOCKED.get(kind, 0.0) else (),
        prints=_draw_prints(rng, palette, ground) if rng.uniform() < fashion.printed.get(kind, 0.0) else (),
        closure=_closure(rng, kind),
        closure_colour=draw_colour(rng, palette, ("white", "black", "grey", "brown")),
        stripe=draw_accent(rng, palette, ground) if kind == "track" and rng.uniform() < 0.5 else None,
        pockets=kind in ("jeans", "trousers", "shorts", "cropped") or (kind == "shirt" and rng.uniform() < 0.4),
        fade=float(rng.uniform(0, 0.55)) if fabric.kind == "denim" and kind != "jacket" else 0.0,
        shade=float(rng.uniform(0.08, 0.22)),
        seed=seed,
        bump=float(rng.uniform(0.12, 0.28)) * (1.25 if heavy else 1.0) * (0.4 if kind == "leggings" else 1.0),
        bump_scale=float(rng.uniform(0.06, 0.13)),
        gloss=float(rng.uniform(0.0, 0.12)) if kind in ("down", "leggings", "jacket") else 0.0,
    )
    sleeve_fabric = fabric
    if kind in _CONTRAST_SLEEVES and rng.uniform() < 0.16:
        sleeve_fabric = _draw_fabric(rng, palette, {"stripes": 0.2}, draw_accent(rng, palette, ground))
    return cloth, Cloth(
        sleeve_fabric, shade=cloth.shade, seed=seed + 7, bump=cloth.bump, bump_scale=0.07, gloss=cloth.gloss
    )


def _ground(rng: np.random.Generator, fashion: Fashion, kind: str) -> Colour:
    if kind == "jeans":
        tone = rng.choice(["blue", "dark", "black", "light"], p=fashion.jeans)
        light = {"blue": (0.36, 0.5), "dark": (0.24, 0.34), "black": (0.14, 0.24), "light": (0.55, 0.72)}[str(tone)]
        return from_oklch(
            rng.uniform(*light),
            rng.uniform(0.01, 0.03) if tone == "black" else rng.uniform(0.04, 0.09),
            rng.uniform(245, 270),
        )
    if kind in ("trousers", "cropped", "shorts", "track", "leggings", "briefs"):
        names, share = fashion.bottoms
        return draw_colour(rng, fashion.palette, names if rng.uniform() < share else None)
    if kind in ("coat", "parka", "down", "jacket", "zipped"):
        names, share = fashion.outer
        return draw_colour(rng, fashion.palette, names if rng.uniform() < share else None)
    return draw_colour(rng, fashion.palette)


def _draw_fabric(rng: np.random.Generator, palette: Palette, patterns: Chances, ground: Colour) -> Fabric:
    names = [*patterns, "plain"]
    chances = np.array([*patterns.values(), max(0.0, 1 - sum(patterns.values()))])
    kind = str(rng.choice(names, p=chances / chances.sum()))
    if kind == "denim" and max(ground) > 2.5 * min(ground) and ground[2] < max(ground):
        ground = from_oklch(rng.uniform(0.3, 0.55), rng.uniform(0.03, 0.08), rng.uniform(245, 270))
    count = 1 if kind in ("plain", "denim", "cable", "quilted") else int(rng.integers(2, 5))
    colours = [ground] + [
        draw_accent(rng, palette, ground) if rng.uniform() < 0.8 else _tone(rng, ground) for _ in range(count - 1)
    ]
    if kind == "speckle":  # yarns of a melange are near in colour
        near = rng.uniform(0.1, 0.4)
        colours[1:] = [_mixed(ground, colour, near) for colour in colours[1:]]
    shortest, longest = _PERIODS.get(kind, (0.15, 0.6))
    period = math.exp(rng.uniform(math.log(shortest), math.log(longest)))
    heather = float(rng.choice([0.0, 0.02, 0.05]))
    return Fabric(kind, tuple(colours), period, int(rng.integers(1 << 31)), heather)


def _mixed(first: Colour, second: Colour, share: float) -> Colour:
    red, green, blue = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return red, green, blue


def _tone(rng: np.random.Generator, ground: Colour) -> Colour:
    """A lighter or darker tone of the ground."""
    factor = float(rng.choice([0.45, 0.6, 1.6, 2.2]))
    red, green, blue = (min(0.85, channel * factor + (0.02 if factor > 1 else 0.0)) for channel in ground)
    return red, green, blue


def _closure(rng: np.random.Generator, kind: str) -> str:
    if kind in ("shirt", "overshirt", "cardigan", "coat"):
        return "buttons"
    if kind in ("down", "parka", "zipped", "jacket") or (kind == "hoodie" and rng.uniform() < 0.4):
        return "zip"
    return "placket" if kind == "polo" else ""


def _draw_bands(rng: np.random.Generator, palette: Palette, ground: Colour) -> tuple[tuple[float, float, Fabric], ...]:
    """Blocks of colour: a yoke, a chest band, a lower half or several broad bars."""
    second = Fabric("plain", (draw_accent(rng, palette, ground),), heather=0.03)
    shape = rng.choice(["yoke", "band", "lower", "bars"])
    edge = float(rng.uniform(0.22, 0.42))
    if shape == "yoke":
        return ((edge, 2.0, second),)
    if shape == "lower":
        return ((-2.0, edge - 0.1, second),)
    if shape == "band":
        bands = [(edge - float(rng.uniform(0.03, 0.15)), edge, second)]
        if rng.uniform() < 0.4:
            bands.append((edge - 0.2, edge - 0.17, second))
        return tuple(bands)
    third = Fabric("plain", (draw_accent(rng, palette, ground),), heather=0.03)
    width = float(rng.uniform(0.06, 0.13))
    return tuple(
        (edge - (k + 1) * width, edge - k * width, second if k % 2 else third) for k in range(int(rng.integers(2, 5)))
    )


def _draw_prints(rng: np.random.Generator, palette: Palette, ground: Colour) -> tuple[Print, ...]:
    def one(back: bool) -> Print:
        kind = str(rng.choice(sorted(DRAWERS)))
        colours = tuple(draw_accent(rng, palette, ground) for _ in range(int(rng.integers(2, 5))))
        if rng.uniform() < 0.25 and not back:  # a small logo over the heart
            size = float(rng.uniform(0.04, 0.09))
            return Print(kind, colours, int(rng.integers(1 << 31)), size, size, 0.075, 0.38)
        width = float(rng.uniform(0.12, 0.27))
        height = (
            float(rng.uniform(0.04, 0.3)) if kind in ("lettering", "band") else width * float(rng.uniform(0.7, 1.3))
        )
        return Print(kind, colours, int(rng.integers(1 << 31)), width, height, 0.0, float(rng.uniform(0.27, 0.4)), back)

    found = [] if rng.uniform() < 0.1 else [one(back=False)]
    if not found or rng.uniform() < 0.3:
        found.append(one(back=True))
    return tuple(found)
