"""Persons, cameras and tracks that folders and names tell, and folders that cannot be read so."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.datasets.own_images import OwnImages, read_folders, read_names
from pipeline.errors import UserError


def told(found: OwnImages) -> list[tuple[str, str, str, str]]:
    return [(image.path, image.person, image.camera, image.track) for image in found.images]


def test_a_folder_is_a_person_and_names_tell_cameras(tmp_path: Path, make_images) -> None:
    make_images(tmp_path, ["anna/cam1_1.jpg", "anna/more/Camera-2.png", "7/0002_c3s1_01.jpg"])
    assert told(read_folders(tmp_path)) == [
        ("7/0002_c3s1_01.jpg", "7", "3", ""),
        ("anna/cam1_1.jpg", "anna", "1", ""),
        ("anna/more/Camera-2.png", "anna", "2", ""),
    ]


def test_without_cameras_it_says_so(tmp_path: Path, make_images) -> None:
    make_images(tmp_path, ["anna/pic1.jpg", "bo/abc2.jpg", "loose.jpg"])
    (tmp_path / "bo" / "notes.txt").touch()
    found = read_folders(tmp_path)
    assert not found.has_cameras and found.persons == ["anna", "bo"]
    assert any("tell no cameras" in text for text in found.assumed)
    assert any("1 pictures that lie in no person's folder" in text for text in found.assumed)
    assert any("bo/notes.txt" in text for text in found.assumed)


def test_one_camera_is_none(tmp_path: Path, make_images) -> None:
    make_images(tmp_path, ["anna/c1.jpg", "bo/c1.jpg"])
    found = read_folders(tmp_path)
    assert not found.has_cameras and any("one camera" in text for text in found.assumed)


def test_cameras_may_be_left_out_or_have_a_form_of_their_own(tmp_path: Path, make_images) -> None:
    make_images(tmp_path, ["a/c1_hall.jpg", "a/c2_door.jpg"])
    assert [image.camera for image in read_folders(tmp_path, cameras=False).images] == ["", ""]
    found = read_folders(tmp_path, r"_(?P<camid>[a-z]+)")
    assert [image.camera for image in found.images] == ["hall", "door"]


@pytest.mark.parametrize(
    ("names", "persons", "cameras", "tracks"),
    [
        (["0002_c1s1_0.jpg", "0003_c2s1_0.jpg", "-1_c2s1_0.jpg"], ["0002", "0003"], ["1", "2"], ["", ""]),
        (["anna-cam2-1.jpg", "bo.C3.jpg"], ["anna", "bo"], ["2", "3"], ["", ""]),
        (["001_01.tif", "sub/002_c.tif"], ["001", "002"], ["", ""], ["", ""]),
        (["0001C1T0002F001.jpg", "0003C2T0001F009.jpg"], ["0001", "0003"], ["1", "2"], ["0002", "0001"]),
    ],
)
def test_names_tell_the_person(tmp_path: Path, make_images, names, persons, cameras, tracks) -> None:
    make_images(tmp_path, names)
    images = read_names(tmp_path).images
    assert [image.person for image in images] == persons and [image.track for image in images] == tracks
    assert [image.camera for image in images] == cameras


def test_the_persons_that_names_tell_are_shown(tmp_path: Path, make_images) -> None:
    """For one who has names such as c1_0.jpg, whose first word is no person."""
    make_images(tmp_path, ["c1_0.jpg", "c2_0.jpg", "c2_1.jpg"])
    assert read_names(tmp_path).assumed[0].endswith("; persons: c1, c2")


def test_junk_is_left_out_and_counted(tmp_path: Path, make_images) -> None:
    make_images(tmp_path, ["0002_c1s1_0.jpg", "-1_c2s1_0.jpg", "0002_c2s1_0.jpg"])
    assert any("left out: 1 pictures of the person -1" in text for text in read_names(tmp_path).assumed)


REFUSED_FOLDERS = [
    (["anna_1.jpg", "bo_1.jpg"], "", "no folders with pictures", "sorn data from-names "),
    (["anna_1.jpg"], "", "no folders with pictures", "If it is the folder of one person: sorn data from-folders "),
    (["train/1/a.jpg", "query/1/b.jpg"], "", "named like splits (query, train)", "/query"),
    (["a/c1_0.jpg", "b/x.jpg"], "", "1 of 2 names do not tell their camera: b/x.jpg", "--no-cameras"),
    (["a/1.jpg"], "k(?P<camid>[0-9]+)", "1 of 1 names do not tell their camera by --pattern", "--no-cameras"),
    (["a/1.jpg"], "([0-9]+)", "has no group camid or track", "--pattern 'cam(?P<camid>"),
    (["a/1.jpg"], "(?P<camid>", "is no regular expression", "--pattern 'cam(?P<camid>"),
]


@pytest.mark.parametrize(("names", "pattern", "wrong", "remedy"), REFUSED_FOLDERS)
def test_folders_that_cannot_be_read(tmp_path: Path, make_images, names, pattern, wrong, remedy) -> None:
    make_images(tmp_path, names)
    with pytest.raises(UserError) as refused:
        read_folders(tmp_path, pattern)
    assert wrong in refused.value.wrong and remedy in refused.value.remedy


def test_names_without_a_person(tmp_path: Path, make_images) -> None:
    make_images(tmp_path, ["anna_1.jpg", "x.jpg"])
    with pytest.raises(UserError, match=r"1 of 2 names do not tell their person: x\.jpg") as refused:
        read_names(tmp_path)
    assert "--pattern" in refused.value.remedy and "sorn data from-folders" in refused.value.remedy
    with pytest.raises(UserError, match="has no group pid"):
        read_names(tmp_path, "(?P<camid>.)")


def test_a_folder_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no picture"):
        read_folders(tmp_path)
    with pytest.raises(UserError, match="there is no folder"):
        read_names(tmp_path / "gone")
