"""HDF5 shards of images and part masks.

Reads and writes masks/<split>/shard-*.h5. A shard is a plain HDF5 file; docs/formats.md defines it. Images and masks
are contiguous and uncompressed: one random image then costs one read at a known offset. That measured 21,000 images/s,
against 2,500 with h5py's indexing, and 1,600 with compressed masks (384x128, warm cache). A shard is finished by a
rename.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np

from pipeline.errors import UserError
from pipeline.io import hdf5
from pipeline.io.disk import reserve, told_when_full
from pipeline.io.files import publish, temporary_path
from pipeline.io.text import parse_json
from pipeline.io.texts import Texts
from pipeline.runs.made_by import MadeBy
from pipeline.shards.change import Change, read_changes, write_changes
from pipeline.shards.digest import ShardContent
from sorn.parts import CLASSES
from sorn.sample import JOINTS, Sample, Status

SCHEMA_VERSION = 3
REMEDY = "Run the masks stage again (`make masks`): it rewrites what is missing, damaged or of another run."
PIXEL_BYTES = 4  # three of the image, one of the mask
SMALL_FIELDS = {  # stored as they are in a Sample, beside its name
    "pid": np.int64,
    "camid": np.int64,
    "status": np.uint8,
    "people": np.int64,
    "box": np.float32,
    "score": np.float32,
    "keypoints": np.float32,
}
JOINTS_BYTES = len(JOINTS) * 3 * 4  # of the keypoints of an image
SMALL_BYTES = 4096  # more than these fields take per image, and more than the file's own header


class ShardWriter:
    """Writer of one shard of `count` images, used as a context manager.

    The shard gets its name only when all images are written. After an exception the unfinished file is removed.
    labeler, pose: the values of their `describe()`. Raises UserError when the disk is full.
    """

    def __init__(
        self,
        path: Path,
        count: int,
        image_size: tuple[int, int],
        fingerprint: str,
        labeler: Mapping[str, object],
        pose: Mapping[str, object] | None = None,
    ):
        self.path, self.count, self.image_size = path, count, image_size
        self.attributes: dict[str, str | int] = {
            "schema_version": SCHEMA_VERSION,
            "fingerprint": fingerprint,
            "labeler": json.dumps(labeler, sort_keys=True),
            "pose": json.dumps(pose, sort_keys=True),
            "classes": json.dumps(CLASSES),
        }
        self.content = ShardContent()
        self.temporary = temporary_path(path)
        self._small: dict[str, list[Any]] = {field: [] for field in (*SMALL_FIELDS, "name")}
        self._changes: list[Change] = []

    def __enter__(self) -> ShardWriter:
        """File with its HDF5 layout and reserved space.

        The pixels are then written by plain file operations.
        """
        with contextlib.ExitStack() as on_failure, told_when_full(self.path):
            on_failure.callback(self.temporary.unlink, missing_ok=True)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with hdf5.created(self.temporary) as file:
                datasets = [self._lay_out(file, "image", (3,)), self._lay_out(file, "mask", ())]
                self._offsets = [dataset.id.get_offset() for dataset in datasets]
            self._file = open(self.temporary, "r+b")
            size = self._offsets[1] + self.count * (math.prod(self.image_size) + SMALL_BYTES) + SMALL_BYTES
            reserve(self._file.fileno(), size)
            on_failure.pop_all()
        return self

    def _lay_out(self, file: h5py.File, name: str, channels: tuple[int, ...]) -> h5py.Dataset:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        shape = (self.count, *self.image_size, *channels)
        return file.create_dataset(name, shape, np.uint8, dcpl=properties, track_times=False)

    def append(self, sample: Sample, change: Change | None = None) -> None:
        """Next sample; its image and mask have the shard's size.

        change: of its label after the labeler, if there is any.
        """
        row = len(self.content.items)
        assert row < self.count, f"{self.path} was opened for {self.count} images"
        assert sample.mask.shape == self.image_size and sample.image.shape == (*self.image_size, 3), sample.name
        assert sample.mask.dtype == np.uint8 and sample.image.dtype == np.uint8, sample.name
        assert sample.mask.max() < len(CLASSES), sample.name
        assert sample.keypoints.shape == (len(JOINTS), 3) and sample.keypoints.dtype == np.float32, sample.name
        for array, offset in zip((sample.image, sample.mask), self._offsets, strict=True):
            self._file.seek(offset + row * array.nbytes)
            self._file.write(np.ascontiguousarray(array).data)
        for field, values in self._small.items():
            values.append(getattr(sample, field))
        self._changes.append(change or Change(sample.status))
        self.content.add(sample)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            with told_when_full(self.path):
                self._file.close()
                if error is None:
                    self._publish()
                elif isinstance(error, OSError):
                    raise error
        finally:
            self.temporary.unlink(missing_ok=True)  # nothing is left to remove after the rename

    def _publish(self) -> None:
        assert len(self.content.items) == self.count, f"{len(self.content.items)} of {self.count} images appended"
        with h5py.File(self.temporary, "r+", libver=hdf5.LIBVER, locking=False) as file:
            for field, dtype in SMALL_FIELDS.items():
                file.create_dataset(field, data=np.array(self._small[field], dtype), dtype=dtype, track_times=False)
            file.create_dataset("name", data=hdf5.texts(self._small["name"]), track_times=False)
            write_changes(file, self._changes, list(map(int, self._small["status"])))
            digests = {"content_digest": self.content.digest, "detection_digest": self.content.detection_digest}
            hdf5.set_attributes(file, self.attributes | digests)
        publish(self.temporary, self.path)


class ShardReader:
    """Finished shard: small fields in memory, pixels and keypoints read on demand.

    pid, camid, people: [N] int64. status: [N] uint8. names: N texts. box: [N, 4], score: [N] float32, as in a Sample.
    The pixels come from a plain file handle. It is opened at first use and dropped when the
    reader is pickled. Every read gives its offset and moves no position, so threads and forked workers may share the
    handle. Raises UserError for a file that is missing, truncated, no shard, or of another schema version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with hdf5.opened(path) as file:
                self._read_header(file)
        except FileNotFoundError as error:
            raise UserError(f"shard {path} is missing", REMEDY) from error
        except hdf5.DAMAGE as error:
            raise hdf5.unreadable(path, "shard", error, REMEDY) from error
        self._file: FileIO | None = None

    def _read_header(self, file: h5py.File) -> None:
        version = hdf5.attribute(file, "schema_version")
        if version != SCHEMA_VERSION:
            raise UserError(
                f"shard {self.path} is of schema version {version}, this program of {SCHEMA_VERSION}", REMEDY
            )
        attributes = hdf5.attributes(file)
        self.fingerprint = str(attributes["fingerprint"])
        self.labeler = MadeBy.of(parse_json(str(attributes["labeler"])))
        pose = parse_json(str(attributes["pose"]))
        self.pose = None if pose is None else MadeBy.of(pose)
        self.content_digest, self.detection_digest = (
            str(attributes[f"{of}_digest"]) for of in ("content", "detection")
        )
        image, mask, name = (hdf5.dataset(file, field) for field in ("image", "mask", "name"))
        small = {field: hdf5.dataset(file, field) for field in SMALL_FIELDS}
        n, height, width = mask.shape
        if n == 0:
            raise ValueError("it holds no image")
        self.image_size = (int(height), int(width))
        if image.shape != (n, height, width, 3) or {len(found) for found in (name, *small.values())} != {n}:
            raise ValueError("its datasets have different lengths")
        if image.dtype != np.uint8 or mask.dtype != np.uint8:
            raise ValueError("its images or masks are no bytes")
        for field, found in small.items():
            if found.dtype != SMALL_FIELDS[field]:
                raise ValueError(f"its {field} is {found.dtype}")
        if name.dtype.kind != "S":
            raise ValueError(f"its name is {name.dtype}")
        self.pid, self.camid, self.status = (small[field][:] for field in ("pid", "camid", "status"))
        self.people, self.box, self.score = (small[field][:] for field in ("people", "box", "score"))
        self.names = Texts(name.asstr()[:].tolist())
        if not np.isin(self.status, list(Status)).all():
            raise ValueError("it has a status that is none")
        if self.box.shape != (n, 4) or small["keypoints"].shape != (n, len(JOINTS), 3):
            raise ValueError("its boxes or keypoints have another shape")
        self._found, self._mended = read_changes(file, self.status)
        offsets = [found.id.get_offset() for found in (image, mask, small["keypoints"])]
        if None in offsets:
            raise ValueError("its images or keypoints are not stored contiguous")
        self._image_offset, self._mask_offset, self._keypoints_offset = offsets
        self._area = int(height) * int(width)
        sizes = (3 * n * height * width, n * height * width, n * JOINTS_BYTES)
        if os.path.getsize(self.path) < max(offset + size for offset, size in zip(offsets, sizes, strict=True)):
            raise ValueError("the file ends before its last image")

    @property
    def name(self) -> np.ndarray:
        """Names of the images, [N] str."""
        return np.array(self.names[:], str)

    @property
    def keypoints(self) -> np.ndarray:
        """Joints, [N, 17, 3] float32, read now."""
        return self._joints(0, len(self))

    def _joints(self, first: int, count: int) -> np.ndarray:
        joints = np.empty((count, len(JOINTS), 3), np.float32)
        self._read(first, joints.data.cast("B"), self._keypoints_offset, JOINTS_BYTES)
        return joints

    def change(self, row: int) -> Change:
        """Change of an image's label after the labeler."""
        return Change(Status(self._found[row]), bool(self._mended[row]))

    def __len__(self) -> int:
        return len(self.pid)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_file": None}

    def read_into(self, row: int, image: memoryview, mask: memoryview) -> None:
        """Image and mask of one row, read into given memory.

        image: H * W * 3 bytes. mask: H * W bytes.
        """
        self._read(row, image, self._image_offset, 3 * self._area)
        self._read(row, mask, self._mask_offset, self._area)

    def mask(self, row: int) -> np.ndarray:
        """Mask [H, W] uint8 of one row, without its image."""
        mask = np.empty(self.image_size, np.uint8)
        self._read(row, mask.data, self._mask_offset, self._area)
        return mask

    def _read(self, row: int, buffer: memoryview, offset: int, size: int) -> None:
        """Read from one row on. offset: of row 0. It is on the hot path: bench_loader shows one more call here."""
        try:
            file = self._file
            if file is None:  # of two threads that come first both may open the file; each keeps its own while it reads
                file = self._file = FileIO(self.path)
            read = os.preadv(file.fileno(), (buffer,), offset + row * size)
        except OSError as error:
            raise UserError(f"shard {self.path} can no longer be read: {error}", REMEDY) from error
        if read != buffer.nbytes:
            raise UserError(f"shard {self.path} was cut off while it was read, at image {row + read // size}", REMEDY)

    def sample(self, row: int) -> Sample:
        image = np.empty((*self.image_size, 3), np.uint8)
        mask = np.empty(self.image_size, np.uint8)
        self.read_into(row, image.data, mask.data)
        left, top, right, bottom = (float(edge) for edge in self.box[row])
        return Sample(
            image,
            mask,
            int(self.pid[row]),
            int(self.camid[row]),
            self.names[row],
            Status(self.status[row]),
            int(self.people[row]),
            (left, top, right, bottom),
            float(self.score[row]),
            self._joints(row, 1)[0],
        )

    def verified_content(self) -> ShardContent:
        """Content of the whole shard, compared with the digest in the file.

        Raises UserError when they differ.
        """
        content = ShardContent()
        for row in range(len(self)):
            content.add(self.sample(row))
        if (content.digest, content.detection_digest) != (self.content_digest, self.detection_digest):
            raise UserError(f"shard {self.path} is damaged: its content does not match its own digest", REMEDY)
        return content

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None
