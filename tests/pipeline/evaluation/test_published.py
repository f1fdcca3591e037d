"""The paper's figures: beside an evaluation of what the paper measured, and of nothing else."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from record_tables import table_of

from pipeline.datasets.manifest import Manifest, Protocol, load_manifest
from pipeline.datasets.records import ImageRecord
from pipeline.evaluation.published import Measured, deviation, published
from pipeline.runs.config import EvalConfig

TEST = EvalConfig()


def people(manifest: Manifest, split: str) -> int:
    return manifest.expected_ids.get(split, 10)


def whole(name: str) -> list[ImageRecord]:
    """Records with the counts of the dataset as published."""
    manifest, records = load_manifest(name), []
    for image_set in manifest.set:
        cameras = [camid for camid, count in image_set.per_camera.items() for _ in range(count)]
        for i in range(image_set.images or 0):
            camid = int(cameras[i]) if cameras else 1
            pid = i % people(manifest, image_set.split)
            records.append(ImageRecord(f"{image_set.prefix}{i}.jpg", Path("x"), pid, camid, image_set.split))
    return records


def of(name: str, trained_on: str = "", protocol: str = "default", options: EvalConfig = TEST) -> Measured:
    manifest = load_manifest(name)
    return Measured(manifest, manifest.find_protocol(protocol), options, table_of(whole(name)), trained_on or name)


@pytest.mark.parametrize(
    ("name", "trained_on", "figure"),
    [
        ("market1501", "market1501", 94.8),
        ("occluded_duke", "occluded_duke", 57.6),
        ("partial_reid", "market1501", 76.7),
        ("partial_ilids", "market1501", 79.8),
    ],
)
def test_the_whole_test_split_under_its_protocol_stands_beside_the_paper(
    name: str, trained_on: str, figure: float
) -> None:
    found = published(of(name, trained_on))
    assert [row["rank-1"] for row in found.rows if row["method"] == "SORN"][-1] == figure and not found.left_out


def test_norms_adapted_to_the_gallery_are_another_protocol_than_the_papers() -> None:
    found = published(of("market1501", options=EvalConfig(adapt_norms=True)))
    assert not found.rows and "had not seen the gallery" in found.left_out
    assert published(of("market1501", options=EvalConfig(flip=True))).rows


def test_a_dataset_that_the_paper_does_not_have_needs_no_word() -> None:
    assert published(of("p_dukemtmc")) == published(of("synped_demo"))
    assert not published(of("synped_demo")).rows and not published(of("synped_demo")).left_out


@pytest.mark.parametrize(
    ("measured", "why"),
    [
        (of("market1501", options=EvalConfig(split="val")), "these figures of split val"),
        (of("market1501", "synped"), "their networks were trained on market1501, this one on synped"),
        (of("partial_reid", "partial_reid"), "trained on market1501, this one on partial_reid"),
        (of("partial_reid", "market1501", "partial"), "not of protocol partial"),
        (of("partial_reid", "market1501", "occluded_single_shot"), "not of protocol occluded_single_shot"),
        (dataclasses.replace(of("market1501"), unreadable=2), "here 2 unreadable images are left out"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.manifest.name,
)
def test_what_the_paper_did_not_measure_stands_alone(measured: Measured, why: str) -> None:
    found = published(measured)
    assert found.rows == () and why in found.left_out


def test_an_option_that_changes_the_protocol_is_another_protocol() -> None:
    one = of("market1501")
    drawn = dataclasses.replace(one, protocol=dataclasses.replace(one.protocol, shots=1, trials=10))
    assert not published(drawn).rows and "as it was evaluated here" in published(drawn).left_out


def test_a_row_that_names_its_protocol_is_of_that_one() -> None:
    single = Protocol("single", "One.", shots=1)
    rows = ({"source": "Table V", "method": "A", "rank-1": 1.0}, {"source": "V", "method": "B", "protocol": "single"})
    one = of("market1501")
    manifest = dataclasses.replace(one.manifest, protocol=(*one.manifest.protocol, single), paper=rows)
    for protocol, method in ((manifest.protocol[0], "A"), (single, "B")):
        found = published(dataclasses.replace(one, manifest=manifest, protocol=protocol))
        assert [row["method"] for row in found.rows] == [method]


@pytest.mark.parametrize("split", ["train", "query", "gallery"])
def test_a_missing_or_further_image_is_another_dataset(split: str) -> None:
    one = of("market1501")
    lost = next(record for record in one.records if record.split == split)
    fewer = [record for record in one.records if record != lost]
    more = [*one.records, dataclasses.replace(lost, name=f"{split}/new.jpg")]
    for records in (fewer, more):
        found = published(dataclasses.replace(one, records=table_of(records)))
        assert not found.rows and f"here {split}/ has {'3,36' if split == 'query' else '1'}" in found.left_out


def test_training_images_count_for_their_own_network_alone() -> None:
    """Of a network from elsewhere, only the test split matters."""
    manifest, records = load_manifest("market1501"), whole("market1501")
    tested = table_of(record for record in records if record.split != "train")
    assert deviation(manifest, tested, training=True).startswith("train/ has 0 images") and not deviation(
        manifest, tested, training=False
    )


def test_other_people_or_cameras_are_another_dataset() -> None:
    records = whole("market1501")
    same = table_of(dataclasses.replace(record, pid=0) if record.split == "query" else record for record in records)
    assert deviation(load_manifest("market1501"), same, training=True) == "query has 1 identities, not 750"
    moved = table_of(dataclasses.replace(record, camid=1) for record in whole("occluded_duke"))
    assert "by camera" in deviation(load_manifest("occluded_duke"), moved, training=False)
