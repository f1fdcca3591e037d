"""Cloth textures: colours of clothes, and woven or printed tiles.

Reads and writes nothing. Tiles are made from a seed. Colours are linear RGB in [0, 1]. Tiles are [TILE, TILE, 3]
float32 that repeat every `Fabric.period` metres.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipeline.datasets.synped.elementary import arctan2, power, product
from pipeline.datasets.synped.image_kernels import phases, texels

Colour = tuple[float, float, float]
TILE = 192  # texels per period: 2 mm at a period of 0.4 m, half a pixel of a 384-pixel person

# Name of a family of colours -> its weight, then ranges of lightness, chroma and hue in degrees, OKLCH.
Range = tuple[float, float]
Palette = dict[str, tuple[float, Range, Range, Range]]
# The families that every palette has.
NEUTRALS = ("black", "charcoal", "grey", "white", "navy", "beige", "brown")


@dataclass(frozen=True)
class Fabric:
    """A fabric with its pattern.

    kind: a key of KINDS. colours: at least one, the ground first. period: metres until the tile repeats. seed: of the
    tile's layout. heather: relative spread of brightness between yarns.
    """

    kind: str
    colours: tuple[Colour, ...]
    period: float = 0.3
    seed: int = 0
    heather: float = 0.04


def from_oklch(lightness: float, chroma: float, hue: float) -> Colour:
    """OKLCH (hue in degrees) -> clipped linear sRGB (Ottosson, 2020)."""
    a, b = chroma * np.cos(np.radians(hue)), chroma * np.sin(np.radians(hue))
    cone = np.array(
        [
            lightness + 0.3963377774 * a + 0.2158037573 * b,
            lightness - 0.1055613458 * a - 0.0638541728 * b,
            lightness - 0.0894841775 * a - 1.2914855480 * b,
        ]
    )
    to_rgb = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    red, green, blue = np.clip(product(to_rgb, cone * cone * cone), 0.006, 0.9).tolist()
    return red, green, blue


def draw_colour(rng: np.random.Generator, palette: Palette, names: tuple[str, ...] | None = None) -> Colour:
    """Colour of clothes from the named families, or from any."""
    families = {name: palette[name] for name in names or tuple(palette)}
    weights = np.array([family[0] for family in families.values()])
    _, lightness, chroma, hue = list(families.values())[rng.choice(len(weights), p=weights / weights.sum())]
    return from_oklch(rng.uniform(*lightness), rng.uniform(*chroma), rng.uniform(*hue))


def draw_accent(rng: np.random.Generator, palette: Palette, ground: Colour) -> Colour:
    """A second colour that is clearly different from the ground."""
    for _ in range(20):
        colour = draw_colour(rng, palette)
        if np.abs(np.diff(power(np.array([colour, ground]), 1 / 3), axis=0)).max() > 0.2:
            return colour
    return (0.85, 0.85, 0.85) if sum(ground) < 1.0 else (0.01, 0.01, 0.01)


@lru_cache(maxsize=128)
def tile(fabric: Fabric) -> np.ndarray:
    """One period of a fabric, [TILE, TILE, 3] float32, columns around the body."""
    rng = np.random.default_rng(fabric.seed)
    clipped: np.ndarray = np.clip(KINDS[fabric.kind](rng, np.array(fabric.colours, dtype=np.float32)), 0, 1).astype(
        np.float32
    )
    return clipped


def lookup(image: np.ndarray, across: np.ndarray, down: np.ndarray, period: float) -> np.ndarray:
    """[H, W, C] tile at positions in metres -> [n, C], bilinear, repeating.

    across: [n] float64. down: [n] float32.
    """
    height, width = image.shape[:2]
    place = np.ascontiguousarray(across, np.float64), np.ascontiguousarray(down, np.float32)
    return texels(np.ascontiguousarray(image), *place, width / period, height / period)  # type: ignore[no-any-return]


@lru_cache(maxsize=1024)
def _plane_waves(size: float, seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    directions = (rng.normal(size=(count, 3)) * (2.0 / size)).astype(np.float32)
    return directions, rng.uniform(0, 2 * np.pi, count).astype(np.float32)


def waves(points: np.ndarray, size: float, seed: int, count: int = 5) -> np.ndarray:
    """Smooth field at points [n, 3] -> [n]: mean 0, unit spread, bumps of `size` metres."""
    angles = phases(np.ascontiguousarray(points, np.float32), *_plane_waves(size, seed, count))
    field: np.ndarray = np.sin(angles, out=angles).sum(axis=0) * np.float32(np.sqrt(2 / count))
    return field


def _grid() -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns in [0, 1), each [TILE, TILE]."""
    axis = np.arange(TILE, dtype=np.float32) / TILE
    return np.meshgrid(axis, axis, indexing="ij")


