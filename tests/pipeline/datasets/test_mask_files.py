"""Files of label maps: what Pillow and numpy change on the way, and what is refused by its kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.datasets.mask_files import read_label_map
from pipeline.errors import UserError

IDS = np.random.default_rng(0).integers(0, 20, (6, 4), np.uint8)


def refused(path: Path, message: str) -> None:
    with pytest.raises(UserError, match=f"mask {path} {message}"):
        read_label_map(path)


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "RGBA", "LA", "I;16"])
@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"compress_level": 0}], ids=str)
def test_pictures_of_ids(tmp_path: Path, mode: str, options: dict[str, Any]) -> None:
    """Three equal channels and one transparency everywhere leave one way to read them."""
    ids = Image.fromarray(IDS)
    if mode == "P":
        ids = Image.fromarray(IDS, mode="P")
        ids.putpalette(np.random.default_rng(1).integers(0, 255, 768, np.uint8).tobytes())  # colours mean nothing
    picture = Image.fromarray(IDS.astype(np.uint16)) if mode == "I;16" else ids if mode == "P" else ids.convert(mode)
    picture.save(tmp_path / "a.png", **options)
    assert np.array_equal(read_label_map(tmp_path / "a.png"), IDS)


def test_ids_in_one_channel_of_a_colour_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    alpha = np.where(IDS > 0, 255, 0)
    for channels in ((IDS, IDS * 0, IDS * 7), (IDS, IDS * 0, IDS * 7, alpha), (IDS, alpha)):
        Image.fromarray(np.stack(channels, axis=2).astype(np.uint8)).save(path)
        refused(path, r"is no label map but uint8 of shape \(6, 4, \d\): its channels differ")
        assert np.array_equal(read_label_map(path, "red"), IDS)


@pytest.mark.parametrize("colour", [2, 4, 6])
def test_16_bits_in_several_channels_would_be_cut_to_nothing(tmp_path: Path, make_png: Any, colour: int) -> None:
    channels = {2: 3, 4: 2, 6: 4}[colour]
    path = make_png(tmp_path / "a.png", (4, 1), [b"\0\x05" * channels * 4], bits=16, colour=colour)
    refused(path, "has several channels of 16 bits each")


@pytest.mark.parametrize("name", ["a.png", "a.PNG"])
def test_a_jpeg_is_named(tmp_path: Path, name: str) -> None:
    Image.fromarray(IDS).save(tmp_path / name, "JPEG")
    refused(tmp_path / name, "is a JPEG file, which changes class ids when it is saved. Save the ids as PNG or .npy")


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "WEBP"])
def test_pictures_of_other_kinds_are_named(tmp_path: Path, kind: str) -> None:
    Image.fromarray(IDS).save(tmp_path / "a.png", kind)
    refused(tmp_path / "a.png", f"cannot be read: it is no PNG file but {kind}")


def test_the_one_array_of_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    for save in (np.savez, np.savez_compressed):
        save(path, seg=IDS.astype(np.int64))
        assert np.array_equal(read_label_map(path), IDS)
    np.savez(path, seg=IDS, score=IDS * 0.1)
    refused(path, r"holds 2 arrays \(seg, score\), and only one can be meant")
    np.savez(path, seg=np.full((6, 4), {}, object))
    refused(path, "cannot be read: it is no archive of arrays: Object arrays")
    np.savez(path, seg=IDS)
    path.write_bytes(path.read_bytes()[:60])
    refused(path, "cannot be read: it is no archive of arrays: File is not a zip file")
    path.write_bytes(b"")
    refused(path, "cannot be read: it is empty")


def test_an_array_in_any_order_of_bytes_and_axes(tmp_path: Path) -> None:
    for kind in ("<i8", ">i2", "<f4"):
        np.save(tmp_path / "a.npy", np.asfortranarray(IDS.astype(kind)))
        assert np.array_equal(read_label_map(tmp_path / "a.npy"), IDS)
