"""Pixels: decoding without surprises, and masks whose classes survive resizing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from pipeline.datasets.image_files import read_file, read_size
from pipeline.datasets.image_folder import as_pixels
from pipeline.io.images import decode, read_rgb, resize_image, resize_mask


def saved(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def colour(path: Path) -> list[int]:
    """Of the first pixel; the image is 4 wide and 6 high."""
    found = decode(path)
    assert found is not None and found.shape == (6, 4, 3) and found.dtype == np.uint8
    return found[0, 0].tolist()


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg", "bmp", "gif", "webp", "pgm", "jp2"])
def test_every_format_becomes_rgb(tmp_path: Path, suffix: str) -> None:
    path = saved(tmp_path / f"a.{suffix}", Image.new("L", (4, 6), 90))
    assert np.abs(np.subtract(colour(path), 90)).max() <= 2


def test_what_is_transparent_has_the_colour_that_is_stored(tmp_path: Path) -> None:
    assert colour(saved(tmp_path / "a.png", Image.new("LA", (4, 6), (90, 0)))) == [90, 90, 90]
    assert colour(saved(tmp_path / "b.png", Image.new("RGBA", (4, 6), (10, 20, 30, 0)))) == [10, 20, 30]
    assert colour(saved(tmp_path / "c.png", Image.new("RGB", (4, 6), (1, 2, 3)), transparency=(1, 2, 3))) == [1, 2, 3]
    palette = Image.new("P", (4, 6), 1)
    palette.putpalette([0, 0, 0, 200, 100, 50])
    assert colour(saved(tmp_path / "d.png", palette, transparency=b"\xff\x00")) == [200, 100, 50]
    assert colour(saved(tmp_path / "e.gif", palette, transparency=1)) == [200, 100, 50]


def test_inks_become_light(tmp_path: Path) -> None:
    red, green, blue = colour(saved(tmp_path / "a.jpg", Image.new("CMYK", (4, 6), (0, 255, 255, 0))))
    assert red > 230 and green < 60 and blue < 60


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_are_scaled_and_not_clipped(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    for stored, expected in ((0, 0), (255, 0), (256, 1), (0x5A17, 0x5A), (65535, 255)):
        Image.fromarray(np.full((6, 4), stored, np.uint16)).save(path)
        assert colour(path) == [expected] * 3


def test_16_bits_in_the_other_order_and_in_text(tmp_path: Path) -> None:
    assert colour(saved(tmp_path / "a.tif", Image.fromarray(np.full((6, 4), 0x5A17, ">u2")))) == [0x5A] * 3
    (tmp_path / "b.pgm").write_text("P2 4 6 65535 " + "23063 " * 24)
    assert colour(tmp_path / "b.pgm") == [0x5A] * 3


def test_one_bit_is_black_or_white(tmp_path: Path) -> None:
    assert colour(saved(tmp_path / "a.png", Image.new("1", (4, 6), 1))) == [255, 255, 255]


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
def test_the_first_frame_or_page_counts(tmp_path: Path, suffix: str) -> None:
    frames = [Image.new("RGB", (4, 6), shade) for shade in ((250, 0, 0), (0, 250, 0))]
    path = saved(tmp_path / f"a.{suffix}", frames[0], save_all=True, append_images=frames[1:], lossless=True)
    assert colour(path)[1] <= 5 < 240 <= colour(path)[0]


def test_a_single_pixel(tmp_path: Path) -> None:
    found = decode(saved(tmp_path / "a.png", Image.new("RGB", (1, 1), (1, 2, 3))))
    assert found is not None and found.tolist() == [[[1, 2, 3]]]
    assert (resize_image(found, (384, 128)) == (1, 2, 3)).all()
    assert resize_mask(np.full((1, 1), 5, np.uint8), (384, 128)).sum() == 384 * 128 * 5


def test_what_is_no_whole_image_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 40, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:900])
    assert decode(path) is None
    path.write_bytes(b"")
    assert decode(path) is None
    path.write_text("<html>not found</html>")
    assert decode(path) is None


def test_images_shrink_by_averaging() -> None:
    stripes = np.zeros((8, 64, 3), np.uint8)
    stripes[:, ::2] = 200
    small = resize_image(stripes, (4, 8))
    assert small.shape == (4, 8, 3) and np.abs(small[:, 1:-1].astype(int) - 100).max() <= 8


def test_masks_take_the_class_at_the_centre_of_each_pixel() -> None:
    mask = np.array([[0, 1, 5, 5, 5, 7], [0, 2, 5, 5, 3, 7], [0, 4, 5, 5, 6, 7]], np.uint8)
    assert resize_mask(mask, (1, 2)).tolist() == [[2, 3]]
    assert resize_mask(mask, (3, 6)).tolist() == mask.tolist()
    assert np.array_equal(resize_mask(mask, (6, 12)), mask.repeat(2, axis=0).repeat(2, axis=1))


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("tag", range(1, 9))
def test_a_picture_is_turned_as_its_orientation_tag_says(tmp_path: Path, suffix: str, tag: int) -> None:
    """As Pillow's own function turns it, the size from the header alone too."""
    stored = Image.new("RGB", (40, 24), "white")
    stored.paste((200, 0, 0), (0, 0, 16, 8))
    exif = Image.Exif()
    exif[274] = tag
    path = tmp_path / f"picture.{suffix}"
    stored.save(path, exif=exif)
    wanted = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    found = read_rgb(path.read_bytes())
    assert np.array_equal(found, np.asarray(wanted)) and found.flags.c_contiguous
    assert np.array_equal(as_pixels(Image.open(path)), found)
    assert found.shape[:2] == ((40, 24) if tag >= 5 else (24, 40))
    file = read_file(path)
    assert read_size(path) == (file.width, file.height) == wanted.size


