"""The torch dataset: the right data from every process, labels by sorted pids, and refusals in words."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from pipeline.errors import UserError
from pipeline.io.files import digest_file
from pipeline.runs.made_by import MadeBy
from pipeline.shards.dataset import ShardDataset
from pipeline.shards.digest import ShardContent
from pipeline.shards.format import ShardWriter
from pipeline.shards.index import ShardEntry, ShardIndex, SplitEntry, read_index, verify_shards, write_index
from sorn.parts import CLASSES
from sorn.sample import Sample, Status

SIZE = (32, 16)
LABELER = {"name": "ground_truth", "version": 1, "options": {}, "weights": None}
PIDS = {"train": (30, 7, 30, 2, 7), "query": (7, 99, 98)}
UNREADABLE = {"train/003.jpg"}


def make_sample(split: str, i: int) -> Sample:
    rows, columns = np.indices(SIZE)
    image = np.stack([np.full(SIZE, i), rows, columns], axis=2).astype(np.uint8)
    name = f"{split}/{i:03d}.jpg"
    status = Status.UNLABELED if split == "query" else Status.UNREADABLE if name in UNREADABLE else Status.OK
    mask, keypoints = ((rows + i) % len(CLASSES)).astype(np.uint8), np.full((17, 3), i, np.float32)
    return Sample(image, mask, PIDS[split][i], i, name, status, keypoints=keypoints)


def write_run(folder: Path, per_shard: int = 2) -> Path:
    """A finished masks folder as the stage leaves it, with image 3 of the training split unreadable."""
    shards, splits = [], {}
    for split, pids in PIDS.items():
        whole = ShardContent()
        for number, first in enumerate(range(0, len(pids), per_shard)):
            rows = range(first, min(first + per_shard, len(pids)))
            path = folder / split / f"shard-{number:05d}.h5"
            with ShardWriter(path, len(rows), SIZE, "f", LABELER) as writer:
                for i in rows:
                    writer.append(make_sample(split, i))
            file = path.relative_to(folder).as_posix()
            shards.append(ShardEntry(file, split, len(rows), writer.content.digest, digest_file(path)))
            whole.extend(writer.content)
        splits[split] = SplitEntry(
            len(pids), whole.digest, whole.detection_digest, dict(whole.status), whole.foreground_share
        )
    index = ShardIndex("f", MadeBy.of(LABELER), None, SIZE, tuple(sorted(set(PIDS["train"]))), splits, tuple(shards))
    write_index(folder / "index.json", index)
    return folder / "index.json"


def test_the_index_is_read_as_it_was_written(tmp_path: Path) -> None:
    index = read_index(write_run(tmp_path))
    assert index.pids == (2, 7, 30) and index.image_size == SIZE
    assert [entry.file for entry in index.shards][:2] == ["train/shard-00000.h5", "train/shard-00001.h5"]
    assert index.splits["train"].status == {"ok": 4, "unreadable": 1}


def test_split_digests_do_not_depend_on_shard_boundaries(tmp_path: Path) -> None:
    two, three = (read_index(write_run(tmp_path / str(n), n)) for n in (2, 3))
    assert two.splits == three.splits and two.shards != three.shards


def test_labels_are_positions_of_sorted_pids_and_unreadable_images_stay_out(tmp_path: Path) -> None:
    data = ShardDataset(write_run(tmp_path), "train")
    assert data.name.tolist() == ["train/000.jpg", "train/001.jpg", "train/002.jpg", "train/004.jpg"]
    assert data.unreadable == ["train/003.jpg"]
    assert data.label.tolist() == [2, 1, 2, 1]
    assert data.identities == 3
    assert ShardDataset(tmp_path / "index.json", "query").label.tolist() == [1, -1, -1]


def test_a_batch_holds_what_the_shards_hold(tmp_path: Path) -> None:
    data = ShardDataset(write_run(tmp_path), "train")
    batch = data.__getitems__([3, 0, 3])
    expected = [make_sample("train", i) for i in (4, 0, 4)]
    assert np.array_equal(batch.image.numpy(), np.stack([sample.image for sample in expected]))
    assert np.array_equal(batch.mask.numpy(), np.stack([sample.mask for sample in expected]))
    assert batch.label.tolist() == [1, 2, 1] and batch.index.tolist() == [3, 0, 3]
    assert (batch.image.dtype, batch.mask.dtype, batch.label.dtype) == (torch.uint8, torch.uint8, torch.int64)
    assert np.array_equal(data[3].mask, expected[0].mask) and data[3].name == "train/004.jpg"


def test_keypoints_are_those_of_the_readable_images(tmp_path: Path) -> None:
    data = ShardDataset(write_run(tmp_path), "train")
    assert data.keypoints.shape == (4, 17, 3) and data.keypoints[:, 5, 1].tolist() == [0, 1, 2, 4]


def test_forked_workers_read_the_same_as_one_process(tmp_path: Path) -> None:
    data = ShardDataset(write_run(tmp_path), "train")
    batches = [[int(i) for i in np.random.default_rng(b).permutation(4)[:3]] for b in range(12)]
    data.__getitems__([0, 1, 2, 3])  # the handles are open before the fork: the workers share them

    def read(workers: int) -> list[torch.Tensor]:
        loader = DataLoader(data, batch_sampler=batches, num_workers=workers, collate_fn=lambda batch: batch)
        return [torch.cat([batch.image.flatten(), batch.mask.flatten(), batch.index]) for batch in loader]

    alone, two = read(0), read(2)
    assert len(alone) == len(two) == 12
    assert all(torch.equal(a, b) for a, b in zip(alone, two, strict=True))


def test_masks_that_are_not_there_are_missed_in_words(tmp_path: Path) -> None:
    index = write_run(tmp_path)
    ShardDataset(index, "train").require_labels()
    with pytest.raises(UserError, match="3 of 3 images of split 'query' have no part labels"):
        ShardDataset(index, "query").require_labels()


def test_a_mask_without_parts_is_no_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    statuses = {0: Status.EMPTY, 1: Status.LOW_RESOLUTION, 2: Status.SEVERAL_PEOPLE, 3: Status.UNREADABLE}
    made = make_sample
    monkeypatch.setitem(
        globals(),
        "make_sample",
        lambda split, i: dataclasses.replace(made(split, i), status=statuses.get(i, Status.OK)),
    )
    data = ShardDataset(write_run(tmp_path), "train")
    assert data.labelled.tolist() == [False, True, True, True]
    assert data.__getitems__([2, 0]).labelled.tolist() == [True, False]
    data.require_labels()
    for i in range(5):
        statuses[i] = Status.EMPTY
    nobody = ShardDataset(write_run(tmp_path / "nobody"), "train")
    with pytest.raises(UserError, match=r"ground_truth found no body part in any of the 5 images of split 'train'"):
        nobody.require_labels()


def test_a_split_that_is_not_stored(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no split 'gallery'\. It holds: query, train"):
        ShardDataset(write_run(tmp_path), "gallery")


def test_a_split_without_an_image_that_can_be_read(tmp_path: Path) -> None:
    path = write_run(tmp_path)
    index = read_index(path)
    others = tuple(entry for entry in index.shards if entry.split != "query")
    write_index(path, dataclasses.replace(index, shards=others))
    with pytest.raises(UserError, match=r"index\.json holds no readable image of split 'query'\. Run the masks stage"):
        ShardDataset(path, "query")


def test_a_shard_without_images(tmp_path: Path) -> None:
    path = write_run(tmp_path)
    with h5py.File(tmp_path / "query" / "shard-00000.h5", "r+") as file:
        for name in list(file):
            nothing = file[name][:0]
            del file[name]
            file[name] = nothing
    with pytest.raises(UserError, match=r"query/shard-00000\.h5 is truncated or no shard: it holds no image"):
        ShardDataset(path, "query")


def test_shards_of_another_schema_are_refused(tmp_path: Path) -> None:
    path = write_run(tmp_path)
    with h5py.File(tmp_path / "train" / "shard-00001.h5", "r+") as file:
        file.attrs["schema_version"] = 1
    with pytest.raises(UserError, match=r"shard-00001\.h5 is of schema version 1, this program of 3"):
        ShardDataset(path, "train")


def test_one_image_per_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PIDS, "train", (30, 7, 21, 2, 9))
    data = ShardDataset(write_run(tmp_path), "train")
    assert data.identities == 5 and data.label.tolist() == [4, 1, 3, 2]  # that of pid 2 cannot be read


def test_an_index_that_is_missing_broken_or_from_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there are no shards: .*index\.json is missing"):
        read_index(tmp_path / "index.json")
    path = write_run(tmp_path)
    text = path.read_text(encoding="utf-8")
    path.write_text(text[: len(text) // 2], encoding="utf-8")
    with pytest.raises(UserError, match="is not an index of shards"):
        read_index(path)
    path.write_text(json.dumps({**json.loads(text), "schema_version": 9}), encoding="utf-8")
    with pytest.raises(UserError, match="is of schema version 9, this program of 3"):
        read_index(path)


def test_shards_of_another_run_or_labeler_are_refused(tmp_path: Path) -> None:
    path = write_run(tmp_path)
    index = read_index(path)
    write_index(path, dataclasses.replace(index, fingerprint="g"))
    with pytest.raises(UserError, match=r"shard-00000\.h5 is not the one that index\.json names: another run wrote it"):
        ShardDataset(path, "train")
    write_index(path, dataclasses.replace(index, labeler=MadeBy.of({**LABELER, "name": "import"})))
    with pytest.raises(UserError, match=r'was labelled by \{"name": "ground_truth".*the index has \{"name": "import"'):
        ShardDataset(path, "train")
    write_index(path, index)
    (tmp_path / "train" / "shard-00001.h5").unlink()
    with pytest.raises(UserError, match=r"shard-00001\.h5 is missing"):
        ShardDataset(path, "train")


def test_bytes_that_changed_are_found(tmp_path: Path) -> None:
    path = write_run(tmp_path)
    verify_shards(path)
    shard = tmp_path / "query" / "shard-00000.h5"
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(bytes(content))
    with pytest.raises(UserError, match=r"query/shard-00000\.h5 is missing or was changed"):
        verify_shards(path)
