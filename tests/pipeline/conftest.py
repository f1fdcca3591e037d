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
        from pipeline.runs.stored_options import as_json
        from sorn.config import SORNConfig
        from sorn.network import SORN

        config = SORNConfig(identities=3, backbone="resnet18", set_channels=8, semantic_channels=8, **options)
        torch.manual_seed(seed)
        checkpoints.save_weights(folder / "model.safetensors", SORN(config).state_dict(), {"fingerprint": "training"})
        about = {"model": as_json(config), "image_size": list(size), "dataset": "mine", "labeler": "none"}
        (folder / "config.json").write_text(json.dumps(about))
        return folder

    return make


@pytest.fixture(autouse=True)
def nothing_ships(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests do not depend on the networks that ship."""
    from pipeline.runs import layout

    monkeypatch.setattr(layout, "SHIPPED_DIR", tmp_path_factory.getbasetemp() / "nothing-ships")


@pytest.fixture
def shipped(nothing_ships: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_training: MakeTraining) -> Path:
    """Folder in which a tiny SORN, `starter`, and a tiny DANet, `starter-danet`, ship in half precision."""
    import torch

    from pipeline.io import checkpoints
    from pipeline.io.files import digest_file, write_json
    from pipeline.runs import layout, stamp
    from sorn.danet import DANet

    folder = tmp_path / "program" / "weights"
    monkeypatch.setattr(layout, "SHIPPED_DIR", folder)
    starter = make_training(folder / "starter")
    torch.manual_seed(0)
    made = {"network": "danet", "backbone": "resnet18", "image_size": [32, 16], "trained_on": "synped"}
    danet = folder / "starter-danet"
    checkpoints.save_weights(danet / "danet.safetensors", DANet("resnet18").state_dict(), made)
    write_json(danet / "config.json", made)
    files = ((starter, "train", "model.safetensors"), (danet, "labeler", "danet.safetensors"))
    for place, stage, name in files:
        weights = place / name
        halved = {key: value.half() for key, value in checkpoints.read_weights(weights).items() if value.dim() > 1}
        kept = checkpoints.read_weights(weights) | halved
        checkpoints.save_weights(weights, kept, checkpoints.read_metadata(weights))
        outputs, provided = [weights, place / "config.json"], {"checkpoint": digest_file(weights)}
        stamp.write(place, stage, 1, {}, {}, outputs, provided)
    return folder
