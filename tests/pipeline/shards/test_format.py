"""Shards: written whole or not at all, the same bytes every time, and never believed without being checked."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.runs.made_by import MadeBy
from pipeline.shards.digest import ShardContent
from pipeline.shards.format import ShardReader, ShardWriter
from sorn.parts import CLASSES
from sorn.sample import Sample, Status, no_keypoints

SIZE = (32, 16)
LABELER = {"name": "ground_truth", "version": 1, "options": {}, "weights": None}


def make_sample(i: int, status: Status = Status.OK) -> Sample:
    """Image i of a closed form: every pixel says which image and where it is."""
    rows, columns = np.indices(SIZE)
    image = np.stack([np.full(SIZE, i), rows, columns], axis=2).astype(np.uint8)
    mask = ((rows + i) % len(CLASSES)).astype(np.uint8)
    keypoints = np.linspace(0, 1, 51, dtype=np.float32).reshape(17, 3) / (1 + i)
    return Sample(
        image,
        mask,
        pid=10 + i,
        camid=i % 3,
        name=f"train/ä/{i:03d}.jpg",
        status=status,
        people=1 + i,
        box=(0.0, 0.125, 0.5, 1.0),
        score=0.25,
        keypoints=keypoints,
    )


def write_shard(path: Path, count: int = 5, first: int = 0) -> ShardWriter:
    with ShardWriter(path, count, SIZE, "f" * 64, LABELER) as writer:
        for i in range(first, first + count):
            writer.append(make_sample(i))
    return writer


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    writer = write_shard(tmp_path / "train" / "shard-00000.h5")
    reader = ShardReader(writer.path)
    assert (len(reader), reader.image_size, reader.fingerprint, reader.labeler) == (
        5,
        SIZE,
        "f" * 64,
        MadeBy.of(LABELER),
    )
    for row in (3, 0, 4):
        found, expected = reader.sample(row), make_sample(row)
        assert np.array_equal(found.image, expected.image) and np.array_equal(found.mask, expected.mask)
        assert (found.pid, found.camid, found.name, found.status) == (10 + row, row % 3, expected.name, Status.OK)
        assert (found.people, found.box, found.score) == (1 + row, (0.0, 0.125, 0.5, 1.0), 0.25)
        assert np.array_equal(found.keypoints, expected.keypoints)
    assert reader.verified_content().digest == writer.content.digest


def test_threads_read_masks_at_once(tmp_path: Path) -> None:
    reader = ShardReader(write_shard(tmp_path / "a.h5", count=64).path)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(reader.mask, range(64)))
    assert all(np.array_equal(mask, make_sample(row).mask) for row, mask in enumerate(found))


def test_the_bytes_depend_on_the_content_alone(tmp_path: Path) -> None:
    first, second = write_shard(tmp_path / "a.h5"), write_shard(tmp_path / "b.h5")
    assert first.path.read_bytes() == second.path.read_bytes()
    third = write_shard(tmp_path / "c.h5", first=1)
    assert third.content.digest != first.content.digest


def test_a_pose_is_covered_by_a_digest_of_its_own(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "a.h5").path
    posed = ShardContent()
    for i in range(5):
        posed.add(dataclasses.replace(make_sample(i), keypoints=no_keypoints()))
    assert posed.digest == ShardReader(path).content_digest
    assert posed.detection_digest != ShardReader(path).detection_digest
    with h5py.File(path, "r+") as file:
        file["keypoints"][2, 5, 0] += 0.5
    with pytest.raises(UserError, match="does not match its own digest"):
        ShardReader(path).verified_content()


def test_foreground_is_the_mean_over_labelled_images(tmp_path: Path) -> None:
    half = np.zeros(SIZE, np.uint8)
    half[: SIZE[0] // 2] = 2
    with ShardWriter(tmp_path / "a.h5", 2, SIZE, "", LABELER) as writer:
        image = np.zeros((*SIZE, 3), np.uint8)
        writer.append(Sample(image, half, 1, 1, "a", Status.OK))
        writer.append(Sample(image, np.zeros(SIZE, np.uint8), 1, 1, "b", Status.UNREADABLE))
    assert writer.content.foreground_share == 0.5
    assert writer.content.status == {"ok": 1, "unreadable": 1}


def test_an_exception_publishes_nothing_and_keeps_the_old_shard(tmp_path: Path) -> None:
    path = tmp_path / "shard.h5"
    before = write_shard(path).path.read_bytes()
    with pytest.raises(RuntimeError, match="labeler died"), ShardWriter(path, 5, SIZE, "", LABELER) as writer:
        writer.append(make_sample(0))
        raise RuntimeError("labeler died")
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["shard.h5"]


def test_a_short_shard_is_not_published(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="1 of 2"), ShardWriter(tmp_path / "s.h5", 2, SIZE, "", LABELER) as writer:
        writer.append(make_sample(0))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "call", ["os.posix_fallocate", "pipeline.shards.format.ShardWriter.append", "os.fsync", "os.replace"]
)
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(call, full)
    with pytest.raises(UserError, match=r"disk is full: .*shard\.h5 could not be written\. Free space"):
        write_shard(tmp_path / "shard.h5")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kept", [0, 100, 3000, -1])
def test_a_truncated_shard_is_refused(tmp_path: Path, kept: int) -> None:
    path = write_shard(tmp_path / "shard.h5").path
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match=r"shard\.h5 is truncated or no shard: .*Run the masks stage again"):
        ShardReader(path)


def test_joints_that_are_cut_while_they_are_read(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "shard.h5").path
    reader = ShardReader(path)
    with h5py.File(path) as file:
        offset = file["keypoints"].id.get_offset()
    with open(path, "r+b") as cut:
        cut.truncate(offset + 2 * 17 * 3 * 4 + 5)
    assert np.array_equal(reader.sample(1).keypoints, make_sample(1).keypoints)
    with pytest.raises(UserError, match="was cut off while it was read, at image 2"):
        _ = reader.keypoints
    with pytest.raises(UserError, match="was cut off while it was read, at image 3"):
        reader.sample(3)


def test_a_shard_that_is_cut_while_it_is_read(tmp_path: Path) -> None:
    reader = ShardReader(write_shard(tmp_path / "shard.h5").path)
    with open(reader.path, "r+b") as file:
        file.truncate(3000)
    with pytest.raises(UserError, match="was cut off while it was read"):
        reader.sample(4)


def test_files_that_are_no_shards(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.h5 is missing"):
        ShardReader(tmp_path / "gone.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(UserError, match="truncated or no shard"):
        ShardReader(tmp_path / "other.h5")


def test_another_schema_version_is_named(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "shard.h5").path
    with h5py.File(path, "r+") as file:
        file.attrs["schema_version"] = 7
    with pytest.raises(UserError, match=r"shard\.h5 is of schema version 7, this program of 3"):
        ShardReader(path)


def test_damage_inside_a_shard_is_found(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "shard.h5").path
    with h5py.File(path, "r+") as file:
        file["mask"][2, 0, 0] ^= 1
    with pytest.raises(UserError, match=r"shard\.h5 is damaged"):
        ShardReader(path).verified_content()


def test_a_pickled_reader_opens_its_own_file(tmp_path: Path) -> None:
    reader = ShardReader(write_shard(tmp_path / "shard.h5").path)
    reader.sample(0)
    copy = pickle.loads(pickle.dumps(reader))
    assert copy._file is None
    assert np.array_equal(copy.sample(2).image, make_sample(2).image)


def test_the_digest_is_what_the_documentation_says(tmp_path: Path) -> None:
    writer = write_shard(tmp_path / "a.h5", count=2)
    items = []
    for i in range(2):
        facts = f'["train/\\u00e4/00{i}.jpg",{10 + i},{i},0,[32,16]]'.encode()
        items.append(hashlib.sha256(facts + make_sample(i).image.tobytes() + make_sample(i).mask.tobytes()).hexdigest())
    whole = hashlib.sha256(f'["{items[0]}","{items[1]}"]'.encode()).hexdigest()
    with h5py.File(writer.path) as file:
        assert file.attrs["content_digest"].decode() == whole


def test_a_second_reader_needs_h5py_alone(tmp_path: Path) -> None:
    """The example in docs/formats.md, run as it is printed there."""
    path = write_shard(tmp_path / "shard-00000.h5").path
    text = (Path(__file__).parents[3] / "docs" / "formats.md").read_text(encoding="utf-8")
    example = text.split("```python\n")[1].split("```")[0]
    found: dict[str, object] = {}
    exec(example.replace('"shard-00000.h5"', repr(str(path))), found)
    expected = make_sample(3)
    assert np.array_equal(found["image"], expected.image) and np.array_equal(found["mask"], expected.mask)
    assert (found["name"], found["pid"]) == (expected.name, expected.pid)
    assert list(found["classes"]) == list(CLASSES)


def test_the_documentation_lists_todays_ids() -> None:
    text = (Path(__file__).parents[3] / "docs" / "formats.md").read_text(encoding="utf-8")
    assert "Classes: " + ", ".join(f"{i} {name}" for i, name in enumerate(CLASSES)) + "." in text
    listed = text.split("Status: ")[1].split(".")[0].replace(" (no body part found)", "")
    assert listed == ", ".join(f"{status} {status.name.lower().replace('_', ' ')}" for status in Status)
