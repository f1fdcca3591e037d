"""A network, a gallery of pictures, and its bank, for searches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from searches import HOSTILE, run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 pictures of random people, one twice; their names may be HTML."""
    folder = tmp_path_factory.mktemp("search") / "pictures"
    (folder / "<b>").mkdir(parents=True)
    for i in range(29):
        coarse = np.random.default_rng(i).integers(0, 256, (9, 4, 3), dtype=np.uint8)
        name = HOSTILE if i == 3 else f"<b>/{i:02d}.png"
        Image.fromarray(coarse).resize((32, 64)).save(folder / name)
    (folder / "twin.png").write_bytes((folder / "<b>" / "07.png").read_bytes())
    (folder / "readme.txt").write_text("who is who")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, make_training) -> Path:
    return make_training(tmp_path_factory.mktemp("model") / "train")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, model, folder) -> Path:
    """The gallery's bank in fp32."""
    out = tmp_path_factory.mktemp("kept") / "bank.h5"
    run("embed", folder, "--model", model, "--out", out, "--precision", "fp32")
    return out
