from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.datasets.image_files import broken_files, read_all, read_file, read_size
from pipeline.errors import UserError
from pipeline.io.images import decode

FOREIGN = {  # first bytes -> what the file is called
    b"\0\0\0\x1cftypheic": "HEIC",
    b"\0\0\0\x20ftypavif": "AVIF",
    b"\0\0\0\x20ftypisom": "a video",
    b"\xff\x0a": "JPEG XL",
    b"8BPS\0\1": "Photoshop",
    b"%PDF-1.7": "PDF",
    b"\x93NUMPY": "NumPy",
    b"<HTML>": "HTML",
    b"version https://git-lfs.github.com/spec/v1": "Git LFS pointer",
}


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
def test_results_keep_the_order_of_files_whatever_the_workers(tmp_path: Path, make_images, workers: int) -> None:
    names = [f"{number}.png" for number in range(30)]
    make_images(tmp_path, names)
    (tmp_path / "7.png").write_bytes(b"")
    paths = [str(tmp_path / name) for name in names]
    results = list(read_all(read_file, paths, "test", workers))
    assert [isinstance(result, UserError) for result in results] == [number == 7 for number in range(30)]
    good = [result.sha256 for result in results if not isinstance(result, UserError)]
    assert good == [hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in names if name != "7.png"]
    (finding,) = broken_files([result for result in results if isinstance(result, UserError)])
    assert finding.level == "error" and "7.png" in finding.wrong


@pytest.fixture
def odd_files(tmp_path: Path, make_png) -> dict[str, Path]:
    """What the message says -> a file that is no usable image, or no file at all."""
    files: dict[str, Path] = {}

    def add(reason: str) -> Path:
        files[reason] = tmp_path / f"{len(files)}.jpg"
        return files[reason]

    make_png(add("it has 10000 x 9000 pixels, more than 89,478,485"), (10000, 9000), [bytes(3000)])
    make_png(add("it has more than 89,478,485 pixels"), (20000, 20000), [bytes(3000)])
    Image.fromarray(np.ones((6, 4), np.float32)).save(add("32-bit numbers .mode F. without a known white"), "TIFF")
    Image.fromarray(np.ones((6, 4), np.int32)).save(add("32-bit numbers .mode I. without a known white"), "TIFF")
    add("it is a folder").mkdir()
    os.mkfifo(add("it is no ordinary file"))
    add("it is a link to a file that does not exist").symlink_to(tmp_path / "gone")
    with open(add("it has 2,000,000,000 bytes"), "wb") as file:
        file.truncate(2 * 10**9)
    add("it is empty").touch()
    for start, kind in FOREIGN.items():
        add(f"it is no JPEG or PNG or .* file but {kind}").write_bytes(start + bytes(100))
    add("it is no JPEG or PNG or .* file. ").write_text("a text of no known kind")
    Image.new("RGB", (4, 6)).save(add("it is no JPEG .* or JPEG2000 file"), "EPS")
    return files


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")  # pytest undoes the filter of pixels.py
def test_what_is_no_usable_image_is_refused_by_every_reader_before_it_takes_memory(odd_files: dict[str, Path]) -> None:
    for reason, path in odd_files.items():
        tracemalloc.start()
        for read in (read_file, read_size):
            with pytest.raises(UserError, match=rf"{path} cannot be read as an image: .*{reason}"):
                read(path)
        assert decode(path) is None
        assert tracemalloc.get_traced_memory()[1] < 10**7, reason
        tracemalloc.stop()


def test_a_file_that_may_not_be_read(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:  # root may read everything, so the file's permissions would not do
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(
        UserError, match=r"cannot be read as an image: \[Errno 13\] Permission denied\. See that you may"
    ):
        read_file(photo)
    assert decode(photo) is None


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_what_the_data_stage_accepts_is_decoded_at_the_size_it_recorded(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.png"
    exif = Image.Exif()
    exif[274] = 6  # turned by 90 degrees
    Image.new(mode, (7, 5)).save(path, exif=exif)
    file, found = read_file(path), decode(path)
    assert found is not None and found.shape == (file.height, file.width, 3) == (7, 5, 3)
    assert read_size(path) == (file.width, file.height)


def test_pillow_prints_no_warnings_of_its_own(tmp_path: Path, make_png) -> None:
    make_png(tmp_path / "large.png", (10000, 9000), [bytes(3000)])
    Image.new("P", (4, 6)).save(tmp_path / "palette.png", transparency=b"\xff\x00")
    code = "import sys, pathlib, pipeline.io.images as p; print(*[p.decode(pathlib.Path(n)) for n in sys.argv[1:]])"
    words = [sys.executable, "-W", "always", "-c", code, str(tmp_path / "large.png"), str(tmp_path / "palette.png")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("None [[[") and done.stderr == ""