TURNS = {  # tag -> from stored pixels to shown ones
    1: lambda pixels: pixels,
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: np.rot90(pixels),
}
MODES = [
    *[("png", mode) for mode in ("1", "L", "P", "LA", "RGBA", "I;16")],
    *[("tif", mode) for mode in ("1", "L", "P", "CMYK", "RGBA", "I;16")],
    *[("jpg", mode) for mode in ("L", "CMYK")],
    *[("webp", mode) for mode in ("L", "RGBA")],
    ("mpo", "RGB"),
]


@pytest.mark.parametrize(("suffix", "mode"), MODES)
def test_every_kind_of_picture_is_turned(tmp_path: Path, suffix: str, mode: str) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 40, 3), np.uint8))
    stored = Image.fromarray(np.asarray(noise.convert("L")) * np.uint16(257)) if mode == "I;16" else noise.convert(mode)
    options: dict[str, Any] = {"webp": {"lossless": True}, "mpo": {"save_all": True, "append_images": [noise]}}
    path = tmp_path / f"a.{suffix}"
    upright = read_rgb(saved(path, stored, **options.get(suffix, {})).read_bytes())
    for tag, turn in TURNS.items():
        exif = Image.Exif()
        exif[274] = tag
        found = read_rgb(saved(path, stored, exif=exif, **options.get(suffix, {})).read_bytes())
        assert np.array_equal(found, turn(upright)) and found.flags.c_contiguous, tag
        assert read_size(path) == found.shape[1::-1]


@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
def test_the_first_of_several_frames_is_turned(tmp_path: Path, suffix: str) -> None:
    frames = [Image.fromarray(np.random.default_rng(i).integers(0, 255, (24, 40, 3), np.uint8)) for i in range(3)]
    exif = Image.Exif()
    exif[274] = 6
    options: dict[str, Any] = {"save_all": True, "append_images": frames[1:], "exif": exif, "lossless": True}
    path = saved(tmp_path / f"a.{suffix}", frames[0], **options)
    assert np.array_equal(read_rgb(path.read_bytes()), TURNS[6](np.asarray(frames[0])))
    assert read_size(path) == (24, 40)


def test_a_tag_in_xmp_turns_too(tmp_path: Path) -> None:
    """Pictures that were edited keep it there alone."""
    tag = b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>" + tag + b"</x:xmpmeta>"
    path = saved(tmp_path / "a.jpg", Image.new("RGB", (40, 24)))
    content = path.read_bytes()
    path.write_bytes(content[:2] + b"\xff\xe1" + (len(xmp) + 2).to_bytes(2, "big") + xmp + content[2:])
    assert read_rgb(path.read_bytes()).shape == (40, 24, 3) and read_size(path) == (24, 40)


def test_a_damaged_orientation_turns_nothing(tmp_path: Path) -> None:
    for number, exif in enumerate(
        (b"Exif\0\0nonsense", b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x63\0\0\0")
    ):
        path = tmp_path / f"{number}.jpg"
        Image.new("RGB", (40, 24)).save(path, exif=exif)
        assert read_rgb(path.read_bytes()).shape == (24, 40, 3) and read_size(path) == (40, 24)
