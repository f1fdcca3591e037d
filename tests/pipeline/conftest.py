"""Small trees of images for tests that read datasets."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

MakeImages = Callable[[Path, Iterable[str]], None]
MakePng = Callable[..., Path]
MakeTraining = Callable[..., Path]


@pytest.fixture
def make_images() -> MakeImages:
    """Writes a 4x8 picture under each name; no two have the same bytes."""
    written = 0

    def make(root: Path, names: Iterable[str]) -> None:
        nonlocal written
        for name in names:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            colour = (written % 250, written // 250 * 40 % 250, 7)
            Image.new("RGB", (4, 8), colour).save(path, comment=f"{written}")  # JPEG rounds colours
            written += 1

    return make


@pytest.fixture
def make_png() -> MakePng:
    """Writes a PNG chunk by chunk, so that its header may say what Pillow would not write.

    rows: the bytes of each row as stored, packed where bits < 8; they may be fewer than the header promises.
    """

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    def make(path: Path, size: tuple[int, int], rows: Iterable[bytes], bits=8, colour=0, interlaced=False) -> Path:
        header = struct.pack(">IIBBBBB", *size, bits, colour, 0, 0, interlaced)
        pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
        chunks = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
        return path

    return make


@pytest.fixture(scope="session")
def make_training() -> MakeTraining:
    """Writes what a finished training leaves, a small network of random weights: model.safetensors and config.json."""

    def make(folder: Path, seed: int = 0, size: tuple[int, int] = (64, 32), **options: Any) -> Path:
        import torch

        from pipeline.io import checkpoints
        from pipeline.runs.config import as_json
        from sorn.config import SORNConfig
        from sorn.network import SORN

        config = SORNConfig(identities=3, backbone="resnet18", set_channels=8, semantic_channels=8, **options)
        torch.manual_seed(seed)
        checkpoints.save_weights(folder / "model.safetensors", SORN(config).state_dict(), {"fingerprint": "training"})
        about = {"model": as_json(config), "image_size": list(size), "dataset": "mine", "labeler": "none"}
        (folder / "config.json").write_text(json.dumps(about))
        return folder

    return make
