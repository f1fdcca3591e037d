"""Materials of the world: ground, walls, foliage, paint.

Texture coordinates -> linear RGB. Reads and writes nothing. Colours are given as sRGB triples in [0, 255], as one reads
them off a photograph, and turned into linear light once. Places are mostly grey, brown and green: saturated
surroundings taught a network to ignore colour.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.datasets.synped.elementary import power
from pipeline.datasets.synped.mesh import Surface
from pipeline.datasets.synped.noise import fractal, white

Colour = tuple[float, float, float]
Ground = Callable[[np.ndarray, np.ndarray], np.ndarray]  # x, y in metres -> linear RGB [n, 3]


def linear(colour: Colour) -> np.ndarray:
    """sRGB [0, 255] -> linear [3] float32."""
    value = np.asarray(colour, dtype=np.float64) / 255
    return np.where(value <= 0.04045, value / 12.92, power((value + 0.055) / 1.055, 2.4)).astype(np.float32)


def vary(colour: Colour, rng: np.random.Generator, amount: float = 0.12) -> Colour:
    """The colour, brighter or darker and with a slightly different hue.

    amount: relative deviation.
    """
    common = rng.normal(1, amount)
    each = rng.normal(1, amount / 9, 3)
    return tuple(float(np.clip(c * common * e, 4, 248)) for c, e in zip(colour, each, strict=True))  # type: ignore[return-value]


def _shaded(base: np.ndarray, factor: np.ndarray) -> np.ndarray:
    colours: np.ndarray = np.clip(base * np.maximum(factor, 0.05)[:, None], 0, 0.95).astype(np.float32)
    return colours


def _wall(texture: Ground) -> Callable[[np.ndarray], np.ndarray]:
    """A texture over (along the wall, height): x + y is the way along any axis-parallel wall."""
    return lambda p: texture(p[:, 0] + p[:, 1], p[:, 2])


def _floor(texture: Ground) -> Callable[[np.ndarray], np.ndarray]:
    return lambda p: texture(p[:, 0], p[:, 1])


def paint(colour: Colour, gloss: float = 0.0, wear: float = 0.06) -> Surface:
    """One colour with faint clouds of dirt."""
    base = linear(colour)
    return Surface(
        lambda p: _shaded(base, 1 + 0.6 * wear * fractal(p[:, 0] + p[:, 1], p[:, 2] + 0.3 * p[:, 1], 0.7)), gloss=gloss
    )


def bark(colour: Colour) -> Surface:
    base = linear(colour)
    return Surface(
        lambda p: _shaded(base, 1 + 0.35 * fractal(4 * (p[:, 0] + p[:, 1]), p[:, 2], 0.5)), bump=0.5, bump_scale=0.04
    )


def wood(colour: Colour, gloss: float = 0.05) -> Surface:
    """Grain along x + y, planks 12 cm wide upwards."""
    base = linear(colour)

    def albedo(p: np.ndarray) -> np.ndarray:
        along, across = p[:, 0] + p[:, 1], p[:, 2]
        plank = np.floor(across / 0.12)
        grain = fractal(along * 0.15, across, 0.05, 0.3)
        return _shaded(base, 1 + 0.12 * grain + 0.16 * (white(plank, plank) - 0.5))

    return Surface(albedo, gloss=gloss)


def leaf(colour: Colour, spread: float = 0.3) -> Surface:
    """Leaves: coordinates are one random triple per leaf (solids.leaves)."""
    base = linear(colour)
    yellow = base * np.array([1.5, 1.12, 0.7], dtype=np.float32)

    def albedo(p: np.ndarray) -> np.ndarray:
        mix = p[:, 1:2] ** 2
        colours: np.ndarray = np.clip(
            (base * (1 - mix) + yellow * mix) * (1 - spread + 2 * spread * p[:, :1]), 0, 0.9
        ).astype(np.float32)
        return colours

    return Surface(albedo, gloss=0.04)


def bricks(colour: Colour, mortar: Colour, length: float = 0.24, height: float = 0.075) -> Ground:
    """Running bond, each brick of its own shade."""
    base, joint = linear(colour), linear(mortar)

    def texture(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        row = np.floor(y / height)
        shifted = x / length + 0.5 * (row % 2)
        column = np.floor(shifted)
        in_x, in_y = shifted - column, y / height - row
        is_joint = (in_x < 0.05) | (in_y < 0.14)
        shade = 0.78 + 0.44 * white(column, row) + 0.08 * fractal(x, y, 1.5)
        return np.where(is_joint[:, None], joint, _shaded(base, shade))

    return texture


def tiles(colour: Colour, joint: Colour, size: float, contrast: float = 0.08, width: float = 0.012) -> Ground:
    """Square tiles or slabs, stained, each of its own shade.

    `width`: of the joint, metres.
    """
    base, dark = linear(colour), linear(joint)

    def texture(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        column, row = np.floor(x / size), np.floor(y / size)
        is_joint = (x - column * size < width) | (y - row * size < width)
        shade = (
            1 + contrast * (2 * white(column, row) - 1) + 0.06 * fractal(x, y, 2.0) + 0.025 * fractal(x, y, 0.15, 0.4)
        )
        return np.where(is_joint[:, None], dark, _shaded(base, shade))

    return texture


def herringbone(colour: Colour, second: Colour, size: float = 0.2) -> Ground:
    """Pavers in two shades with alternating directions.

    This is close enough to a herringbone bond at these resolutions.
    """
    first, other = linear(colour), linear(second)

    def texture(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        a, b = (x + y) * 0.7071 / size, (x - y) * 0.7071 / size
        turned = (np.floor(a) + np.floor(b)) % 2 == 0
        column = np.where(turned, np.floor(a / 2), np.floor(a))
        row = np.where(turned, np.floor(b), np.floor(b / 2))
        edge = np.minimum(a - np.floor(a), b - np.floor(b)) < 0.07
        mix = (white(column, row, 1) > 0.55)[:, None]
        shade = (0.82 + 0.3 * white(column, row)) * (1 + 0.1 * fractal(x, y, 2.0)) * np.where(edge, 0.62, 1.0)
        return _shaded(np.where(mix, other, first), shade.astype(np.float32))

    return texture


def asphalt(colour: Colour) -> Ground:
    base = linear(colour)

    def texture(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        grain = white(np.floor(x * 90), np.floor(y * 90)) - 0.5
        crack = np.abs(fractal(x, y, 3.0, 0.7)) < 0.015
        shade = 1 + 0.09 * fractal(x, y, 5.0) + 0.35 * grain - 0.35 * crack
        return _shaded(base, shade)

    return texture


def dirt(colour: Colour) -> Ground:
    base = linear(colour)
    return lambda x, y: _shaded(
        base,
        1
        + 0.14 * fractal(x, y, 3.0)
        + 0.1 * fractal(x, y, 0.7, 0.2)
        + 0.2 * (white(np.floor(x * 60), np.floor(y * 60)) - 0.5),
    )


def grass(colour: Colour, dry: Colour, lushness: float = 0.0) -> Ground:
    """Grass: blades as fine streaks, clumps, dry or bare spots.

    lushness: shifts how much of it is green.
    """
    green, brown = linear(colour), linear(dry)

    def texture(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        blades = white(np.floor(x * 70), np.floor(y * 28)) - 0.5
        clumps = fractal(x, y, 0.35, 0.1)
        patch = np.clip(0.25 - lushness + 0.35 * fractal(x, y, 3.0, 0.6) + 0.12 * clumps, 0, 1)[:, None]
        return _shaded(green * (1 - patch) + brown * patch, 1 + 1.0 * blades + 0.28 * clumps)

    return texture


def plaster(colour: Colour, dirt_amount: float = 0.08) -> Ground:
    base = linear(colour)
    return lambda x, y: _shaded(
        base,
        1 + 0.5 * dirt_amount * fractal(0.3 * x, y, 4.0) - 0.25 * dirt_amount * np.exp(-y * 4),
    )


def windows(
    wall: Ground, pitch: tuple[float, float], opening: tuple[float, float], frame: Colour, glass: Colour
) -> Ground:
    """A facade: a grid of windows in a wall.

    Pitch and opening are in metres, the sill is 0.9 m high, and the panes differ in darkness.
    """
    frame_colour, glass_colour = linear(frame), linear(glass)

    def texture(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        column, row = np.floor(x / pitch[0]), np.floor(y / pitch[1])
        in_x, in_y = x - column * pitch[0], y - row * pitch[1] - 0.9
        inside = (in_x < opening[0]) & (in_y > 0) & (in_y < opening[1])
        bar = (np.abs(in_x - opening[0] / 2) < 0.04) | (in_x < 0.06) | (in_x > opening[0] - 0.06) | (in_y < 0.06)
        pane = (0.35 + 0.9 * white(column, row)) * (0.6 + 0.6 * np.clip(in_y / opening[1], 0, 1))
        seen = np.where(bar[:, None], frame_colour, glass_colour * pane[:, None])
        return np.where(inside[:, None], seen, wall(x, y)).astype(np.float32)

    return texture


def clutter(colours: list[Colour], size: tuple[float, float], ground: Colour, fill: float = 0.7) -> Ground:
    """Books on shelves or posters on a board.

    Cells (size in metres) are empty or filled with rectangles of `colours`.
    """
    palette = np.stack([linear(colour) for colour in colours])
    empty = linear(ground)

    def texture(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        column, row = np.floor(x / size[0]), np.floor(y / size[1])
        pick = (white(column, row) * len(palette)).astype(np.int32) % len(palette)
        height = 0.6 + 0.4 * white(column, row, 2)
        used = (white(column, row, 1) < fill) & (y / size[1] - row < height) & (y / size[1] - row > 0.06)
        used &= x / size[0] - column > 0.06
        return np.where(used[:, None], palette[pick] * (0.8 + 0.3 * white(column, row, 3))[:, None], empty).astype(
            np.float32
        )

    return texture


def beside(first: Ground, second: Ground, inside: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Ground:
    """`first` where `inside(x, y)` holds, `second` elsewhere.

    For example a path through grass, or a road beside a pavement.
    """

    def texture(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        mask = inside(x, y)
        result = np.empty((len(x), 3), dtype=np.float32)
        result[mask] = first(x[mask], y[mask])
        result[~mask] = second(x[~mask], y[~mask])
        return result

    return texture


def wall_surface(texture: Ground, bump: float = 0.0, gloss: float = 0.0) -> Surface:
    return Surface(_wall(texture), bump=bump, bump_scale=0.08, gloss=gloss)


def floor_surface(texture: Ground, bump: float = 0.0, gloss: float = 0.0) -> Surface:
    return Surface(_floor(texture), bump=bump, bump_scale=0.06, gloss=gloss)
