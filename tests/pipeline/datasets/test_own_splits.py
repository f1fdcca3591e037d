"""Divisions by persons: sides that share nobody, queries that can be answered, and the seed."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pasted
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.datasets.own_images import OwnImage, OwnImages
from pipeline.datasets.own_splits import ListRow, SplitOptions, divide
from pipeline.errors import UserError

SIDE = {"val_query": "val", "val_gallery": "val", "query": "test", "gallery": "test", "train": "train"}


def people(*cameras: str) -> OwnImages:
    """A person for each text: one picture per letter, by the camera of that letter; blanks are cameras unknown."""
    images = [
        OwnImage(f"{number}/{i}.jpg", str(number), camera.strip())
        for number, text in enumerate(cameras)
        for i, camera in enumerate(text)
    ]
    return OwnImages(Path("people"), images)


def by_split(rows: list[ListRow]) -> dict[str, list[ListRow]]:
    found: dict[str, list[ListRow]] = defaultdict(list)
    for row in rows:
        found[row.split].append(row)
    return found


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.text("ab", min_size=1, max_size=6), min_size=2, max_size=30),
    st.floats(0.05, 1),
    st.floats(0, 0.9),
    st.integers(0, 9),
)
def test_every_division_is_sound(cameras: list[str], test: float, val: float, seed: int) -> None:
    found = people(*cameras)
    try:
        rows, _ = divide(found, SplitOptions(test, val, seed))
    except UserError as error:
        assert sum(len(set(text)) > 1 for text in cameras) < 2 and "two cameras" in error.wrong
        return
    assert [row.path for row in rows] == sorted(image.path for image in found.images)
    sides = defaultdict(set)
    for row in rows:
        sides[SIDE[row.split]].add(row.person)
    assert not sides["train"] & sides["test"] and not sides["val"] & sides["test"] and not sides["train"] & sides["val"]
    assert len(sides["test"]) >= 2 and len(sides["train"]) != 1 and len(sides["val"]) != 1
    for query, gallery in (("query", "gallery"), ("val_query", "val_gallery")):
        split = by_split(rows)
        for asked in split[query]:
            assert any(row.person == asked.person and row.camera != asked.camera for row in split[gallery])
        assert len({(row.person, row.camera) for row in split[query]}) == len(split[query])


def test_shares_and_seed() -> None:
    found = people(*["abab"] * 20)
    counts = {
        split: len({row.person for row in rows}) for split, rows in by_split(divide(found, SplitOptions())[0]).items()
    }
    assert counts == {"train": 8, "val_query": 2, "val_gallery": 2, "query": 10, "gallery": 10}
    assert divide(found, SplitOptions()) == divide(found, SplitOptions())
    assert divide(found, SplitOptions()) != divide(found, SplitOptions(seed=1))


def test_without_cameras_a_person_has_one_query_by_a_camera_of_its_own() -> None:
    rows, said = divide(people("   ", "  ", "    ", " "), SplitOptions(test=1))
    split = by_split(rows)
    assert len(split["query"]) == 3 and {row.camera for row in split["query"]} == {"0"}
    assert {row.camera for row in split["gallery"]} == {"1"} and "3" in {row.person for row in split["gallery"]}
    assert any("these 1 are in the gallery" in text for text in said)
    assert any("no training images" in text for text in said)


def test_a_person_of_one_picture_trains() -> None:
    rows, said = divide(people(*["ab"] * 6, "a"), SplitOptions())
    assert {row.split for row in rows if row.person == "6"} == {"train"}
    assert any("these 1 are in train" in text for text in said)


def test_tracks_are_not_divided() -> None:
    images = [OwnImage(f"{p}-{c}-{t}-{f}", p, c, t) for p in "xy" for c in "ab" for t in "12" for f in "123"]
    rows, _ = divide(OwnImages(Path("people"), images), SplitOptions())
    sides = defaultdict(set)
    for row in rows:
        sides[row.person, row.camera, row.track].add(row.split)
    assert all(len(splits) == 1 for splits in sides.values()) and len(sides) == 8
    assert sum(splits == {"query"} for splits in sides.values()) == 4


@pytest.mark.parametrize(
    ("cameras", "wrong", "remedy"),
    [
        (("abab",), "pictures of one person only, 0", "--pattern '(?P<pid>"),
        (("ab", "a", "b"), "1 of 3 persons in people can be seen by two cameras", "--no-cameras"),
        ((" ", " "), "0 of 2 persons in people can be seen in two pictures", "second picture"),
    ],
)
def test_what_cannot_be_divided(cameras: tuple[str, ...], wrong: str, remedy: str) -> None:
    with pytest.raises(UserError) as refused:
        divide(people(*cameras), SplitOptions())
    assert wrong in refused.value.wrong and remedy in refused.value.remedy


@pytest.mark.parametrize("images", [[OwnImage("a/1.jpg", "a")], []])
def test_too_few_persons_get_a_command_for_names(images: list[OwnImage]) -> None:
    with pytest.raises(UserError) as refused:
        divide(OwnImages(Path("/my people"), images, ["left out: 2 pictures"]), SplitOptions())
    command = r"sorn data from-names '/my people' --pattern '(?P<pid>\d+)_c(?P<camid>\d+)'"
    assert list(pasted.commands(str(refused.value))) == [command]
    assert images or "/my people has no picture of a person (left out: 2 pictures)" in refused.value.wrong


@pytest.mark.parametrize("options", [{"test": 0}, {"test": 1.1}, {"val": 1}, {"val": -0.1}, {"seed": -1}])
def test_wrong_options(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(options))} = "):
        SplitOptions(**options)
