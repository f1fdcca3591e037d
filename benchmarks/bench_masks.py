"""The masks stage against the bare forward passes of its labeler. Reads and writes a temporary folder.

The stage is the whole of `sorn masks`: records, decoding, DANet, resizing, hashing, writing, index, label report with
exact masks, stamp. The floor is the network alone on the same crops, decoded and resized beforehand: batch after batch
on all cores, and as many single-threaded batches at a time as there are cores; the faster of the two counts. DANet is a
ResNet-18 of random weights at 192x96. Run: python benchmarks/bench_masks.py [--quick] [--images N] [--device cuda]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from report import Figure, emit, interleave, median

from pipeline import labelers
from pipeline.cli.options import stages
from pipeline.datasets.manifest import Manifest, load_manifest
from pipeline.io import checkpoints
from pipeline.io.images import decode, resize_image
from pipeline.labelers.base import Source
from pipeline.runs.config import Config, MasksConfig, Runtime
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run
from pipeline.runtime import distributed
from pipeline.stages import driver
from sorn.danet import DANet
from sorn.threads import use_one_torch_thread

STAGE, IN_TURN, SIDE_BY_SIDE = "make masks", "forward, one batch on all cores", "forward, one batch per core"
GOAL = 1.10
INPUT = (192, 96)  # of the network
CROP = (128, 64)  # of the images: Market-1501's


def write_dataset(folder: Path, images: int) -> Path:
    """A CSV of smooth random JPEGs, with exact masks beside them as SynPed has."""
    rng = np.random.default_rng(0)
    rows = ["path,pid,camid,split"]
    (folder / "masks" / "train").mkdir(parents=True)
    for i in range(images):
        coarse = Image.fromarray(rng.integers(0, 256, (16, 8, 3), dtype=np.uint8))
        coarse.resize((CROP[1], CROP[0]), Image.Resampling.BICUBIC).save(folder / f"{i:05d}.jpg", quality=90)
        parts = np.kron(rng.integers(0, 8, (16, 8), dtype=np.uint8), np.ones((8, 8), np.uint8))
        Image.fromarray(parts).save(folder / "masks" / "train" / f"{i:05d}.png")
        rows.append(f"{i:05d}.jpg,{i % 50},{i % 6},train")
    (folder / "bench.csv").write_text("\n".join(rows) + "\n")
    return folder / "bench.csv"


def write_danet(folder: Path) -> Path:
    torch.manual_seed(0)
    path = folder / "danet.safetensors"
    made = {"network": "danet", "backbone": "resnet18", "image_size": list(INPUT)}
    checkpoints.save_weights(path, DANet("resnet18").state_dict(), made)
    return path


def quietly(work: Callable[[], object]) -> None:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        work()


def whole_stage(config: Config, paths: Paths) -> Callable[[], None]:
    def run() -> None:
        shutil.rmtree(paths.folder("masks"), ignore_errors=True)
        quietly(lambda: driver.execute(stages(), "masks", Run.of(config, paths)))

    quietly(lambda: driver.execute(stages(), "data", Run.of(config, paths)))
    return run


def bare_forwards(config: Config, crops: list[Path]) -> dict[str, Callable[[], None]]:
    """Both ways to run the labeler's network over all crops."""
    labeler = labelers.create("danet", config.masks.options, Source(Manifest("bench", "Bench"), Path()))
    labeler.prepare([], config.runtime)
    pixels = [resize_image(image, INPUT) for image in map(decode, crops) if image is not None]
    size = labeler.options.batch  # type: ignore[attr-defined]
    batches = [pixels[first : first + size] for first in range(0, len(pixels), size)]
    forward: Callable[[list[np.ndarray]], list[torch.Tensor]] = labeler.forward  # type: ignore[attr-defined]

    def in_turn() -> None:
        for batch in batches:
            forward(batch)
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    def side_by_side() -> None:
        with ThreadPoolExecutor(distributed.cores(), initializer=use_one_torch_thread) as pool:
            list(pool.map(forward, batches))
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    return {IN_TURN: in_turn, SIDE_BY_SIDE: side_by_side}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer images and rounds: within two minutes")
    parser.add_argument("--images", type=int, help="default 1000, or 200 with --quick")
    parser.add_argument("--rounds", type=int, help="default 5, or 3 with --quick")
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    images, rounds = given.images or (200 if given.quick else 1000), given.rounds or (3 if given.quick else 5)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dataset = write_dataset(folder, images)
        options: dict[str, object] = {"weights": str(write_danet(folder))}
        config = Config(masks=MasksConfig(options=options), runtime=Runtime(device=given.device))
        paths = Paths(str(dataset), "danet", folder, folder / "runs", name=load_manifest(str(dataset)).name)
        stage = whole_stage(config, paths)
        seconds = interleave({STAGE: stage, **bare_forwards(config, sorted(folder.glob("*.jpg")))}, rounds)
    floor = min(median(seconds[way]) for way in (IN_TURN, SIDE_BY_SIDE))
    ratio = median(seconds[STAGE]) / floor
    rows = {way: [1000 * value / images for value in values] for way, values in seconds.items()}
    print(f"{images} images, {rounds} rounds, {os.cpu_count()} cores, device {given.device}")
    figures = {
        "masks_over_forward": Figure(ratio, f"<={GOAL:.2f}", ratio <= GOAL),
        "masks_images_per_second": Figure(images / median(seconds[STAGE])),
    }
    emit("masks", rows, figures, unit="ms per image")


if __name__ == "__main__":
    main()
