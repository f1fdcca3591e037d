"""Counts, protocols and what makes a dataset unfit, on records made by hand."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from record_tables import table_of

from pipeline.datasets.findings import judge
from pipeline.datasets.found import Found
from pipeline.datasets.manifest import ImageSet, Manifest
from pipeline.datasets.records import ImageRecord

ROOT = Path("/d")


def found(*images: tuple[str, int, int]) -> Found:
    """images: split, pid, camid."""
    records = [
        ImageRecord(f"{split}/{number}.jpg", ROOT / f"{number}.jpg", pid, camid, split)
        for number, (split, pid, camid) in enumerate(images)
    ]
    folders = {f"{split}/": ROOT / split for split, _, _ in images}
    return Found(ROOT, "folders", table_of(records), folders, {}, [])


def said(manifest: Manifest, what: Found) -> list[str]:
    return [f"{finding.level}: {finding.wrong} -> {finding.remedy}" for finding in judge(manifest, what)]


PLAIN = Manifest("m", "M")
GOOD = (("train", 1, 1), ("train", 2, 2), ("query", 3, 1), ("gallery", 3, 2))


def with_train(images: int, per_camera: dict[str, int] | None = None, **changes: object) -> Manifest:
    image_set = ImageSet("train", folders=("train",), images=images, per_camera=per_camera or {})
    return dataclasses.replace(PLAIN, set=(image_set,), **changes)  # type: ignore[arg-type]


def test_nothing_to_say_about_a_good_dataset() -> None:
    assert said(PLAIN, found(*GOOD)) == []


def test_missing_images_are_an_error_unless_a_part_is_used_on_purpose() -> None:
    (text,) = said(with_train(1200), found(*GOOD))
    assert text.startswith("error: /d/train holds 2 of 1,200 images, 1,198 are missing -> Copy that folder again")
    assert 'base = "m" and subset = true' in text
    assert said(with_train(1200, subset=True), found(*GOOD))[0].startswith("warning: /d/train holds 2 of 1,200 images")


def test_more_images_than_expected_are_a_warning() -> None:
    assert said(with_train(1), found(*GOOD))[0].startswith("warning: /d/train holds 2 images, 1 more than expected")


def test_junk_that_is_kept_is_recognised() -> None:
    (text,) = said(with_train(2), found(*GOOD, ("train", -1, 1), ("train", -1, 2), ("train", -1, 3)))
    assert text.startswith("error: /d/train holds 2+3 images: junk is kept -> Set junk_pids = [-1]")


def test_another_datasets_counts_are_recognised() -> None:
    duke = dataclasses.replace(
        PLAIN, name="occluded_duke", pattern=r"^(?P<pid>\d{4})_c(?P<camid>[1-8])_f(?P<frame>\d{7})\.jpg$"
    )
    duke = dataclasses.replace(duke, set=(ImageSet("query", folders=("query",), images=2210),))
    images = found(*[("query", pid, 1) for pid in range(2228)], *[("gallery", pid, 2) for pid in range(2228)])
    assert said(duke, images)[0].startswith(
        "error: /d/query holds 2,228 images, 18 more than expected; 2,228 is the count of DukeMTMC-reID"
    )


def test_identities_and_cameras_are_compared_when_the_count_is_right() -> None:
    (text,) = said(with_train(2, {"1": 2}), found(*GOOD))
    assert text.startswith("warning: /d/train has 1:1 2:1 images by camera, expected 1:2")
    (text,) = said(with_train(2, expected_ids={"train": 3}), found(*GOOD))
    assert text.startswith("warning: train has 2 identities, expected 3")


def test_query_ids_that_are_not_in_the_gallery() -> None:
    labelled = dataclasses.replace(found(*GOOD, ("query", 9, 1)), pid_labels={9: "zoe"})
    (text,) = said(PLAIN, labelled)
    assert text.startswith("error: /d: 1 identities of query are not in gallery: zoe -> Add a gallery image of each")


def test_one_camera_only() -> None:
    (text,) = said(PLAIN, found(("query", 3, 4), ("gallery", 3, 4), ("gallery", 5, 4)))
    assert (
        text.startswith("error: /d: query and gallery have one camera only, 4 -> ")
        and "0 in query, 1 in gallery" in text
    )


def test_queries_without_another_camera_are_skipped_unless_all_are() -> None:
    alone = (("query", 4, 1), ("gallery", 4, 1))
    (text,) = said(PLAIN, found(*GOOD, *alone))
    assert text.startswith("warning: 1 of 2 images of query have no image by another camera in gallery: query/4.jpg ->")
    (text,) = said(PLAIN, found(*alone, ("gallery", 5, 2)))
    assert text.startswith("error: 1 of 1 images of query")


def test_query_without_gallery_and_gallery_without_query() -> None:
    assert said(PLAIN, found(("query", 1, 1)))[0].startswith("error: /d: query has images, but gallery has none")
    assert said(PLAIN, found(("val_gallery", 1, 1)))[0].startswith("error: /d: val_gallery has images, but val_query")


def test_training_data() -> None:
    assert said(PLAIN, found(("train", 1, 1)))[0].startswith("error: /d: train has one identity only")
    assert said(PLAIN, found(("train", 1, 1), ("train", 2, 1)))[0].startswith("warning: train has one camera only, 1")
    (text,) = said(PLAIN, found(*GOOD, ("train", 3, 1)))
    assert text.startswith("warning: 1 of 3 identities of train are in query too: 3 ->")


def test_people_of_train_in_the_gallery() -> None:
    (text,) = said(PLAIN, found(*GOOD, ("gallery", 1, 1)))
    assert text.startswith("warning: 1 of 2 identities of train are in gallery too: 1 ->")
    assert said(dataclasses.replace(PLAIN, distractor_pids=(1,)), found(*GOOD, ("gallery", 1, 1))) == []


def test_no_image_at_all() -> None:
    assert said(PLAIN, found())[0].startswith("error: /d: no image was found")
