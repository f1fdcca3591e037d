"""Files in two splits, by content."""

from __future__ import annotations

from pathlib import Path

import pytest
from record_tables import table_of_pairs

from pipeline.datasets import leaks as module
from pipeline.datasets.records import Finding, ImageFile, ImageRecord

Digested = tuple[ImageRecord, ImageFile]


def image(name: str, digest: str, pid: int = 1, camid: int = 1) -> Digested:
    record = ImageRecord(name, Path("/d") / name, pid, camid, name.partition("/")[0])
    return record, ImageFile(1, 1, digest, 1, 1)


def leaks(images: list[Digested]) -> list[Finding]:
    return module.leaks(table_of_pairs(images))


def trained_on(images: list[Digested], run: str, training: list[Digested]) -> list[Finding]:
    return module.trained_on(table_of_pairs(images), run, table_of_pairs(training))


APART = [image("train/a", "1"), image("query/b", "2", 5), image("gallery/c", "3", 5, 2), image("gallery/d", "4", 6, 2)]


def test_files_of_their_own_are_no_leak() -> None:
    assert leaks(APART) == []
    assert leaks([*APART, image("gallery/e", "3", 5, 2), image("train/f", "1", 2)]) == [], "twice within one split"


@pytest.mark.parametrize(("pid", "camid"), [(5, 9), (6, 1)])
def test_a_query_in_the_gallery_as_another_cameras_or_persons(pid: int, camid: int) -> None:
    (finding,) = leaks([*APART, image("query/g", "7"), image("gallery/b2", "2", pid, camid)])
    assert finding.level == "warning"
    assert (
        finding.wrong.startswith("1 of 2 images of query are in gallery too")
        and "query/b = gallery/b2" in finding.wrong
    )


def test_what_the_filter_drops_is_no_leak() -> None:
    assert leaks([*APART, image("gallery/b2", "2", 5, 1)]) == []


@pytest.mark.parametrize(
    ("learnt", "measured"),
    [
        ("train", "query"),
        ("train", "gallery"),
        ("train", "val_query"),
        ("val_query", "query"),
        ("val_gallery", "gallery"),
    ],
)
def test_a_file_that_was_learnt_from_is_measured_on(learnt: str, measured: str) -> None:
    found = leaks([image(f"{learnt}/x", "9"), image(f"{measured}/y", "9"), image(f"{measured}/z", "8")])
    assert [finding.wrong for finding in found] == [
        f"1 of 2 images of {measured} are in {learnt} too: {measured}/y = {learnt}/x"
    ]
    assert leaks([image("labeler/x", "9"), image(f"{measured}/y", "9")]) == []


def test_many_are_counted_and_some_named() -> None:
    many = [image(f"{split}/{i}", str(i), camid=len(split)) for split in ("query", "gallery") for i in range(5)]
    (finding,) = leaks(many)
    assert finding.wrong.startswith("5 of 5 images") and finding.wrong.endswith("query/2 = gallery/2 and 2 more")


def test_images_that_another_run_was_trained_on() -> None:
    training = [image("train/t", "2"), image("gallery/u", "3")]
    (found,) = trained_on(APART, "other-import", training)
    assert found.wrong == "1 of 3 images of query and gallery were training images of other-import: query/b = train/t"
    assert trained_on(APART, "other-import", training[1:]) == []
