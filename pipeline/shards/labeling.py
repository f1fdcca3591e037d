"""Labeling in the masks stage: images -> labelled samples -> shards.

Reads images, writes masks/<split>/shard-*.h5. One thread decodes, labels and resizes a batch of images from end to end.
Several batches are computed at a time, while finished ones are hashed and written behind them, in order. The images of
a batch depend on their shard alone, and torch computes a batch with a single thread, because its sums depend on the
number of threads (measured: fp32 convolutions of odd batches; one image in a few then has other labels). So a shard has
the same bytes for any number of threads, processes or machines. Several batches at a time also take less time than one
batch on all cores.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

import numpy as np

from pipeline import labelers
from pipeline.datasets.record_table import RecordTable
from pipeline.datasets.records import ImageRecord
from pipeline.io.images import decode, resize_image, resize_mask
from pipeline.labelers import keypoints
from pipeline.labelers.base import Labeled, Labeler, Source
from pipeline.labelers.keypoints.base import KeypointFinder
from pipeline.runs.config import Config, Runtime
from pipeline.runs.layout import Paths
from pipeline.runtime import distributed
from pipeline.runtime.memory import keep_freed_memory
from pipeline.runtime.prefetch import ahead
from pipeline.runtime.threads import single_torch_thread
from pipeline.shards.change import Change
from pipeline.shards.digest import ShardContent
from pipeline.shards.format import ShardReader, ShardWriter
from pipeline.shards.mending import Mending, finished_shard
from pipeline.shards.plan import PlannedShard
from sorn.sample import Sample, Status, no_keypoints
from sorn.threads import use_one_torch_thread

LARGEST_BATCH, SMALLEST_BATCH = 64, 8  # images decoded and labelled at a time: enough for a GPU, little memory
RSS_PER_MB = 1 << 20 if sys.platform == "darwin" else 1 << 10  # of getrusage: bytes there, KB elsewhere


@dataclass(frozen=True)
class Labeling:
    """Options that decide the shards' content and its computation.

    It can be sent to another process. splits: those that are labelled; the images of other splits are stored without
    labels. fingerprint: of the run. index: the index file, which is removed before a shard is replaced, since it names
    the old shard. threads: batches at a time in one process. mending: marks and mended masks. finished: folder of the
    finished stage, from whose shards labels are taken where they are the same; None to label every image.
    """

    source: Source
    labeler: str
    options: Mapping[str, object]
    keypoints: str
    keypoint_options: Mapping[str, object]
    splits: frozenset[str]
    image_size: tuple[int, int]
    fingerprint: str
    index: Path
    runtime: Runtime
    threads: int
    mending: Mending = field(default_factory=Mending)
    finished: Path | None = None

    @staticmethod
    def of(
        config: Config,
        paths: Paths,
        source: Source,
        splits: set[str],
        fingerprint: str,
        mending: Mending | None = None,
    ) -> Labeling:
        """Labeling of a run on this machine.

        The cores are shared between the processes of torchrun, and between the worker processes of each.
        """
        masks, runtime = config.masks, config.runtime
        processes = 1 if runtime.backend == "threads" else max(1, runtime.workers)
        return Labeling(
            source,
            paths.labeler,
            masks.options,
            masks.keypoints,
            masks.keypoint_options,
            frozenset(splits),
            masks.image_size,
            fingerprint,
            paths.shard_index,
            runtime,
            threads=max(1, distributed.cores() // processes),
            mending=mending or Mending(),
            finished=paths.settled.folder("masks"),
        )

    def former(self, shard: PlannedShard) -> ShardReader | None:
        """Finished shard from which the labels can be taken; None without one."""
        if self.finished is None:
            return None
        place = self.finished / shard.path.relative_to(self.index.parent)
        found = finished_shard(place, self.fingerprint, shard.records.names)
        usable = found is not None and self.mending.may_start_from(found) and not self.mending.is_in(found)
        return found if usable else None


@dataclass
class Effort:
    """Images that this process has labelled, and their CPU seconds.

    Those of decoding, labeling and resizing.
    """

    images: int = 0
    cpu_seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, images: int, cpu_seconds: float) -> None:
        """Count what one thread did."""
        with self._lock:
            self.images += images
            self.cpu_seconds += cpu_seconds

    def sentence(self) -> str:
        """Rate, and the most memory that the process has had."""
        rate, memory = self.images / max(self.cpu_seconds, 1e-9), getrusage(RUSAGE_SELF).ru_maxrss / RSS_PER_MB
        return f"{self.images:,} images labelled, {rate:.1f} per CPU second; {memory:.0f} MB of memory at most"


@dataclass
class ShardLabeler:
    """Labeler and keypoint finder at work on whole shards.

    Call `prepare` first. effort: of this process so far.
    """

    work: Labeling
    labeler: Labeler = field(init=False)
    finder: KeypointFinder | None = field(init=False)
    effort: Effort = field(default_factory=Effort)

    def __post_init__(self) -> None:
        work = self.work
        self.labeler = labelers.create(work.labeler, work.options, work.source)
        self.unlabeled = labelers.create("none", {}, work.source)
        self.finder = keypoints.create(work.keypoints, work.keypoint_options, work.source)

    def prepare(self, records: RecordTable) -> None:
        """Preparation for the images that will follow.

        records: their records. Raises UserError for an error that would stop the work halfway.
        """
        keep_freed_memory()
        self.labeler.prepare(records.of_split(*self.work.splits), self.work.runtime)
        if self.finder is not None:
            self.finder.prepare(records, self.work.runtime)

    def describe_pose(self) -> Mapping[str, object] | None:
        return None if self.finder is None else self.finder.describe()

    @cached_property
    def _computing(self) -> threading.Semaphore:
        """Number of batches labelled at a time; one on a GPU, where two take twice the memory."""
        if "torch" not in sys.modules:  # neither labeler nor finder computes with it
            return threading.Semaphore(self.work.threads)
        from pipeline.runtime.device import pick_device

        on_cpu = pick_device(self.work.runtime.device).type == "cpu"
        return threading.Semaphore(self.work.threads if on_cpu else 1)

    def write(
        self, shards: list[PlannedShard], advance: Callable[[], None] = lambda: None
    ) -> Iterator[tuple[Path, ShardContent]]:
        """Shards written in their order.

        Yields the path and the content of each shard when it is finished. advance: called for every image written.
        Raises UserError for a mask that cannot be used or a full disk.
        """
        labeler, pose = self.labeler.describe(), self.describe_pose()
        size, fingerprint = self.work.image_size, self.work.fingerprint
        former = {shard.path: found for shard in shards if (found := self.work.former(shard))}
        batches = ((shard, batch) for shard in shards if shard.path not in former for batch in cut(shard.records))
        with self._running(batches) as samples:
            for shard in shards:
                with ShardWriter(shard.path, len(shard.records), size, fingerprint, labeler, pose) as writer:
                    labelled = ((sample, None) for sample in islice(samples, len(shard.records)))
                    for sample, change in _stored(former[shard.path]) if shard.path in former else labelled:
                        writer.append(*self.work.mending.applied(sample, change))
                        advance()
                    self.work.index.unlink(missing_ok=True)
                yield shard.path, writer.content

    @contextmanager
    def _running(self, batches: Iterable[tuple[PlannedShard, list[ImageRecord]]]) -> Iterator[Iterator[Sample]]:
        """Samples of all batches in order, computed before they are needed."""
        # Computed here, before the threads may race for it.
        self._computing  # noqa: B018
        computed = ahead(self._samples, batches, self.work.threads, use_one_torch_thread)
        with single_torch_thread(), closing(computed):
            yield chain.from_iterable(computed)

    def _samples(self, shard: PlannedShard, records: list[ImageRecord]) -> list[Sample]:
        """Samples of one batch, computed in the calling thread."""
        start = time.thread_time()
        labeler = self.labeler if shard.split in self.work.splits else self.unlabeled
        images = [decode(record.path) for record in records]
        readable = [(record, image) for record, image in zip(records, images, strict=True) if image is not None]
        chosen, pixels = [record for record, _ in readable], [image for _, image in readable]
        with self._computing:
            found = labeler.label(chosen, pixels)
            joints = self.finder.find(chosen, pixels) if self.finder else [no_keypoints() for _ in chosen]
        assert len(found) == len(joints) == len(chosen), (labeler.name, len(found), len(joints), len(chosen))
        rest = iter(zip(found, joints, strict=True))
        samples = [
            self._unreadable(record) if image is None else self._sample(record, image, *next(rest))
            for record, image in zip(records, images, strict=True)
        ]
        if any(one.status != Status.UNLABELED for one in found):
            self.effort.add(len(samples), time.thread_time() - start)
        return samples

    def _sample(self, record: ImageRecord, image: np.ndarray, found: Labeled, joints: np.ndarray) -> Sample:
        size = self.work.image_size
        return Sample(
            resize_image(image, size),
            resize_mask(found.mask, size),
            record.pid,
            record.camid,
            record.name,
            found.status,
            found.people,
            found.box,
            found.score,
            joints,
        )

    def _unreadable(self, record: ImageRecord) -> Sample:
        size = self.work.image_size
        black, nothing = np.zeros((*size, 3), np.uint8), np.zeros(size, np.uint8)
        return Sample(black, nothing, record.pid, record.camid, record.name, Status.UNREADABLE)


def _stored(shard: ShardReader) -> Iterator[tuple[Sample, Change | None]]:
    """Samples of a finished shard, with the changes of their labels."""
    return ((shard.sample(row), shard.change(row)) for row in range(len(shard)))


def cut(records: RecordTable) -> Iterator[list[ImageRecord]]:
    """Batches of a shard, smaller and smaller towards its end.

    So all threads finish at about the same time.
    """
    first = 0
    while first < len(records):
        size = min(LARGEST_BATCH, max(SMALLEST_BATCH, (len(records) - first) // 8))
        yield list(records[first : first + size])
        first += size
