from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from PIL import Image

from pipeline.errors import UserError
from pipeline.image_files import broken_files, read_all, read_file, read_size
from pipeline.records import ImageRecord


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    Image.effect_noise((60, 120), 50).save(path)
    return path


def test_a_file_is_measured(photo: Path) -> None:
    file = read_file(photo)
    assert (file.width, file.height, file.bytes) == (60, 120, photo.stat().st_size)
    assert (file.sha256, file.mtime_ns) == (hashlib.sha256(photo.read_bytes()).hexdigest(), photo.stat().st_mtime_ns)
    assert read_size(photo) == (60, 120)


@pytest.mark.parametrize("read", [read_file, read_size])
@pytest.mark.parametrize("content", [b"", b"not an image", b"\xff\xd8\xff\xe0 broken header"])
def test_what_is_no_image_is_named(tmp_path: Path, read, content: bytes) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"x\.jpg cannot be read as an image: .+\. Copy this file again"):
        read(path)


def test_truncation_shows_when_all_is_decoded(photo: Path) -> None:
    photo.write_bytes(photo.read_bytes()[: photo.stat().st_size // 2])
    assert read_size(photo) == (60, 120)
    with pytest.raises(UserError, match="truncated"):
        read_file(photo)


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.jpg cannot be read as an image: .*No such file"):
        read_file(tmp_path / "gone.jpg")


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_keep_the_order_of_records_whatever_the_workers(tmp_path: Path, make_images, workers: int) -> None:
    names = [f"{number}.png" for number in range(30)]
    make_images(tmp_path, names)
    (tmp_path / "7.png").write_bytes(b"")
    records = [ImageRecord(f"train/{name}", tmp_path / name, 1, 1, "train") for name in names]
    results = list(read_all(read_file, records, "test", workers))
    assert [isinstance(result, UserError) for result in results] == [number == 7 for number in range(30)]
    good = [result.sha256 for result in results if not isinstance(result, UserError)]
    assert good == [hashlib.sha256(r.path.read_bytes()).hexdigest() for r in records if r.path.name != "7.png"]
    (finding,) = broken_files(results)
    assert finding.level == "error" and "7.png" in finding.wrong
