"""The loader against the usual one of re-identification, bare numpy and JPEG. Reads and writes a temporary folder.

Usual: a torch Dataset over one JPEG and one PNG of part ids per image (128x64 and 256x128, in the page cache): PIL
opens, resize to 384x128, flip, ToTensor, Normalize, the mask to the nearest pixel; batches of 64 from torch's
DataLoader, whose workers are started before the clock. Ours: uint8 batches of image and mask at 384x128 from a shard;
"ready" adds, in the thread that takes them, what the step does on its device: flips, normalising, masks at a quarter of
the size. Floor: numpy reads the same bytes in the same order out of the page cache, in as many threads, the fastest of
three ways; "mapped anew" is printed beside it, see loader_peers.Floor. JPEG rows: what a shard of JPEG bytes at 384x128
would give, decoded by the same threads. torch computes with one thread everywhere: tiny operations lose far more by
waiting for each other when a core is busy elsewhere.
Run: python benchmarks/bench_loader.py [--quick] [--images N] [--rounds N]
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from operator import truediv
from pathlib import Path

import numpy as np
import torch
from loader_peers import BATCH, PASSES, SIZE, Floor, JpegStore, exhaust, usual
from PIL import Image
from report import Figure, emit, interleave, median

from pipeline.runs.made_by import MadeBy
from pipeline.runtime.prefetch import ahead
from pipeline.shards.dataset import ShardDataset
from pipeline.shards.format import PIXEL_BYTES, ShardWriter
from pipeline.shards.index import ShardEntry, ShardIndex, SplitEntry, write_index
from pipeline.shards.loader import BatchLoader
from sorn.augmentation import Draw, augment
from sorn.batch import Batch, normalised, reduce_masks
from sorn.normalisation import IMAGENET
from sorn.sample import Sample, Status

WORKERS, PEOPLE = (0, 1, 2), 50
SOURCES = {"128x64": (128, 64), "256x128": (256, 128)}
FASTER, SHARE_OF_FLOOR = 10.0, 0.5
PIXELS = SIZE[0] * SIZE[1] * PIXEL_BYTES  # bytes of an image and its mask
MEMORY_MIB = 2 * BATCH * PIXELS / 2**20  # two batches more or less are in flight when it is looked at

Candidates = dict[str, Callable[[], object]]


def picture(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Smoothed noise that JPEG needs as many bytes for as for a photograph of this size."""
    small = Image.fromarray(rng.integers(0, 256, (size[0] // 4, size[1] // 4, 3), dtype=np.uint8))
    return small.resize((size[1], size[0]), Image.Resampling.BICUBIC)


def parts(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    blocks = rng.integers(0, 8, (size[0] // 16, size[1] // 16), dtype=np.uint8)
    return Image.fromarray(np.kron(blocks, np.ones((16, 16), np.uint8)))


def write_files(folder: Path, size: tuple[int, int], images: int) -> None:
    """One JPEG and one PNG per image."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for i in range(images):
        picture(rng, size).save(folder / f"{i:05d}.jpg", quality=90)
        parts(rng, size).save(folder / f"{i:05d}.png")


def write_shards(folder: Path, images: int) -> Path:
    """A shard, an index that names it, one that names it twice, and one of a copy that only the cold rows read."""
    rng = np.random.default_rng(1)
    labeler = {"name": "bench", "version": 1, "options": {}, "weights": None}
    path = folder / "warm.h5"
    with ShardWriter(path, images, SIZE, "bench", labeler) as writer:
        for i in range(images):
            image, mask = np.asarray(picture(rng, SIZE)), np.asarray(parts(rng, SIZE))
            writer.append(Sample(image, mask, i % PEOPLE, 0, f"train/{i:05d}.jpg", Status.OK))
    with open(shutil.copyfile(path, folder / "cold.h5"), "rb") as copy:
        os.fsync(copy.fileno())  # what is not on the disk yet cannot be forgotten
    for name, files in (("warm", ["warm"]), ("twice", ["warm", "warm"]), ("cold", ["cold"])):
        entries = tuple(ShardEntry(f"{file}.h5", "train", images, writer.content.digest, "") for file in files)
        split = SplitEntry(images * len(files), "", "", {"ok": images * len(files)}, 0.0)
        index = ShardIndex("bench", MadeBy.of(labeler), None, SIZE, tuple(range(PEOPLE)), {"train": split}, entries)
        write_index(folder / f"{name}.json", index)
    return path


def make_ready(batch: Batch) -> None:
    image, mask = augment(batch.image, batch.mask, Draw(np.arange(len(batch)) % 2 == 0))
    normalised(image, IMAGENET)
    reduce_masks(mask, (SIZE[0] // 4, SIZE[1] // 4), 8, "majority")


def cold(readers: Candidates, files: list[Path], rounds: int, images: int) -> dict[str, list[float]]:
    """name -> images/s of each round, each time after the kernel was asked to forget the files."""
    rates: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(rounds):
        for name, reader in readers.items():
            for path in files:
                with open(path, "rb") as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            start = time.perf_counter()
            reader()
            rates[name].append(images / (time.perf_counter() - start))
    return rates


def resident_mib() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def memory_growth(folder: Path, images: int) -> float:
    """MiB by which two more passes, and three over twice as many images, peak above a pass after a first one."""
    peaks = []
    for name, size in (("warm.json", images), ("twice.json", 2 * images)):
        data = ShardDataset(folder / name, "train")
        for _ in range(4 if name == "warm.json" else 3):
            peaks.append(max(resident_mib() for _ in BatchLoader(data, np.split(np.arange(size), size // BATCH), 2)))
    return max(peaks[2:]) - peaks[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer images and rounds: within two minutes")
    parser.add_argument("--images", type=int, help="whole batches of 64; default 2048, or 512 with --quick")
    parser.add_argument("--rounds", type=int, help="default 5, or 3 with --quick")
    given = parser.parse_args()
    images, rounds = given.images or (512 if given.quick else 2048), given.rounds or (3 if given.quick else 5)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        measure(Path(name), images // BATCH * BATCH, rounds)


def measure(folder: Path, images: int, rounds: int) -> None:
    shard = write_shards(folder, images)
    warm = ShardDataset(folder / "warm.json", "train")
    chosen = np.split(np.random.default_rng(2).permutation(images), images // BATCH)
    for source, size in SOURCES.items():
        write_files(folder / source, size, images)
    stores = {
        "JPEG 90, raw mask": JpegStore.write(folder / "90-raw.jpegs", warm, 90, png=False),
        "JPEG 90, PNG mask": JpegStore.write(folder / "90.jpegs", warm, 90, png=True),
        "JPEG 95, PNG mask": JpegStore.write(folder / "95.jpegs", warm, 95, png=True),
    }

    def ours(
        workers: int, data: ShardDataset = warm, passes: int = 1, each: Callable[[Batch], None] = lambda _: None
    ) -> None:
        for batch in BatchLoader(data, chosen * passes, workers):
            each(batch)

    def decoded(store: JpegStore, threads: int, pil: bool = False) -> None:
        exhaust(ahead(store.read, ((pil, c, *warm.empty(len(c))) for c in chosen), threads))

    floor = Floor(shard, chosen)
    several: Candidates = {}  # these make PASSES passes
    single: Candidates = {"numpy fromfile, contiguous": floor.contiguous}
    for n in WORKERS:
        several |= {f"ours, {n} workers": partial(ours, n, passes=PASSES), **floor.ways(n)}
        single[f"ours ready, {n} workers"] = partial(ours, n, each=make_ready)
        single |= {f"usual {source}, {n} workers": usual(folder / source, chosen, n) for source in SOURCES}
        single |= {f"{kind}, torchvision, {n} workers": partial(decoded, store, n) for kind, store in stores.items()}
        single[f"JPEG 90, PNG mask, PIL, {n} workers"] = partial(decoded, stores["JPEG 90, PNG mask"], n, pil=True)
    rows = {
        way: [images * (PASSES if way in several else 1) / value for value in values]
        for way, values in interleave(several | single, rounds).items()
    }
    from_disk = partial(ours, data=ShardDataset(folder / "cold.json", "train"))
    readers: Candidates = {f"cold: raw, {n} workers": partial(from_disk, n) for n in (0, 2)}
    readers |= {f"cold: {kind}, 2 workers": partial(decoded, store, 2) for kind, store in stores.items()}
    files = [folder / "cold.h5", *(store.path for store in stores.values())]
    rows |= cold(readers, files, rounds, images)
    print(f"{images} images, batches of {BATCH}, {rounds} rounds, {os.cpu_count()} cores, torch computes with 1 thread")
    for source in SOURCES:
        print(f"{source} JPEG: {sum(f.stat().st_size for f in (folder / source).glob('*.jpg')) / images:,.0f} bytes")
    for kind, stored in {"raw": PIXELS, **{kind: store.bytes_each for kind, store in stores.items()}}.items():
        print(f"{kind}: {stored:,} bytes per image and mask at {SIZE[0]}x{SIZE[1]}")
    emit("loader", rows, figures(rows, memory_growth(folder, images)), unit="images/s")


def figures(rows: dict[str, list[float]], growth: float) -> dict[str, Figure]:
    rate = {way: median(values) for way, values in rows.items()}

    def smallest(ours: str, others: str) -> float:
        """Ours over the fastest of the others, round by round, at the number of workers where that is least."""
        ratios: list[float] = []
        for n in WORKERS:
            fastest = max((way for way in rate if way.startswith(others) and f", {n} " in way), key=rate.__getitem__)
            ratios.append(median(map(truediv, rows[f"{ours}, {n} workers"], rows[fastest])))
        return min(ratios)

    over_usual = {source: smallest("ours", f"usual {source}") for source in SOURCES}
    smallest_usual, over_numpy = min(over_usual.values()), smallest("ours", "numpy")
    coldest = max(value for way, value in rate.items() if way.startswith("cold: JPEG"))
    return {
        "loader_over_usual": Figure(smallest_usual, f">={FASTER:.0f}", smallest_usual >= FASTER),
        **{f"loader_over_usual_{source}": Figure(ratio) for source, ratio in over_usual.items()},
        "loader_over_numpy": Figure(over_numpy, f">={SHARE_OF_FLOOR}", over_numpy >= SHARE_OF_FLOOR),
        "loader_over_numpy_mapped_anew": Figure(smallest("ours", "mapped anew")),
        "ready_over_usual": Figure(smallest("ours ready", "usual")),
        "raw_over_jpeg": Figure(smallest("ours", "JPEG")),
        "raw_over_jpeg_cold": Figure(rate["cold: raw, 2 workers"] / coldest),
        "loader_memory_growth_mib": Figure(growth, f"<={MEMORY_MIB:.0f}", growth <= MEMORY_MIB),
    }


if __name__ == "__main__":
    main()
