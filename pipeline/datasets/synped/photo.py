"""From light to a photograph: exposure, lens, sensor.

Linear radiance -> 8-bit RGB; reads and writes nothing. The response of a camera is mild on purpose: hard colour casts
taught a network to ignore colour, which is the main difference between people.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from pipeline.datasets.synped.elementary import exp, product
from pipeline.datasets.synped.image_kernels import convolved
from pipeline.datasets.synped.style import Optics

SMALLEST = 84  # rows below which a picture is not degraded further
DARKEST = np.float32(1e-12)  # linear light that is black in any display


@dataclass(frozen=True)
class Response:
    """What one camera does to every picture.

    Gains are relative; blur in pixels; noise in [0, 1] display units. exposure: stops. balance: [3] gains of red,
    green, blue. black: veiling light added. quality: JPEG. resample: share of the native resolution that the sensor or
    codec really resolves, (low, high).
    """

    exposure: float
    balance: tuple[float, float, float]
    gamma: float
    contrast: float
    saturation: float
    black: float
    vignette: float
    blur: float
    noise: float
    sharpen: float
    resample: tuple[float, float]
    quality: int


def draw_response(rng: np.random.Generator, optics: Optics) -> Response:
    warm, green = rng.normal(*optics.warmth), rng.normal(*optics.green)
    low = float(rng.uniform(*optics.resolved))
    return Response(
        exposure=float(rng.normal(*optics.exposure)),
        balance=(float(1 + warm), float(1 + green), float(1 - warm)),
        gamma=float(rng.uniform(*optics.gamma)),
        contrast=float(rng.uniform(*optics.contrast)),
        saturation=float(rng.uniform(*optics.saturation)),
        black=float(rng.uniform(*optics.black)),
        vignette=float(rng.uniform(*optics.vignette)),
        blur=float(rng.uniform(*optics.blur)),
        noise=float(rng.uniform(*optics.noise)),
        sharpen=float(rng.uniform(*optics.sharpen)),
        resample=(low, 1.0),
        quality=int(rng.integers(optics.quality[0], optics.quality[1] + 1)),
    )


def develop(
    radiance: np.ndarray, level: float, far: np.ndarray, response: Response, rng: np.random.Generator
) -> np.ndarray:
    """A photograph, uint8 [h, w, 3] RGB.

    radiance: linear [h, w, 3]. level: mean irradiance of the scene, for the exposure meter. far: bool [h, w], what lies
    well behind the person and may be out of focus.
    """
    stops = response.exposure + rng.normal(0, 0.18)
    image = radiance * np.float32(math.pow(2.0, stops) / math.pow(max(level, 1e-3), 0.9))
    image = _out_of_focus(np.minimum(image, 3), far, float(rng.choice([0, 0.6, 1.2, 2.2], p=[0.4, 0.35, 0.2, 0.05])))
    image = blur(image, response.blur * rng.uniform(0.7, 1.4))
    if rng.random() < 0.08:
        image = _motion(image, rng)
    image *= _vignette(image.shape, response.vignette, rng)
    image *= np.asarray(response.balance, np.float32) * rng.normal(1, 0.01, 3).astype(np.float32)
    image = _display(image, response, rng)
    image = _noisy(image, response.noise * float(rng.uniform(0.6, 1.6)), rng)
    strength = response.sharpen * float(rng.uniform(0.4, 1.3))
    if strength > 0.1:
        image = image + strength * (image - blur(image, 0.9))
    result = (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
    return _resampled(result, float(rng.uniform(*response.resample)))


def _display(image: np.ndarray, response: Response, rng: np.random.Generator) -> np.ndarray:
    """Linear light -> display values: shoulder, gamma, veiling light, contrast, saturation."""
    image = np.where(image > 0.6, 0.6 + 0.4 * np.tanh((image - 0.6) / 0.5), np.maximum(image, 0))
    # Not `**`: numpy's powers of float32 differ where there is AVX-512, its exponentials and logarithms do not.
    image = np.exp(np.float32(1 / 2.2 * response.gamma * rng.normal(1, 0.03)) * np.log(np.maximum(image, DARKEST)))
    veil = response.black * float(rng.uniform(0.3, 1.7))
    image = veil + (1 - veil) * image
    image = 0.45 + (image - 0.45) * np.float32(response.contrast * rng.normal(1, 0.04))
    grey = product(image, np.array([0.3, 0.59, 0.11], np.float32))[..., None]
    image = grey + (image - grey) * np.float32(response.saturation * rng.normal(1, 0.06))
    return image


def _noisy(image: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    """Fine grain in brightness, coarse in colour, stronger in the dark."""
    height, width = image.shape[:2]
    grain = rng.standard_normal((height, width, 1), dtype=np.float32)
    chroma = blur(rng.standard_normal((height, width, 3), dtype=np.float32), 1.0) * 1.6
    dark = 1.3 - 0.8 * np.clip(image.mean(axis=2, keepdims=True), 0, 1)
    noisy: np.ndarray = image + np.float32(amount) * dark * (grain + chroma)
    return noisy


def _out_of_focus(image: np.ndarray, far: np.ndarray, sigma: float) -> np.ndarray:
    if sigma == 0 or not far.any():
        return image
    weight = far[..., None].astype(np.float32)
    soft = blur(image * weight, sigma) / np.maximum(blur(weight, sigma), 1e-3)
    return np.where(far[..., None], soft, image)


def _motion(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blurred along one direction by up to three pixels."""
    angle, length = rng.uniform(-0.5, 0.5), rng.uniform(1, 3)
    steps = np.linspace(-0.5, 0.5, 5) * length
    shifted = [np.roll(image, (round(s * np.sin(angle)), round(s * np.cos(angle))), (0, 1)) for s in steps]
    blurred: np.ndarray = np.stack(shifted).mean(axis=0)
    return blurred


def _vignette(shape: tuple[int, ...], strength: float, rng: np.random.Generator) -> np.ndarray:
    """The crop is a small part of the frame: all that is left of vignetting is a slope."""
    slope = rng.uniform(-1, 1, 2) * strength
    rows, columns = np.linspace(-0.5, 0.5, shape[0]), np.linspace(-0.5, 0.5, shape[1])
    factors: np.ndarray = (1 + slope[0] * rows[:, None, None] + slope[1] * columns[None, :, None]).astype(np.float32)
    return factors


def _resampled(image: np.ndarray, share: float) -> np.ndarray:
    """Scaled down to `share` of its size and up again."""
    height, width = image.shape[:2]
    share = max(share, SMALLEST / height)
    if share > 0.97:
        return image
    picture = Image.fromarray(image)
    small = picture.resize((max(8, round(width * share)), max(8, round(height * share))), Image.Resampling.BOX)
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of [h, w, c] float32, sigma in pixels, edges repeated."""
    reach = max(1, int(np.ceil(2.5 * sigma)))
    kernel = exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-3)) ** 2)
    kernel = (kernel / kernel.sum()).astype(np.float32)
    return convolved(np.ascontiguousarray(image, np.float32), kernel)  # type: ignore[no-any-return]
