"""The masks stage with the labeler `blazepose` against its bare networks. Reads the networks that
`make weights-blazepose` fetches; writes a temporary folder.

The stage is the whole of `sorn masks`. The floor is detector and pose network alone on the same crops, cut and scaled
beforehand, one image at a time on each core. Both load the networks in each round. The crops are pictures of SynPed, or
--crops FOLDER; each is labelled several times where there are fewer than --images. Wall time and CPU time of all
threads are printed; the goals are held against CPU time, which other programs disturb less.
Run: python benchmarks/bench_blazepose.py [--quick] [--images N] [--model heavy] [--crops FOLDER]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from bench_masks import whole_stage
from PIL import Image
from report import Figure, emit, interleave, median

from pipeline import labelers
from pipeline.datasets.manifest import Manifest, load_manifest
from pipeline.datasets.synped.plan import SIZES, make_plan
from pipeline.datasets.synped.render import render
from pipeline.errors import UserError
from pipeline.io.images import decode
from pipeline.labelers.base import Source
from pipeline.labelers.blazepose_detector import CIRCLE
from pipeline.labelers.blazepose_detector import SIDE as DETECTOR_SIDE
from pipeline.labelers.blazepose_person import AROUND_0, as_input, whole_square
from pipeline.labelers.blazepose_region import Region, cut
from pipeline.runs.config import Config, MasksConfig, Runtime
from pipeline.runs.layout import Paths
from pipeline.runtime import distributed

NAME, STAGE, FLOOR = "blazepose", "make masks", "networks alone"
GOAL = 1.10
SPEED = 10.0  # images per second of one core
PICTURES = 12  # of SynPed: rendering takes a second each

Inputs = list[tuple[np.ndarray, np.ndarray, np.ndarray]]  # of detector, pose network, selfie segmentation


def read_crops(folder: str) -> list[np.ndarray]:
    """Crops of people of a folder, or pictures of SynPed."""
    if not folder:
        plan = make_plan(SIZES["demo"], 0)
        return [render(plan, spec.index).image for spec in plan.images[:PICTURES]]
    paths = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    images = [image for image in map(decode, paths) if image is not None]
    if not images:
        raise UserError(f"there are no images in {folder}", "Name a folder of crops: --crops FOLDER")
    return images


def write_dataset(folder: Path, crops: list[np.ndarray], images: int) -> Path:
    """A CSV of JPEGs."""
    rows = ["path,pid,camid,split"]
    for number in range(images):
        name = f"{number:05d}.jpg"
        Image.fromarray(crops[number % len(crops)]).save(folder / name, quality=90)
        rows.append(f"{name},{number % 50},{number % 6},train")
    (folder / "bench.csv").write_text("\n".join(rows) + "\n")
    return folder / "bench.csv"


def bare_networks(config: Config, crops: list[np.ndarray], images: int) -> Callable[[], None]:
    """One run of the networks: they are loaded, and see every crop."""
    labeler = labelers.create(NAME, config.masks.options, Source(Manifest("bench", "Bench"), Path()))
    labeler.prepare([], config.runtime)  # where they are not there, this says so
    inputs: Inputs = []
    for crop in crops:
        square = whole_square(crop)
        detector = cut(crop, square, DETECTOR_SIDE, AROUND_0)
        pose = as_input(crop, Region.of_image(crop.shape).around(CIRCLE))
        inputs.append((detector, pose, as_input(crop, square)))

    def one(number: int) -> None:
        detector, pose, selfie = inputs[number % len(inputs)]
        with labeler.pool.borrow() as networks:  # type: ignore[attr-defined]
            networks.detector.run(detector)
            networks.pose.run(pose)
            if networks.selfie is not None:
                networks.selfie.run(selfie)

    def run() -> None:
        labeler.prepare([], config.runtime)
        with ThreadPoolExecutor(distributed.cores()) as pool:
            list(pool.map(one, range(images)))

    return run


def metered(work: Callable[[], object], seconds: list[float]) -> Callable[[], None]:
    """The work, whose CPU seconds are appended to the list."""

    def run() -> None:
        before = time.process_time()
        work()
        seconds.append(time.process_time() - before)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer images and rounds")
    parser.add_argument("--images", type=int, help="default 400, or 60 with --quick")
    parser.add_argument("--rounds", type=int, help="default 5, or 3 with --quick")
    parser.add_argument("--model", default="heavy", choices=["lite", "full", "heavy"])
    parser.add_argument("--crops", default="", help="folder of crops of people")
    given = parser.parse_args()
    images, rounds = given.images or (60 if given.quick else 400), given.rounds or (3 if given.quick else 5)
    config = Config(masks=MasksConfig(options={"model": given.model}), runtime=Runtime(device="cpu"))
    try:
        crops = read_crops(given.crops)[:images]
        floor = bare_networks(config, crops, images)
    except UserError as error:
        print(error)
        emit(NAME, {}, {})
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dataset = str(write_dataset(folder, crops, images))
        paths = Paths(dataset, NAME, folder, folder / "runs", name=load_manifest(dataset).name)
        stage = whole_stage(config, paths)
        cpu: dict[str, list[float]] = {STAGE: [], FLOOR: []}
        ways = {way: metered(work, cpu[way]) for way, work in {STAGE: stage, FLOOR: floor}.items()}
        wall = interleave(ways, rounds)
    cpu = {way: values[1:] for way, values in cpu.items()}  # the first round warms up
    ratio, wall_ratio = (median(seconds[STAGE]) / median(seconds[FLOOR]) for seconds in (cpu, wall))
    speed = images / median(cpu[STAGE])
    rows = {
        f"{way}, {clock}": [1000 * value / images for value in seconds[way]]
        for clock, seconds in (("CPU", cpu), ("wall", wall))
        for way in (STAGE, FLOOR)
    }
    print(f"{images} images, {rounds} rounds, {distributed.cores()} cores, {given.model}")
    figures = {
        "stage_over_networks": Figure(ratio, f"<={GOAL:.2f}", ratio <= GOAL),
        "stage_over_networks_wall": Figure(wall_ratio),
        "images_per_cpu_second": Figure(speed, f">={SPEED:g}", speed >= SPEED),
        "most_memory_mb": Figure(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    emit(NAME, rows, figures, unit="ms per image")


if __name__ == "__main__":
    main()
