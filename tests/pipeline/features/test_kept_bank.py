"""Kept banks: only new content is extracted, and the bank is the one that a new extraction writes."""

from __future__ import annotations

import logging
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.datasets.image_folder import look
from pipeline.features import kept_bank as kept
from pipeline.features.embedding import Embedder, load_embedder
from pipeline.features.store import read_bank, read_origins
from pipeline.io.cache import VARIABLE
from pipeline.search import Searcher

Asked = list[int]


def picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 4, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((32, 64)).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(21):
        picture(tmp_path / "pictures" / f"{number:02d}.png", number)
    return tmp_path / "pictures"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, make_training) -> Path:
    return make_training(tmp_path_factory.mktemp("model") / "train")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Number of pictures of every extraction."""
    counts: Asked = []
    features = Embedder.features

    def counted(self: Embedder, batches: Iterator, size: int = 0) -> Iterator:
        pieces = list(features(self, batches, size))
        counts.append(sum(len(piece[0]) for piece in pieces))
        return iter(pieces)

    monkeypatch.setattr(Embedder, "features", counted)
    return counts


def keep(model: Path, folder: Path, path: Path) -> bytes:
    kept.kept_bank(load_embedder(model, Path(), "cpu", "fp32"), look(folder), path)
    return path.read_bytes()


def add(folder: Path) -> None:
    picture(folder / "a" / "new.png", 100)


def change(folder: Path) -> None:
    picture(folder / "03.png", 101)


def rename(folder: Path) -> None:
    (folder / "03.png").rename(folder / "renamed.png")


def copy_one(folder: Path) -> None:
    shutil.copy(folder / "03.png", folder / "aa.png")


def delete(folder: Path) -> None:
    (folder / "03.png").unlink()


def touch(folder: Path) -> None:
    os.utime(folder / "03.png", (1, 1))


def spoil(folder: Path) -> None:
    (folder / "03.png").write_bytes(b"no picture")


def everything(folder: Path) -> None:
    for one in (add, rename, change, delete, copy_one):
        picture(folder / "03.png", 102)
        one(folder)
        (folder / "03.png").unlink(missing_ok=True)


CHANGES = {add: [1], change: [1], rename: [], copy_one: [], delete: [], touch: [], spoil: [0], everything: [2]}


@pytest.mark.parametrize("alter", CHANGES, ids=lambda value: value.__name__)
def test_only_new_content_is_extracted_and_the_bank_is_that_of_a_new_extraction(
    tmp_path: Path, folder: Path, model: Path, asked: Asked, alter
) -> None:
    keep(model, folder, tmp_path / "bank.h5")
    assert asked.pop() == 21
    alter(folder)
    found = keep(model, folder, tmp_path / "bank.h5")
    assert asked == CHANGES[alter]
    assert found == keep(model, folder, tmp_path / "other.h5")
    assert keep(model, folder, tmp_path / "bank.h5") == found and len(asked) == len(CHANGES[alter]) + 1
    assert [path.name for path in tmp_path.glob("bank*")] == ["bank.h5"]


def test_a_copied_folder_is_not_extracted_again(tmp_path: Path, folder: Path, model: Path, asked: Asked) -> None:
    keep(model, folder, tmp_path / "bank.h5")
    shutil.copytree(folder, tmp_path / "copy", copy_function=shutil.copyfile)
    found = keep(model, tmp_path / "copy", tmp_path / "bank.h5")
    assert asked == [21] and found == keep(model, tmp_path / "copy", tmp_path / "other.h5")


def test_a_picture_that_can_be_read_again_comes_back(tmp_path: Path, folder: Path, model: Path, asked: Asked) -> None:
    whole = keep(model, folder, tmp_path / "bank.h5")
    content, times = (folder / "03.png").read_bytes(), (folder / "03.png").stat()
    spoil(folder)
    keep(model, folder, tmp_path / "bank.h5")
    assert "03.png" in read_bank(tmp_path / "bank.h5")[1]["left_out"]
    (folder / "03.png").write_bytes(content)
    os.utime(folder / "03.png", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert keep(model, folder, tmp_path / "bank.h5") == whole and asked == [21, 0, 1]


def test_features_of_another_network_precision_or_machine_are_not_taken(
    tmp_path: Path, folder: Path, model: Path, asked: Asked, make_training, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, pictures = tmp_path / "bank.h5", look(folder)
    keep(model, folder, path)
    keep(make_training(tmp_path / "other" / "train", seed=1), folder, path)
    kept.kept_bank(load_embedder(model, Path(), "cpu", "bf16"), pictures, path)
    kept.kept_bank(load_embedder(model, Path(), "cpu", "fp32"), pictures, path)
    touch(folder)
    kept.kept_bank(load_embedder(model, Path(), "cpu", "fp32", batch_size=4), look(folder), path)
    monkeypatch.setattr(Embedder, "machine", "another")
    os.utime(folder / "04.png", (1, 1))
    keep(model, folder, path)
    assert asked == [21] * 6


def test_a_bank_without_digests_is_made_again(tmp_path: Path, folder: Path, model: Path, asked: Asked) -> None:
    """As 0.1 wrote them."""
    from pipeline.features.store import write_bank

    keep(model, folder, tmp_path / "bank.h5")
    write_bank(tmp_path / "bank.h5", *read_bank(tmp_path / "bank.h5"))
    assert read_origins(tmp_path / "bank.h5") == []
    add(folder)
    keep(model, folder, tmp_path / "bank.h5")
    assert asked == [21, 22] and len(read_origins(tmp_path / "bank.h5")) == 22


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_searcher_extracts_a_folder_once(folder: Path, model: Path, asked: Asked, cache: Path) -> None:
    query = folder / "05.png"
    first = Searcher(model, folder, device="cpu").search(query)
    (file,) = cache.glob("*.h5")
    assert first[0].path == query and file.name.startswith("pictures-")
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700  # features of people
    del asked[:]
    assert Searcher(model, folder, device="cpu").search(query) == first and len(asked) == 1  # the query
    add(folder)
    assert len(Searcher(model, folder, device="cpu").gallery.bank) == 22 and asked[1:] == [1]
    plain = Searcher(model, folder, device="cpu", cache=False)
    assert (
        asked[1:] == [1, 22]
        and plain.gallery.bank.global_.tobytes() == Searcher(model, folder, device="cpu").gallery.bank.global_.tobytes()
    )
    assert list(cache.glob("*.h5")) == [file]


def test_each_folder_and_network_has_a_file_of_its_own(
    tmp_path: Path, folder: Path, model: Path, asked: Asked, cache: Path, make_training
) -> None:
    other = make_training(tmp_path / "other" / "train", seed=1)
    shutil.copytree(folder, tmp_path / "elsewhere" / "pictures")
    for _ in range(2):
        for network in (model, other):
            for pictures in (folder, tmp_path / "elsewhere" / "pictures"):
                Searcher(network, pictures, device="cpu")
    assert asked == [21] * 4 and len(list(cache.glob("*.h5"))) == 4


def test_a_cache_that_cannot_be_used_stops_no_search(
    tmp_path: Path, folder: Path, model: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = Searcher(model, folder, device="cpu").search(folder / "05.png")
    (file,) = cache.glob("*.h5")
    file.write_bytes(file.read_bytes()[:1000])
    assert Searcher(model, folder, device="cpu").search(folder / "05.png") == first
    assert len(read_bank(file)[0]) == 21
    shutil.rmtree(cache)
    cache.write_text("a file in its place")
    with caplog.at_level(logging.WARNING):
        assert Searcher(model, folder, device="cpu").search(folder / "05.png") == first
    assert "are not kept" in caplog.text and cache.read_text() == "a file in its place"


def test_the_cache_of_the_desktop_is_the_default(
    folder: Path, model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    embedder = load_embedder(model, Path(), "cpu", "fp32")
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert kept.cache_path(embedder, look(folder)).parent == tmp_path / "xdg" / "sorn"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert kept.cache_path(embedder, look(folder)).parent == tmp_path / ".cache" / "sorn"
