"""Measurements of one build for against.py, in a process of its own that imports that build's modules.

Start: python build_runs.py NAME. It prepares the measurement, prints a line, and then measures one round for each line
that it reads: {"wall": seconds, "cpu": seconds of all its threads and children, "units": what was done}. The same work
in every build: random weights from one seed, pictures of noise. Objects that have moved between builds are named by all
their places. Writes temporary folders.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

Round = Callable[[], int]  # does the work of a round and returns how many units it was

IDENTITIES = 702  # of Occluded-DukeMTMC
LARGE, SMALL, CROP = (384, 128), (144, 48), (256, 128)
PICTURES = 4  # rendered per round


def of_build(*places: str) -> Any:
    """First of these objects, each "module:name", that the build has."""
    for place in places:
        module, name = place.split(":")
        try:
            return getattr(importlib.import_module(module), name)
        except (ModuleNotFoundError, AttributeError):
            continue
    raise SystemExit(f"{os.getcwd()} has none of {', '.join(places)}: name the place where this build has it")


def noise(shape: tuple[int, ...], levels: int = 256) -> Any:
    import numpy as np

    return np.random.default_rng(0).integers(0, levels, shape, dtype=np.uint8)


def training_step(backbone: str, size: tuple[int, int], images: int) -> Round:
    """One optimisation step of SORN, as the train stage does it on this machine."""
    import numpy as np
    import torch

    from sorn import engine
    from sorn.augmentation import Augmentation
    from sorn.batch import Batch
    from sorn.config import LossConfig, ScheduleConfig, SORNConfig
    from sorn.network import SORN
    from sorn.schedule import build_optimizer

    of_build("pipeline.runtime.memory:keep_freed_memory", "pipeline.allocator:keep_freed_memory")()
    batch = Batch(
        torch.from_numpy(noise((images, *size, 3))),
        torch.from_numpy(noise((images, *size), 8)),
        torch.arange(images),
        torch.arange(images),
        torch.ones(images, dtype=torch.bool),
    )
    torch.manual_seed(0)
    model = SORN(SORNConfig(identities=IDENTITIES, backbone=backbone)).to(memory_format=torch.channels_last)
    optimizer = build_optimizer(model, ScheduleConfig(), weight_decay=0.0)
    stepper = engine.Stepper(model, optimizer, LossConfig(), precision())
    augmentation, rng, adapt = Augmentation(flip=0.5), np.random.default_rng(0), adapting()

    def run() -> int:
        stepper.step(batch, augmentation.draw(rng, images), images)
        adapt()
        return images

    return run


def extraction(images: int, batches: int) -> Round:
    """Features of ResNet-50 at 384x128, as the eval stage extracts them: one thread per batch, on all cores."""
    import torch

    from sorn import engine
    from sorn.batch import Batch
    from sorn.config import SORNConfig
    from sorn.network import SORN

    checkpoints = importlib.import_module(of_build("pipeline.io.checkpoints:__name__", "pipeline.checkpoints:__name__"))
    inference_of = of_build("pipeline.features.network:Inference", "pipeline.trained_network:Inference")
    config = SORNConfig(identities=0)
    torch.manual_seed(0)
    typed = "SORNConfig" in str(inference_of.__init__.__annotations__["model"])  # a dict in older builds
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "model.safetensors"
        checkpoints.save_weights(weights, SORN(config).state_dict(), {})
        inference = inference_of(weights, config if typed else dataclasses.asdict(config), "cpu", "auto")
    none = torch.zeros(images, dtype=torch.int64)
    empty = torch.zeros(images, *LARGE, dtype=torch.uint8)
    batch = Batch(torch.from_numpy(noise((images, *LARGE, 3))), empty, none, none, none > 0)

    def look(one: Any) -> object:
        return engine.extract_features(inference.network, [one], inference.device, inference.precision)

    def run() -> int:
        for _ in inference.run(look, ((batch,) for _ in range(batches))):
            pass
        return images * batches

    return run


def danet_labels(images: int) -> Round:
    """Labels of DANet on ResNet-18 at 256x128, a batch with one thread, as the masks stage computes it."""
    import torch

    from sorn.danet import DANet

    checkpoints = importlib.import_module(of_build("pipeline.io.checkpoints:__name__", "pipeline.checkpoints:__name__"))
    labeler_of = of_build("pipeline.labelers.danet:DANetLabeler")
    source, runtime = (
        of_build("pipeline.labelers.base:Source"),
        of_build("pipeline.runs.config:Runtime", "pipeline.config:Runtime"),
    )
    torch.manual_seed(0)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "danet.safetensors"
        made = {"network": "danet", "backbone": "resnet18", "image_size": CROP, "trained_on": ""}
        checkpoints.save_weights(weights, DANet("resnet18").state_dict(), made)
        labeler = labeler_of({"weights": str(weights)}, source(None, Path()))
        labeler.prepare([], runtime(device="cpu"))
    crops = list(noise((images, *CROP, 3)))

    def run() -> int:
        with torch.inference_mode():
            return len(labeler.label([], crops))

    return run


def rendering() -> Round:
    """Pictures of synped_demo in the order of its plan, without writing them."""
    places = ("pipeline.datasets.synped", "pipeline.synped")
    make_plan, sizes, render = (
        of_build(*(f"{place}.{name}" for place in places)) for name in ("plan:make_plan", "plan:SIZES", "render:render")
    )
    plan = make_plan(sizes["demo"], 0)
    render(plan, len(plan.images) - 1)  # loads what every person needs
    following = iter(range(len(plan.images)))

    def run() -> int:
        for _ in range(PICTURES):
            render(plan, next(following))
        return PICTURES

    return run


def demo() -> Round:
    """`make demo` with empty folders; nothing is installed."""

    def run() -> int:
        with tempfile.TemporaryDirectory() as folder:
            made = [f"PYTHON={sys.executable}", f"DATA_ROOT={folder}/data", f"RUNS={folder}/runs"]
            subprocess.run(["make", "demo", *made], check=True, stdout=sys.stderr)
        return 1

    return run


def adapting() -> Callable[[], None]:
    """What the training calls between steps; nothing in builds that keep their number of threads."""
    import torch

    try:
        share = importlib.import_module("pipeline.runtime.core_share")
    except ModuleNotFoundError:
        return lambda: None
    adapt: Callable[[], None] = share.CoreShare("train", torch.device("cpu")).adapt
    return adapt


def precision() -> str:
    import torch

    pick = of_build("pipeline.runtime.arithmetic:pick_precision", "sorn.engine:pick_precision")
    return str(pick("auto", torch.device("cpu")))


MEASUREMENTS: dict[str, Callable[[], Round]] = {
    "train_resnet50": partial(training_step, "resnet50", LARGE, 8),
    "train_resnet18": partial(training_step, "resnet18", SMALL, 16),
    "extraction": partial(extraction, 16, 2),
    "danet": partial(danet_labels, 8),
    "rendering": rendering,
    "demo": demo,
}


def cpu_seconds() -> float:
    """Of all threads of this process, and of children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def serve(make: Callable[[], Round], orders: Iterator[str]) -> None:
    """Ready line, then one line of JSON per order; what libraries print goes to standard error."""
    answers, sys.stdout = sys.stdout, sys.stderr
    run = make()
    print("ready", file=answers, flush=True)
    for _ in orders:
        wall, cpu = time.perf_counter(), cpu_seconds()
        units = run()
        found = {"wall": time.perf_counter() - wall, "cpu": cpu_seconds() - cpu, "units": units}
        print(json.dumps(found), file=answers, flush=True)


if __name__ == "__main__":
    serve(MEASUREMENTS[sys.argv[1]], iter(sys.stdin.readline, ""))
