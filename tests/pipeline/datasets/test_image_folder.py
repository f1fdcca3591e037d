"""One's own pictures: what is found in a folder, what is left out, and what a picture may be given as."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.datasets.image_folder import as_pixels, counted, look, read_pictures, shown
from pipeline.errors import UserError
from pipeline.io.images import decode, resize_image


def test_pictures_are_found_in_folders_below_and_the_rest_is_named(tmp_path, make_images):
    make_images(tmp_path, ["b.jpg", "a/deep/C.PNG", "a/x.bmp"])
    (tmp_path / "notes.txt").write_text("who is who")
    (tmp_path / ".hidden.jpg").write_bytes(b"")
    found = look(tmp_path)
    assert found.names == ("a/deep/C.PNG", "a/x.bmp", "b.jpg")
    assert found.others == {"notes.txt": "its name does not end like a picture's"}


def test_the_digest_changes_with_every_file_and_with_nothing_else(tmp_path, make_images):
    make_images(tmp_path, ["a.png", "b.png"])
    before = look(tmp_path).digest
    (tmp_path / "notes.txt").write_text("no picture")
    assert look(tmp_path).digest == before
    os.utime(tmp_path / "a.png", (1, 1))
    touched = look(tmp_path).digest
    (tmp_path / "b.png").rename(tmp_path / "c.png")
    assert len({before, touched, look(tmp_path).digest}) == 3


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: folder / "nowhere", "there is no folder .*nowhere"),
        (
            lambda folder: folder / "my bank.h5",
            "there is no feature bank .*Make it: sorn embed FOLDER .* --out '.*my bank.h5'",
        ),
        (lambda folder: folder, r"holds no picture \(.jpg, .*but 1 other file: readme.md"),
        (lambda folder: folder / "readme.md", "readme.md is a file, not a folder"),
    ],
)
def test_a_folder_without_pictures_is_refused(tmp_path, make, words):
    (tmp_path / "readme.md").write_text("nothing here")
    with pytest.raises(UserError, match=words):
        look(make(tmp_path))


def test_a_name_that_is_no_text_is_left_out(tmp_path, make_images):
    make_images(tmp_path, ["a.png"])
    os.rename(os.fsencode(tmp_path / "a.png"), os.fsencode(tmp_path) + b"/\xff.png")
    make_images(tmp_path, ["b.png"])
    found = look(tmp_path)
    assert found.names == ("b.png",) and list(found.others.values()) == ["its name is no UTF-8 text"]
    assert "?.png (its name is no UTF-8 text)" in counted(found.others)


def test_pictures_come_in_order_at_the_networks_size_and_broken_ones_with_the_reason(tmp_path, make_images):
    make_images(tmp_path, [f"{i:02d}.png" for i in range(40)])
    (tmp_path / "05.png").write_bytes(b"no picture at all")
    (tmp_path / "07.png").write_bytes(b"")
    (tmp_path / "09.png").write_bytes((tmp_path / "10.png").read_bytes()[:48])
    (tmp_path / "11.png").unlink()
    (tmp_path / "11.png").mkdir()  # a folder of that name is walked into, not read
    found = list(read_pictures(look(tmp_path), look(tmp_path).names, (16, 8)))
    assert [read.name for read in found] == [f"{i:02d}.png" for i in range(40) if i != 11]
    wrong = {read.name: read.wrong for read in found if read.image is None}
    assert set(wrong) == {"05.png", "07.png", "09.png"}
    assert wrong["07.png"] == "it is empty" and wrong["05.png"].startswith("it is no JPEG") and wrong["09.png"]
    whole = decode(tmp_path / "12.png")
    assert whole is not None and np.array_equal(found[11].image, resize_image(whole, (16, 8)))


def test_at_most_five_files_are_named_and_the_others_counted():
    text = counted({f"{i}.txt": "odd" for i in range(7)})
    assert text == "7 other files: 0.txt (odd); 1.txt (odd); 2.txt (odd); 3.txt (odd); 4.txt (odd) and 2 more"


def test_what_would_steer_a_terminal_is_not_printed():
    assert shown("a\x1b[2Jb\n\u202ec\udcff.jpg") == "a?[2Jb??c?.jpg" and shown("Müller 木.jpg") == "Müller 木.jpg"


def test_a_picture_is_a_file_an_image_or_an_array(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (9, 5, 3), dtype=np.uint8)
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    for given in (path, str(path), Image.open(path), Image.fromarray(pixels).convert("RGBA"), pixels, pixels[:, ::-1]):
        expected = pixels[:, ::-1] if given is not pixels and isinstance(given, np.ndarray) else pixels
        assert np.array_equal(as_pixels(given), expected)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.zeros((4, 4, 3), np.float32), r"an array of float32 \[4, 4, 3\] is no picture"),
        (np.zeros((4, 4), np.uint8), r"an array of uint8 \[4, 4\] is no picture"),
        (np.zeros((0, 4, 3), np.uint8), r"an array of uint8 \[0, 4, 3\] is no picture"),
        (Image.new("I", (2, 2)), "mode 'I' has no known white"),
        (Image.new("F", (2, 2)), "mode 'F' has no known white"),
        (None, "'NoneType' is no picture"),
        ("nowhere.jpg", "there is no picture nowhere.jpg"),
        (Path(__file__), "test_image_folder.py cannot be read as an image: it is no JPEG"),
        (Path(__file__).parent, "cannot be read as an image: it is a folder"),
    ],
)
def test_everything_else_is_refused(given, words):
    with pytest.raises(UserError, match=words):
        as_pixels(given)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_pictures_are_turned_as_their_tag_says(tmp_path: Path, suffix: str) -> None:
    """In a gallery and as a query: a file, and a PIL image that may be loaded or not."""
    exif, path = Image.Exif(), tmp_path / f"a.{suffix}"
    exif[274] = 6
    stored = Image.fromarray(
        np.kron(np.random.default_rng(0).integers(0, 255, (3, 5, 3)), np.ones((8, 8, 1))).astype("u1")
    )
    stored.save(path, exif=exif)
    shown_pixels = decode(path)
    assert shown_pixels is not None and shown_pixels.shape == (40, 24, 3)
    (found,) = read_pictures(look(tmp_path), look(tmp_path).names, (20, 12))
    assert np.array_equal(found.image, resize_image(shown_pixels, (20, 12)))
    loaded = Image.open(path)
    loaded.load()
    for picture in (path, str(path), Image.open(path), loaded, loaded.copy()):
        assert np.array_equal(as_pixels(picture), shown_pixels)


def test_pictures_without_a_suffix_are_known_by_their_content(tmp_path: Path, make_images) -> None:
    for name in ("0017", "frame.000018", "deep/ab12cd", "b.jfif"):
        make_images(tmp_path, ["x.jpg"])
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / "x.jpg").rename(tmp_path / name)
    make_images(tmp_path, ["x.jpg", "old.png"])
    (tmp_path / "old.png").rename(tmp_path / "x.png.bak")
    (tmp_path / "README").write_text("no picture")
    os.mkfifo(tmp_path / "pipe")
    folder = look(tmp_path)
    assert folder.names == ("0017", "b.jfif", "deep/ab12cd", "frame.000018", "x.jpg")
    assert sorted(folder.others) == ["README", "pipe", "x.png.bak"]


def test_links_to_folders_are_read(tmp_path: Path, make_images) -> None:
    make_images(tmp_path / "elsewhere", ["a.jpg"])
    make_images(tmp_path / "own", ["b.jpg"])
    (tmp_path / "own" / "more").symlink_to(tmp_path / "elsewhere")
    assert look(tmp_path / "own").names == ("b.jpg", "more/a.jpg")
