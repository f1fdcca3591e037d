"""What bench_loader holds the loader against: the usual loader, numpy alone, JPEG bytes. Reads a temporary folder."""

from __future__ import annotations

import io
import os
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.io import ImageReadMode, decode_jpeg, decode_png

from pipeline.runtime.prefetch import ahead
from pipeline.shards.dataset import ShardDataset
from sorn.normalisation import IMAGENET

SIZE, BATCH = (384, 128), 64
PASSES = 8  # of what is fast, per round; the usual loader and JPEG make one


class UsualDataset(Dataset[tuple[torch.Tensor, torch.Tensor, int]]):
    """As re-identification tools write it, with a part mask beside the image."""

    def __init__(self, folder: Path) -> None:
        self.paths = sorted(folder.glob("*.jpg"))
        self.resize = transforms.Resize(SIZE)
        self.normalise = transforms.Compose([transforms.ToTensor(), transforms.Normalize(*IMAGENET)])

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, torch.Tensor, int]:
        image = self.resize(Image.open(self.paths[i]).convert("RGB"))
        mask = Image.open(self.paths[i].with_suffix(".png")).resize((SIZE[1], SIZE[0]), Image.Resampling.NEAREST)
        if random.random() < 0.5:
            image, mask = (one.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for one in (image, mask))
        return self.normalise(image), torch.from_numpy(np.array(mask)).long(), i % 50


def exhaust(batches: Iterable[object]) -> None:
    for _ in batches:
        pass


def usual(folder: Path, chosen: list[np.ndarray], workers: int) -> Callable[[], None]:
    loader: DataLoader[Any] = DataLoader(
        UsualDataset(folder), batch_sampler=[c.tolist() for c in chosen], num_workers=workers,
        persistent_workers=workers > 0,
    )  # fmt: skip
    return lambda: exhaust(loader)


class Floor:
    """The same bytes by numpy alone: several ways to read one batch, handed over as ours are.

    Fastest is a memmap whose pages stay mapped. No loader should rely on it: all that was ever read counts as memory of
    the process, and a shard that is cut off or a disk that fails kills it with SIGBUS. Mapped anew for each pass, which
    keeps memory bounded, it pays a page fault for every few pages.
    """

    def __init__(self, path: Path, chosen: list[np.ndarray]) -> None:
        self.path, self.chosen = path, chosen
        with h5py.File(path, "r") as file:
            self.places = [(file[name].shape, file[name].id.get_offset()) for name in ("image", "mask")]
        self.maps = self._map()

    def _map(self) -> list[np.ndarray]:
        return [np.memmap(self.path, np.uint8, "r", offset, shape) for shape, offset in self.places]

    def index(self, positions: np.ndarray) -> list[np.ndarray]:
        return [stored[positions] for stored in self.maps]

    def take(self, maps: list[np.ndarray], positions: np.ndarray, *into: np.ndarray) -> tuple[np.ndarray, ...]:
        for stored, array in zip(maps, into, strict=True):
            np.take(stored, positions, axis=0, out=array, mode="clip")
        return into

    def fromfile(self, positions: np.ndarray, *into: np.ndarray) -> tuple[np.ndarray, ...]:
        with open(self.path, "rb") as file:
            for (shape, offset), array in zip(self.places, into, strict=True):
                bytes_each = int(np.prod(shape[1:]))
                for row, one in zip(positions.tolist(), array, strict=True):
                    file.seek(offset + row * bytes_each)
                    one[:] = np.fromfile(file, np.uint8, bytes_each).reshape(shape[1:])
        return into

    def contiguous(self) -> None:
        for shape, offset in self.places:
            bytes_each = int(np.prod(shape[1:])) * BATCH
            for first in range(len(self.chosen)):
                np.fromfile(self.path, np.uint8, bytes_each, offset=offset + first * bytes_each)

    def ways(self, threads: int) -> dict[str, Callable[[], object]]:
        def run(way: Callable[..., object], memory: bool = True, passes: int = PASSES) -> None:
            arguments = ((c, *(self._empty(len(c)) if memory else ())) for c in self.chosen * passes)
            exhaust(ahead(way, arguments, threads))

        def run_mapping_anew() -> None:
            for _ in range(PASSES):
                run(partial(self.take, self._map()), passes=1)

        return {
            f"numpy memmap[...], {threads} workers": partial(run, self.index, memory=False),
            f"numpy take(memmap), {threads} workers": partial(run, partial(self.take, self.maps)),
            f"numpy fromfile, {threads} workers": partial(run, self.fromfile),
            f"mapped anew, numpy take(memmap), {threads} workers": run_mapping_anew,
        }

    def _empty(self, count: int) -> list[np.ndarray]:
        return [np.empty((count, *shape[1:]), np.uint8) for shape, _ in self.places]


@dataclass(frozen=True)
class JpegStore:
    """All images of a shard as JPEG in one file, each with its mask behind it, raw or as PNG."""

    path: Path
    places: list[tuple[int, int, int]]  # offset, bytes of the JPEG, bytes of the mask
    png: bool

    @staticmethod
    def write(path: Path, data: ShardDataset, quality: int, png: bool) -> JpegStore:
        places = []
        with open(path, "wb") as file:
            for i in range(len(data)):
                image, mask, encoded = io.BytesIO(), io.BytesIO(), data[i]
                Image.fromarray(encoded.image).save(image, "JPEG", quality=quality)
                if png:
                    Image.fromarray(encoded.mask).save(mask, "PNG")
                else:
                    mask.write(encoded.mask.tobytes())
                places.append((file.tell(), len(image.getvalue()), len(mask.getvalue())))
                file.write(image.getvalue() + mask.getvalue())
            os.fsync(file.fileno())
        return JpegStore(path, places, png)

    @property
    def bytes_each(self) -> int:
        return sum(image + mask for _, image, mask in self.places) // len(self.places)

    def read(self, pil: bool, positions: np.ndarray, image: torch.Tensor, mask: torch.Tensor) -> None:
        """The images and masks at these positions, decoded by Pillow or by torchvision, which leaves Python's lock."""
        with open(self.path, "rb") as file:
            for i, position in enumerate(positions.tolist()):
                offset, jpeg, behind = self.places[position]
                content = os.pread(file.fileno(), jpeg + behind, offset)
                if pil:
                    image.numpy()[i] = np.asarray(Image.open(io.BytesIO(content[:jpeg])))
                else:
                    buffer = torch.frombuffer(bytearray(content[:jpeg]), dtype=torch.uint8)
                    image[i] = decode_jpeg(buffer, ImageReadMode.RGB).permute(1, 2, 0)
                self._read_mask(bytearray(content[jpeg:]), mask[i])

    def _read_mask(self, content: bytearray, mask: torch.Tensor) -> None:
        stored = torch.frombuffer(content, dtype=torch.uint8)
        mask.copy_(decode_png(stored)[0] if self.png else stored.view(SIZE))