def _plain(rng: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    return np.broadcast_to(colours[0], (TILE, TILE, 3)).copy()


def _bands(rng: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    """[TILE, 3]: a run of bands of random widths; the ground comes back between two accents."""
    count = int(rng.integers(1, 4)) * 2
    widths = rng.dirichlet(np.full(count, rng.uniform(0.8, 6.0)))
    order = [0 if k % 2 == 0 else 1 + int(rng.integers(len(colours) - 1)) for k in range(count)]
    edges = np.round(np.cumsum(widths) * TILE).astype(int)
    bands: np.ndarray = colours[
        np.array(order)[np.minimum(np.searchsorted(edges, np.arange(TILE), side="right"), count - 1)]
    ]
    return bands


def _stripes(rng: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    return np.repeat(_bands(rng, colours)[:, None], TILE, axis=1)


def _upright(rng: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    return np.repeat(_bands(rng, colours)[None], TILE, axis=0)


def _pinstripe(rng: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    _, x = _grid()
    lines = (x * int(rng.integers(6, 14))) % 1 < 0.18
    cloth: np.ndarray = np.where(lines[..., None], 0.6 * colours[1] + 0.4 * colours[0], colours[0])
    return cloth


def _plaid(rng: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    """Two runs of bands woven at right angles: the mean of both, as twill looks from afar."""
    warp, weft = _bands(rng, colours), _bands(rng, colours)
    if rng.uniform() < 0.7:
        weft = warp
    mixed = 0.5 * warp[None] + 0.5 * weft[:, None]
    y, x = _grid()
    lines = ((x + rng.uniform()) % 1 < 0.02) | ((y + rng.uniform()) % 1 < 0.02)
    return np.where(lines[..., None], colours[-1], mixed) if rng.uniform() < 0.5 else mixed


def _gingham(rng: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    y, x = _grid()
    count = int(rng.integers(3, 9))
    level = ((x * count) % 1 < 0.5).astype(np.float32) + ((y * count) % 1 < 0.5)
    cloth: np.ndarray = colours[0] + (colours[1] - colours[0]) * (level / 2)[..., None]
    return cloth


def _dots(rng: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    y, x = _grid()
    count, radius = int(rng.integers(3, 9)), rng.uniform(0.15, 0.36)
    row = np.floor(y * count * 2)
    inside = np.hypot((x * count + 0.5 * (row % 2)) % 1 - 0.5, ((y * count * 2) % 1 - 0.5) / 2 * 1.6) < radius
    cloth: np.ndarray = np.where(inside[..., None], colours[1], colours[0])
    return cloth


def _stamp(image: np.ndarray, shape: np.ndarray, colour: np.ndarray, row: int, column: int) -> None:
    """Paint a mask on the tile in place, going round its edges."""
    rows = (np.arange(shape.shape[0]) + row) % TILE
    columns = (np.arange(shape.shape[1]) + column) % TILE
    patch = image[np.ix_(rows, columns)]
    image[np.ix_(rows, columns)] = np.where(shape[..., None], colour, patch)


def _flowers(rng: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    """Petalled blots of several sizes, dense or sparse."""
    image = _plain(rng, colours)
    largest = rng.uniform(8, 40)
    for _ in range(int(rng.uniform(0.4, 1.6) * TILE**2 / largest**2 / 2)):
        radius = largest * rng.uniform(0.4, 1.0)
        side = int(2 * radius) + 1
        y, x = np.mgrid[0:side, 0:side] - radius
        angle = arctan2(y, x) + rng.uniform(0, 6.28)
        outline = radius * (0.65 + 0.35 * np.cos(int(rng.integers(3, 7)) * angle))
        place = rng.integers(TILE, size=2)
        _stamp(image, np.hypot(x, y) < outline, colours[1 + rng.integers(len(colours) - 1)], place[0], place[1])
        if rng.uniform() < 0.5:
            _stamp(image, np.hypot(x, y) < 0.3 * radius, colours[rng.integers(len(colours))], place[0], place[1])
    return image


def _fourier(rng: np.random.Generator, finest: int) -> np.ndarray:
    """Periodic smooth noise [TILE, TILE] with unit spread and up to `finest` waves per tile."""
    y, x = _grid()
    field = np.zeros((TILE, TILE), dtype=np.float32)
    for _ in range(14):
        fx, fy = rng.integers(-finest, finest + 1, size=2)
        field += np.sin(2 * np.pi * (fx * x + fy * y) + rng.uniform(0, 6.28)).astype(np.float32)
    return field / max(float(field.std()), 1e-3)


def _camouflage(rng: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    image = _plain(rng, colours)
    finest = int(rng.integers(3, 12))
    for colour in colours[1:]:
        image[_fourier(rng, finest) > rng.uniform(0.3, 1.0)] = colour
    return image


def _marble(rng: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    """A smooth walk through the colours: tie-dye, watercolour and the all-over prints that have no name."""
    finest = int(rng.integers(2, 10))
    field = _fourier(rng, finest) + 0.6 * _fourier(rng, 2 * finest)
    place = (np.tanh(field) * 0.5 + 0.5) * (len(colours) - 1)
    channels = [np.interp(place, np.arange(len(colours)), colours[:, k]) for k in range(3)]
    return np.stack(channels, axis=-1)


def _zigzag(rng: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    y, x = _grid()
    count, steep = int(rng.integers(3, 9)), int(rng.integers(2, 8))
    wave = np.abs((x * steep) % 1 - 0.5) * rng.uniform(0.3, 1.5)
    cloth: np.ndarray = colours[(np.floor((y * count + wave) * len(colours)).astype(int)) % len(colours)]
    return cloth


def _diamonds(rng: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    y, x = _grid()
    count = int(rng.integers(2, 7))
    cell = np.floor((x + y) * count) + 2 * np.floor((x - y) * count)
    cloth: np.ndarray = colours[cell.astype(int) % len(colours)]
    return cloth


def _speckle(rng: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    """Melange yarn: coarse random mixture of the colours."""
    side = TILE // int(rng.choice([1, 2, 3]))
    coarse = colours[rng.choice(len(colours), size=(side, side), p=_falling(len(colours)))]
    return np.repeat(np.repeat(coarse, TILE // side, axis=0), TILE // side, axis=1)


def _falling(count: int) -> np.ndarray:
    shares = 1.0 / np.arange(1, count + 1)
    normalised: np.ndarray = shares / shares.sum()
    return normalised


def _cable(rng: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    """Knitwear: upright ribs with a soft shadow between them."""
    y, x = _grid()
    ribs = 0.5 + 0.5 * np.cos(2 * np.pi * (int(rng.integers(8, 20)) * x + 0.15 * np.sin(2 * np.pi * 6 * y)))
    cloth: np.ndarray = colours[0] * (0.72 + 0.28 * ribs)[..., None]
    return cloth


def _quilted(rng: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    """Down jacket: puffed bands, dark at the stitches."""
    y, _ = _grid()
    puff = np.abs(np.sin(np.pi * y * int(rng.integers(3, 7))))
    cloth: np.ndarray = colours[0] * (0.55 + 0.5 * np.sqrt(puff))[..., None]
    return cloth


def _denim(rng: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    y, x = _grid()
    twill = 0.94 + 0.06 * np.cos(2 * np.pi * 60 * (x + y))
    cloth: np.ndarray = colours[0] * (twill * (1 + 0.03 * _fourier(rng, 24)))[..., None]
    return cloth


KINDS = {
    "plain": _plain,
    "stripes": _stripes,
    "upright": _upright,
    "pinstripe": _pinstripe,
    "plaid": _plaid,
    "gingham": _gingham,
    "dots": _dots,
    "flowers": _flowers,
    "camouflage": _camouflage,
    "marble": _marble,
    "zigzag": _zigzag,
    "diamonds": _diamonds,
    "speckle": _speckle,
    "cable": _cable,
    "quilted": _quilted,
    "denim": _denim,
}
