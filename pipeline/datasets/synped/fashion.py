"""Fashion of one place, as tables of probabilities.

Colours, patterns, prints and weather. Reads and writes nothing. Two places differ in shares and ranges. They agree on
the names of garments and of neutral colours, which are cut and combined in the same way everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.datasets.synped.texture import NEUTRALS, Palette

Chances = dict[str, float]


@dataclass(frozen=True)
class Fashion:
    """Probabilities of colours, patterns, prints and clothes.

    palette: families of colours, the NEUTRALS among them. jeans: probabilities of blue, dark, black and light denim.
    bottoms, outer: families that most trousers, and most coats and jackets, take, with their share. patterns: garment
    -> pattern -> probability; the remainder to 1 is plain. printed: garment -> probability of a print. weather:
    probabilities of summer, mild and winter clothes.
    """

    palette: Palette
    jeans: tuple[float, float, float, float]
    bottoms: tuple[tuple[str, ...], float]
    outer: tuple[tuple[str, ...], float]
    patterns: dict[str, Chances]
    printed: Chances
    weather: tuple[float, float, float]


# A campus in summer. Weights follow street clothes: mostly dark, white, grey, blue and earth colours, with a tail of
# everything else.
HOME = Fashion(
    palette={
        "black": (0.19, (0.2, 0.29), (0.0, 0.02), (0, 360)),
        "charcoal": (0.09, (0.3, 0.43), (0.0, 0.02), (0, 360)),
        "grey": (0.11, (0.45, 0.75), (0.0, 0.015), (0, 360)),
        "white": (0.13, (0.86, 0.96), (0.0, 0.02), (40, 300)),
        "navy": (0.10, (0.22, 0.34), (0.03, 0.09), (255, 280)),
        "blue": (0.07, (0.35, 0.7), (0.05, 0.16), (225, 270)),
        "beige": (0.07, (0.6, 0.86), (0.02, 0.07), (60, 95)),
        "brown": (0.05, (0.25, 0.5), (0.03, 0.09), (35, 75)),
        "olive": (0.03, (0.3, 0.55), (0.03, 0.08), (95, 130)),
        "wine": (0.03, (0.25, 0.42), (0.07, 0.14), (5, 30)),
        "pastel": (0.05, (0.72, 0.9), (0.03, 0.09), (0, 360)),
        "saturated": (0.08, (0.45, 0.75), (0.12, 0.23), (0, 360)),
    },
    jeans=(0.4, 0.3, 0.2, 0.1),
    bottoms=(NEUTRALS, 0.88),
    outer=(("black", "charcoal", "navy", "beige", "brown", "olive", "grey"), 0.7),
    patterns={
        "tshirt": {
            "stripes": 0.16,
            "speckle": 0.1,
            "marble": 0.05,
            "camouflage": 0.02,
            "flowers": 0.03,
            "zigzag": 0.02,
        },
        "polo": {"stripes": 0.35, "speckle": 0.1, "diamonds": 0.03},
        "shirt": {"plaid": 0.3, "gingham": 0.1, "upright": 0.1, "pinstripe": 0.12, "flowers": 0.05, "dots": 0.03},
        "overshirt": {"plaid": 0.45, "denim": 0.15, "pinstripe": 0.05, "speckle": 0.05},
        "blouse": {
            "flowers": 0.25,
            "dots": 0.15,
            "stripes": 0.12,
            "marble": 0.12,
            "zigzag": 0.05,
            "diamonds": 0.05,
        },
        "tank": {"stripes": 0.15, "flowers": 0.1, "speckle": 0.1, "marble": 0.08},
        "longsleeve": {"stripes": 0.28, "speckle": 0.15, "marble": 0.05},
        "sweater": {"cable": 0.3, "stripes": 0.22, "speckle": 0.15, "diamonds": 0.06, "zigzag": 0.06},
        "hoodie": {"speckle": 0.2, "camouflage": 0.04, "marble": 0.03, "stripes": 0.04},
        "cardigan": {"cable": 0.3, "speckle": 0.2, "stripes": 0.1, "zigzag": 0.05},
        "jacket": {"denim": 0.25, "speckle": 0.1, "plaid": 0.1, "camouflage": 0.05, "pinstripe": 0.05},
        "zipped": {"speckle": 0.12, "camouflage": 0.03},
        "down": {"quilted": 0.75, "camouflage": 0.03},
        "parka": {"camouflage": 0.06, "speckle": 0.08},
        "coat": {"speckle": 0.2, "plaid": 0.12, "zigzag": 0.03},
        "dress": {
            "flowers": 0.28,
            "dots": 0.1,
            "stripes": 0.12,
            "marble": 0.15,
            "zigzag": 0.05,
            "plaid": 0.05,
            "diamonds": 0.03,
        },
        "jeans": {"denim": 1.0},
        "trousers": {"speckle": 0.08, "plaid": 0.03, "pinstripe": 0.05, "camouflage": 0.03},
        "track": {"speckle": 0.1, "camouflage": 0.02},
        "shorts": {"denim": 0.25, "plaid": 0.1, "camouflage": 0.05, "flowers": 0.05, "speckle": 0.08},
        "cropped": {"denim": 0.2, "speckle": 0.1, "camouflage": 0.03},
        "leggings": {"marble": 0.08, "speckle": 0.08, "zigzag": 0.03},
        "skirt": {"denim": 0.12, "flowers": 0.2, "plaid": 0.12, "dots": 0.08, "stripes": 0.08, "marble": 0.08},
        "briefs": {},
    },
    printed={
        "tshirt": 0.5,
        "hoodie": 0.35,
        "longsleeve": 0.2,
        "tank": 0.25,
        "sweater": 0.08,
        "polo": 0.12,
        "zipped": 0.2,
    },
    weather=(0.5, 0.3, 0.2),
)

# A town in autumn: more layers, wool and earth colours, cream instead of white, fewer prints; dark and light all the
# same, as everywhere.
ABROAD = Fashion(
    palette={
        "black": (0.16, (0.18, 0.28), (0.0, 0.015), (0, 360)),
        "charcoal": (0.11, (0.3, 0.44), (0.005, 0.025), (230, 290)),
        "grey": (0.10, (0.5, 0.8), (0.004, 0.02), (50, 110)),
        "white": (0.12, (0.85, 0.95), (0.005, 0.03), (70, 105)),
        "navy": (0.09, (0.2, 0.33), (0.03, 0.07), (240, 285)),
        "beige": (0.08, (0.55, 0.82), (0.03, 0.09), (55, 85)),
        "brown": (0.08, (0.24, 0.45), (0.03, 0.08), (35, 65)),
        "steel": (0.05, (0.45, 0.72), (0.03, 0.07), (215, 255)),
        "bottle": (0.05, (0.28, 0.5), (0.04, 0.1), (140, 175)),
        "teal": (0.03, (0.35, 0.6), (0.05, 0.1), (180, 215)),
        "rust": (0.03, (0.4, 0.6), (0.09, 0.15), (35, 55)),
        "mustard": (0.03, (0.6, 0.8), (0.09, 0.15), (75, 98)),
        "plum": (0.04, (0.25, 0.45), (0.05, 0.12), (320, 360)),
        "powder": (0.04, (0.68, 0.88), (0.03, 0.08), (0, 40)),
        "saturated": (0.05, (0.45, 0.72), (0.14, 0.22), (0, 360)),
    },
    jeans=(0.22, 0.35, 0.33, 0.1),
    bottoms=((*NEUTRALS, "steel", "bottle"), 0.85),
    outer=(("black", "charcoal", "navy", "beige", "brown", "bottle", "rust", "steel"), 0.7),
    patterns={
        "tshirt": {"stripes": 0.22, "dots": 0.04, "diamonds": 0.03, "upright": 0.04, "speckle": 0.05},
        "polo": {"stripes": 0.2, "zigzag": 0.08, "upright": 0.05},
        "shirt": {"upright": 0.25, "gingham": 0.2, "plaid": 0.12, "dots": 0.06, "diamonds": 0.03},
        "overshirt": {"plaid": 0.25, "gingham": 0.15, "upright": 0.1, "denim": 0.1},
        "blouse": {"upright": 0.2, "dots": 0.2, "flowers": 0.1, "diamonds": 0.1, "gingham": 0.1},
        "tank": {"stripes": 0.2, "dots": 0.1},
        "longsleeve": {"stripes": 0.3, "upright": 0.05, "diamonds": 0.05},
        "sweater": {"cable": 0.35, "zigzag": 0.15, "diamonds": 0.14, "stripes": 0.12},
        "hoodie": {"speckle": 0.1, "stripes": 0.08},
        "cardigan": {"cable": 0.3, "diamonds": 0.15, "zigzag": 0.15},
        "jacket": {"plaid": 0.2, "denim": 0.1, "zigzag": 0.1, "upright": 0.05},
        "zipped": {"stripes": 0.1},
        "down": {"quilted": 0.6},
        "parka": {"plaid": 0.05},
        "coat": {"plaid": 0.25, "zigzag": 0.12, "gingham": 0.06, "speckle": 0.1},
        "dress": {"upright": 0.15, "dots": 0.18, "plaid": 0.15, "diamonds": 0.1, "flowers": 0.1},
        "jeans": {"denim": 1.0},
        "trousers": {"plaid": 0.1, "pinstripe": 0.1, "zigzag": 0.05},
        "track": {"upright": 0.05},
        "shorts": {"denim": 0.2, "gingham": 0.1, "plaid": 0.1, "stripes": 0.05},
        "cropped": {"plaid": 0.12, "denim": 0.1},
        "leggings": {"diamonds": 0.08, "stripes": 0.06},
        "skirt": {"plaid": 0.3, "zigzag": 0.1, "dots": 0.08, "upright": 0.05},
        "briefs": {},
    },
    printed={"tshirt": 0.3, "hoodie": 0.3, "longsleeve": 0.1, "tank": 0.15, "sweater": 0.05, "zipped": 0.15},
    weather=(0.22, 0.42, 0.36),
)
