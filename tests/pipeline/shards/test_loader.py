"""The loader: every image once, in the order asked for, and no thread left behind."""

from __future__ import annotations

import itertools
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import UserError
from pipeline.io.files import digest_file
from pipeline.runs.made_by import MadeBy
from pipeline.runtime.prefetch import AHEAD, ahead
from pipeline.shards.dataset import ShardDataset
from pipeline.shards.digest import ShardContent
from pipeline.shards.format import ShardWriter
from pipeline.shards.index import ShardEntry, ShardIndex, SplitEntry, write_index
from pipeline.shards.loader import BatchLoader, Memory
from sorn.sample import Sample, Status

SIZE = (16, 8)
LABELER = {"name": "ground_truth", "version": 1, "options": {}, "weights": None}


def write_run(folder: Path, counts: tuple[int, ...]) -> Path:
    """Shards of so many images each; image i has pid i, its number (of two bytes) as colour, and mask i % 8."""
    entries, whole, first = [], ShardContent(), 0
    for number, count in enumerate(counts):
        path = folder / f"train/shard-{number:05d}.h5"
        with ShardWriter(path, count, SIZE, "f", LABELER) as writer:
            for i in range(first, first + count):
                image = np.full((*SIZE, 3), (i % 256, i // 256, 7), np.uint8)
                writer.append(Sample(image, np.full(SIZE, i % 8, np.uint8), i, 0, f"train/{i:04d}.jpg", Status.OK))
        file = path.relative_to(folder).as_posix()
        entries.append(ShardEntry(file, "train", count, writer.content.digest, digest_file(path)))
        whole.extend(writer.content)
        first += count
    split = SplitEntry(first, whole.digest, whole.detection_digest, dict(whole.status), whole.foreground_share)
    index = ShardIndex("f", MadeBy.of(LABELER), None, SIZE, tuple(range(first)), {"train": split}, tuple(entries))
    write_index(folder / "index.json", index)
    return folder / "index.json"


def shuffled(images: int, size: int, seed: int = 0) -> list[np.ndarray]:
    order = np.random.default_rng(seed).permutation(images)
    return np.split(order, range(size, images, size))


def threads_at_work() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("ThreadPoolExecutor")}


@pytest.mark.parametrize("workers", [0, 1, 2, 5])
def test_every_image_comes_once_and_in_order(tmp_path: Path, workers: int) -> None:
    images = 600  # many times what is read ahead
    data = ShardDataset(write_run(tmp_path, (256, 1, 343)), "train")
    chosen = shuffled(images, 7)
    loader = BatchLoader(data, chosen, workers)
    batches = list(loader)
    assert len(loader) == len(batches) == 86 and [len(batch) for batch in batches] == [7] * 85 + [5]
    order = np.concatenate(chosen)
    assert sorted(order.tolist()) == list(range(images))
    assert np.concatenate([batch.index.numpy() for batch in batches]).tolist() == order.tolist()
    image = torch.cat([batch.image for batch in batches])
    assert image.shape == (images, *SIZE, 3) and image.dtype == torch.uint8
    expected = np.stack([order % 256, order // 256, np.full(images, 7)], axis=1)
    assert np.array_equal(image.numpy(), np.broadcast_to(expected[:, None, None], image.shape))
    mask = torch.cat([batch.mask for batch in batches]).numpy()
    assert np.array_equal(mask, np.broadcast_to((order % 8)[:, None, None], mask.shape))
    assert torch.cat([batch.label for batch in batches]).tolist() == order.tolist()
    assert all(batch.labelled.all() for batch in batches)


def test_a_loader_can_be_read_again_and_by_two_at_once(tmp_path: Path) -> None:
    data = ShardDataset(write_run(tmp_path, (40,)), "train")
    loader = BatchLoader(data, shuffled(40, 6), workers=2)
    for one, other in zip(loader, loader, strict=True):
        assert torch.equal(one.image, other.image) and one.image.data_ptr() != other.image.data_ptr()
    assert len(list(loader)) == 7


def test_no_position_gives_no_batch(tmp_path: Path) -> None:
    data = ShardDataset(write_run(tmp_path, (3,)), "train")
    assert list(BatchLoader(data, [], workers=2)) == []
    assert [len(batch) for batch in BatchLoader(data, [np.empty(0, np.int64)], workers=2)] == [0]


def test_leaving_early_ends_the_threads(tmp_path: Path) -> None:
    data = ShardDataset(write_run(tmp_path, (300,)), "train")
    before = threads_at_work()
    for _ in BatchLoader(data, shuffled(300, 2), workers=3):
        assert threads_at_work() - before
        break
    assert threads_at_work() == before
    with pytest.raises(ZeroDivisionError):
        for _ in BatchLoader(data, shuffled(300, 2), workers=3):
            raise ZeroDivisionError
    assert threads_at_work() == before


@pytest.mark.parametrize("workers", [0, 2])
def test_a_shard_that_is_cut_off_reaches_the_taker_and_ends_the_threads(tmp_path: Path, workers: int) -> None:
    data = ShardDataset(write_run(tmp_path, (64, 64)), "train")
    before = threads_at_work()
    with open(tmp_path / "train" / "shard-00001.h5", "r+b") as file:
        file.truncate(5000)
    taken = []
    with pytest.raises(UserError, match=r"shard-00001\.h5 was cut off while it was read, at image \d+\. Run the masks"):
        for batch in BatchLoader(data, np.split(np.arange(128), 16), workers):
            taken.append(batch)
    assert len(taken) == 8  # the first shard is whole
    assert threads_at_work() == before


def test_a_shard_that_is_gone_is_told_in_one_sentence(tmp_path: Path) -> None:
    data = ShardDataset(write_run(tmp_path, (8,)), "train")
    (tmp_path / "train" / "shard-00000.h5").unlink()
    with pytest.raises(UserError, match=r"shard-00000\.h5 can no longer be read: .*No such file"):
        list(BatchLoader(data, shuffled(8, 4), workers=1))


def test_what_was_waited_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = ShardDataset(write_run(tmp_path, (8,)), "train")
    read = data.read

    def slow(*arguments: object) -> object:
        time.sleep(0.05)
        return read(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(data, "read", slow)
    loader = BatchLoader(data, shuffled(8, 2), workers=0)
    list(loader)
    assert 0.2 <= loader.waited < 1
    beside = BatchLoader(data, shuffled(8, 2), workers=2)
    for number, _ in enumerate(beside):
        time.sleep(0.2 if number == 0 else 0)  # work, during which all others are read
    assert 0.05 <= beside.waited < 0.15


def test_memory_is_lent_again_when_no_tensor_shares_it() -> None:
    memory = Memory((4, 3))
    first = memory.lend(4)
    second = memory.lend(2)
    assert first.shape == (4, 3) and second.shape == (2, 3) and first.dtype == torch.uint8
    addresses = [first.data_ptr(), second.data_ptr()]
    row, numbers = first[3], second.numpy()
    del first, second
    others = [memory.lend(4), memory.lend(4)]  # a row and an array still share what was lent
    assert not {one.data_ptr() for one in others} & set(addresses)
    row.fill_(9)
    numbers[:] = 9
    del row, numbers
    assert {memory.lend(1).data_ptr()} <= set(addresses)
    third, fourth = memory.lend(4), memory.lend(4)
    assert {third.data_ptr(), fourth.data_ptr()} == set(addresses)


@pytest.mark.parametrize("workers", [0, 2])
def test_no_more_memory_than_what_is_held_and_read_ahead(tmp_path: Path, workers: int) -> None:
    data = ShardDataset(write_run(tmp_path, (200,)), "train")
    used = {batch.image.data_ptr() for batch in BatchLoader(data, shuffled(200, 2), workers)}
    assert len(used) <= 3 + AHEAD * workers  # one taken, one that its taker has not let go of, one just asked for


@pytest.mark.parametrize("threads", [1, 3])
def test_no_more_than_a_few_are_held(threads: int) -> None:
    begun = itertools.count()
    results = ahead(lambda i: (next(begun), i)[1], ((i,) for i in range(100)), threads)
    assert next(results) == 0
    time.sleep(0.1)
    assert next(begun) == 1 + AHEAD * threads
    results.close()


def test_without_threads_nothing_is_computed_ahead() -> None:
    asked: list[int] = []
    results = ahead(lambda i: asked.append(i), ((i,) for i in range(3)), 0)
    assert asked == []
    next(results)
    assert asked == [0]


def test_every_thread_begins_with_the_initializer() -> None:
    begun: list[str] = []
    together = threading.Barrier(2)
    done = ahead(lambda: together.wait(10), ((),) * 2, 2, lambda: begun.append(threading.current_thread().name))
    assert sorted(done) == [0, 1]
    assert len(set(begun)) == 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU to pin memory for")
def test_pinned_batches_hold_the_same(tmp_path: Path) -> None:
    data = ShardDataset(write_run(tmp_path, (50,)), "train")
    chosen = shuffled(50, 8)
    for pinned, plain in zip(BatchLoader(data, chosen, 2, pin=True), BatchLoader(data, chosen, 0), strict=True):
        for field in ("image", "mask", "label", "index", "labelled"):
            one = getattr(pinned, field)
            assert one.is_pinned() and torch.equal(one, getattr(plain, field))
            assert torch.equal(one.to("cuda", non_blocking=True).cpu(), one)
