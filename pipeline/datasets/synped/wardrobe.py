"""Clothes: what a garment is, and outfits drawn as people combine them.

Reads and writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipeline.datasets.synped.cloth import Cloth
from pipeline.datasets.synped.fabrics import draw_cloth
from pipeline.datasets.synped.fashion import Fashion
from pipeline.datasets.synped.texture import NEUTRALS, Colour, Palette, draw_accent, draw_colour


@dataclass(frozen=True)
class Top:
    """Anything worn on the torso, a dress or a coat included.

    Lengths in metres on the body garments are cut for. sleeve: where it ends along the arm (0 = shoulder, 1 = elbow, 2
    = wrist), negative leaves the shoulder bare. hem: height above the hip joints. neck: how far the neckline lies below
    a crew neck at the front, v: True for a pointed one. ease: from the skin. width: of the sleeve, added to the ease.
    fall: how straight it hangs from the chest, 0 follows the waist, 1 hangs free. flare: widening below the waist per
    metre. waves: depth of the hem's waves. collar: "" | "shirt" | "high" | "hood" | "scarf". open: half angle in
    radians of the gap at the front, 0 = closed. tucked: into the waistband.
    """

    kind: str
    cloth: Cloth
    sleeve_cloth: Cloth
    sleeve: float
    hem: float
    neck: float = 0.0
    v: bool = False
    ease: float = 0.012
    width: float = 0.01
    fall: float = 0.7
    flare: float = 0.0
    waves: float = 0.004
    collar: str = ""
    collar_colour: Colour = (0.02, 0.02, 0.02)
    open: float = 0.0
    tucked: bool = False


@dataclass(frozen=True)
class Bottom:
    """Garment for the legs.

    kind: "trousers" (also shorts and leggings) or "skirt". length: along the leg, 1 = knee, 2 = ankle. rise: height of
    the waistband above the hip joints, metres. ease: from the skin. hem_width: radius of the leg's end, metres,
    trousers only. flare, waves: skirts only, as in Top.
    """

    kind: str
    cloth: Cloth
    length: float
    rise: float = 0.1
    ease: float = 0.008
    hem_width: float = 0.09
    flare: float = 0.2
    waves: float = 0.006


@dataclass(frozen=True)
class Shoes:
    """Shoes and socks.

    kind: "sneakers" | "shoes" | "boots" | "sandals". sole: thickness in metres. height: of the shaft above the ankle,
    metres. sock: colour and height above the ankle in metres, None = bare.
    """

    kind: str
    upper: Colour
    sole_colour: Colour
    accent: Colour
    sole: float = 0.025
    height: float = 0.0
    sock: tuple[Colour, float] | None = None


@dataclass(frozen=True)
class Outfit:
    """All clothes of one person.

    tops: from the inside to the outside, one or two. bottom: also worn under a dress, as leggings or nothing visible.
    """

    tops: tuple[Top, ...]
    bottom: Bottom
    shoes: Shoes


def draw_outfit(rng: np.random.Generator, fashion: Fashion, female: bool) -> Outfit:
    """A whole outfit for one of three kinds of weather."""
    season = rng.choice(["summer", "mild", "winter"], p=fashion.weather)
    if female and season != "winter" and rng.uniform() < 0.2:
        dress = draw_top(rng, fashion, "dress")
        under = draw_bottom(rng, fashion, "leggings" if rng.uniform() < 0.3 else "briefs")
        if rng.uniform() < 0.25:
            cardigan = draw_top(rng, fashion, "cardigan")
            return Outfit(
                (_beneath(dress, cardigan), cardigan), under, draw_shoes(rng, fashion.palette, season, female)
            )
        return Outfit((dress,), under, draw_shoes(rng, fashion.palette, season, female))
    tops = tuple(draw_top(rng, fashion, kind) for kind in _draw_layers(rng, str(season), female))
    if tops[0].open > 0:  # an open coat is never worn on the skin
        tops = (draw_top(rng, fashion, str(rng.choice(["tshirt", "longsleeve", "sweater"]))), *tops)
    if len(tops) == 2:
        tops = (_beneath(tops[0], tops[1]), tops[1])
    bottom = draw_bottom(rng, fashion, _draw_bottom_kind(rng, str(season), female))
    if (
        bottom.kind == "skirt"
        and rng.uniform() < 0.5
        and len(tops) == 1
        and tops[0].kind in ("tshirt", "shirt", "tank")
    ):
        tops = (_tucked(tops[0]),)
    return Outfit(tops, bottom, draw_shoes(rng, fashion.palette, str(season), female))


def _tucked(top: Top) -> Top:

    return replace(top, tucked=True)


def _beneath(inner: Top, outer: Top) -> Top:
    """Close to the skin, with sleeves that end inside those of the outer garment."""
    sleeve = min(inner.sleeve, outer.sleeve - 0.15)
    return replace(inner, ease=0.009, width=0.0, waves=0.003, flare=0.0, sleeve=sleeve)


def _draw_layers(rng: np.random.Generator, season: str, female: bool) -> tuple[str, ...]:
    chances: dict[str, float]
    if season == "summer":
        chances = {"tshirt": 0.5, "polo": 0.08 if female else 0.16, "shirt": 0.16, "tank": 0.1 if female else 0.03}
        chances |= {"blouse": 0.15 if female else 0.0, "longsleeve": 0.06, "overshirt tshirt": 0.05}
    elif season == "mild":
        chances = {"longsleeve": 0.14, "shirt": 0.16, "sweater": 0.16, "hoodie": 0.18, "jacket tshirt": 0.14}
        chances |= {"cardigan tshirt": 0.12 if female else 0.05, "overshirt tshirt": 0.07, "zipped": 0.12}
    else:
        chances = {"down": 0.25, "coat": 0.2, "parka": 0.2, "jacket sweater": 0.1, "coat sweater": 0.1, "zipped": 0.15}
    names = list(chances)
    shares = np.array([chances[name] for name in names])
    kinds = str(rng.choice(names, p=shares / shares.sum())).split()
    return tuple(reversed(kinds))


def _draw_bottom_kind(rng: np.random.Generator, season: str, female: bool) -> str:
    if season == "summer":
        chances = {"jeans": 0.3, "trousers": 0.16, "shorts": 0.3, "cropped": 0.12, "track": 0.08}
    else:
        chances = {"jeans": 0.5, "trousers": 0.32, "track": 0.12, "cropped": 0.03, "shorts": 0.03}
    if female:
        chances |= {"skirt": 0.18 if season == "summer" else 0.1, "leggings": 0.15}
    names = list(chances)
    shares = np.array([chances[name] for name in names])
    return str(rng.choice(names, p=shares / shares.sum()))


def draw_top(rng: np.random.Generator, fashion: Fashion, kind: str) -> Top:
    """One garment for the torso, of a named kind."""
    cloth, sleeve_cloth = draw_cloth(rng, fashion, kind)
    ground = cloth.fabric.colours[0]
    collar_colour = draw_accent(rng, fashion.palette, ground) if rng.uniform() < 0.25 else ground
    u = rng.uniform
    own: dict[str, object]
    if kind == "tshirt":
        own = dict(
            sleeve=u(0.35, 0.85),
            hem=u(-0.14, 0.0),
            neck=u(0, 0.05),
            v=u() < 0.25,
            ease=u(0.008, 0.018),
            width=u(0.0, 0.035),
        )
    elif kind == "polo":
        own = dict(sleeve=u(0.5, 0.8), hem=u(-0.13, -0.03), neck=0.02, collar="shirt", width=u(0.005, 0.025))
    elif kind in ("shirt", "blouse"):
        sleeve = u(0.5, 0.85) if u() < 0.5 else u(1.2, 2.0)
        own = dict(sleeve=sleeve, hem=u(-0.15, -0.02), neck=0.03, v=True, width=u(0.01, 0.03), tucked=u() < 0.25)
        own["collar"] = "shirt" if kind == "shirt" else ""
    elif kind == "overshirt":
        own = dict(sleeve=u(0.6, 0.85) if u() < 0.4 else u(1.2, 2.0), hem=u(-0.15, -0.04), neck=0.06, v=True)
        own |= dict(collar="shirt", ease=0.024, open=u(0.15, 0.6))
    elif kind == "tank":
        own = dict(sleeve=u(-0.5, -0.15), hem=u(-0.12, 0.0), neck=u(0.04, 0.1), ease=0.008, width=0.0)
    elif kind == "longsleeve":
        own = dict(sleeve=u(1.6, 2.05), hem=u(-0.12, 0.0), neck=u(0, 0.05), ease=0.01, width=u(0.0, 0.015))
    elif kind in ("sweater", "hoodie"):
        own = dict(
            sleeve=u(1.85, 2.1),
            hem=u(-0.12, -0.02),
            neck=u(0, 0.03),
            ease=u(0.018, 0.03),
            width=u(0.01, 0.03),
            fall=u(0.5, 1),
        )
        own["collar"] = "hood" if kind == "hoodie" else ("high" if u() < 0.2 else "")
    elif kind == "cardigan":
        own = dict(
            sleeve=u(1.2, 2.05),
            hem=u(-0.4, -0.05),
            neck=0.1,
            v=True,
            ease=0.024,
            width=u(0.01, 0.03),
            open=u(0.3, 0.75),
        )
    elif kind == "jacket":
        own = dict(
            sleeve=u(1.85, 2.05),
            hem=u(-0.15, 0.02),
            neck=0.06,
            v=True,
            ease=0.03,
            width=u(0.015, 0.03),
            open=u(0.15, 0.6),
        )
        own["collar"] = rng.choice(["shirt", "high", "hood"])
    elif kind == "zipped":
        own = dict(sleeve=u(1.9, 2.05), hem=u(-0.1, 0.02), neck=0.0, ease=u(0.02, 0.032), width=u(0.01, 0.03), fall=0.8)
        own["collar"] = rng.choice(["high", "hood"])
    elif kind in ("down", "parka"):
        own = dict(
            sleeve=u(1.95, 2.1), hem=u(-0.3, -0.05), neck=0.0, ease=u(0.03, 0.055), width=u(0.02, 0.04), fall=u(0.7, 1)
        )
        own["collar"] = rng.choice(["high", "hood", "scarf"])
    elif kind == "coat":
        own = dict(
            sleeve=u(1.9, 2.05), hem=u(-0.65, -0.25), neck=0.07, v=True, ease=u(0.025, 0.035), width=u(0.01, 0.025)
        )
        own |= dict(collar=rng.choice(["shirt", "scarf"]), open=u(0.1, 0.4) if u() < 0.4 else 0.0, flare=u(0, 0.15))
    else:  # a dress
        sleeve = u(-0.4, -0.1) if u() < 0.4 else u(0.2, 0.9)
        own = dict(
            sleeve=sleeve,
            hem=u(-0.8, -0.2),
            neck=u(0.02, 0.1),
            v=u() < 0.4,
            ease=0.008,
            width=u(0, 0.02),
            fall=u(0, 0.8),
        )
        own |= dict(flare=u(0.0, 0.45), waves=u(0.003, 0.02))
    collar_colour = draw_colour(rng, fashion.palette) if own.get("collar") == "scarf" else collar_colour
    return Top(kind, cloth, sleeve_cloth, collar_colour=collar_colour, **own)  # type: ignore[arg-type]


def draw_bottom(rng: np.random.Generator, fashion: Fashion, kind: str) -> Bottom:
    """One garment for the legs, of a named kind."""
    cloth, _ = draw_cloth(rng, fashion, kind)
    u = rng.uniform
    if kind == "skirt":
        return Bottom("skirt", cloth, u(0.45, 1.8), u(0.08, 0.17), 0.012, 0.09, u(0.0, 0.6), u(0.003, 0.025))
    if kind == "leggings":
        return Bottom("trousers", cloth, u(1.7, 2.0), 0.1, 0.004, 0.0)
    if kind == "briefs":
        return Bottom("trousers", cloth, 0.2, 0.08, 0.004, 0.0)
    if kind == "shorts":
        return Bottom("trousers", cloth, u(0.45, 1.15), u(0.06, 0.12), u(0.01, 0.02), u(0.085, 0.12))
    if kind == "cropped":
        return Bottom("trousers", cloth, u(1.3, 1.8), u(0.06, 0.12), u(0.008, 0.016), u(0.055, 0.09))
    widths = {"jeans": (0.05, 0.085), "trousers": (0.055, 0.1), "track": (0.05, 0.09)}[kind]
    return Bottom("trousers", cloth, u(1.93, 2.12), u(0.06, 0.13), u(0.007, 0.016), u(*widths))


def draw_shoes(rng: np.random.Generator, palette: Palette, season: str, female: bool) -> Shoes:
    """Shoes and socks."""
    chances = {"summer": [0.6, 0.12, 0.03, 0.25], "mild": [0.65, 0.22, 0.13, 0.0], "winter": [0.45, 0.2, 0.35, 0.0]}
    kind = str(rng.choice(["sneakers", "shoes", "boots", "sandals"], p=chances[season]))
    white = (0.75, 0.75, 0.72)
    if kind == "sneakers":
        upper = draw_colour(rng, palette) if rng.uniform() < 0.7 else white
        sole = white if rng.uniform() < 0.65 else draw_colour(rng, palette, NEUTRALS)
        sock = (white if rng.uniform() < 0.6 else draw_colour(rng, palette, NEUTRALS), rng.uniform(0.0, 0.12))
        return Shoes(
            kind,
            upper,
            sole,
            draw_accent(rng, palette, upper),
            rng.uniform(0.022, 0.035),
            rng.uniform(-0.02, 0.03),
            sock,
        )
    dark = draw_colour(rng, palette, ("black", "black", "brown", "charcoal", "beige"))
    if kind == "boots":
        return Shoes(kind, dark, (0.02, 0.02, 0.02), dark, 0.03, rng.uniform(0.05, 0.3 if female else 0.12))
    if kind == "sandals":
        return Shoes(
            kind, draw_colour(rng, palette), draw_colour(rng, palette, NEUTRALS), draw_colour(rng, palette), 0.02
        )
    return Shoes(kind, dark, (0.02, 0.02, 0.02), dark, 0.025, -0.01, (draw_colour(rng, palette, NEUTRALS), 0.1))
