"""Precision and layout that `auto` takes, beside the other ones, on every CPU that this one can pretend to be.

A limit for oneDNN (ONEDNN_MAX_CPU_ISA) makes this CPU an older one; each limit has a process of its own. Training step
and forward pass of SORN, with ResNet-18 at 144x48 and ResNet-50 at 384x128, in fp32 and in bf16, with channels_last and
NCHW memory: images per CPU second with one thread, round after round. auto takes channels_last, and the precision that
`pipeline.runtime.arithmetic` names. Opens no file.
Run: python benchmarks/bench_arithmetic.py [--quick] [--rounds N] [--images N]
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from unittest import mock

import numpy as np
import torch
from report import Figure, emit, median
from torch import Tensor
from training_runs import in_own_process

from pipeline.runtime import arithmetic
from pipeline.runtime.memory import keep_freed_memory
from sorn import engine
from sorn.augmentation import Augmentation
from sorn.batch import Batch
from sorn.config import LossConfig, ScheduleConfig, SORNConfig
from sorn.fused import fused
from sorn.network import SORN
from sorn.schedule import build_optimizer

NEEDS = {"ALL": "", "AVX512_CORE_VNNI": "avx512_vnni", "AVX512_CORE": "avx512bw", "AVX2": "avx2"}  # limit -> flag
LAYOUTS = {"channels_last": torch.channels_last, "NCHW": torch.contiguous_format}
SMALL, LARGE = ("resnet18", (144, 48), 8), ("resnet50", (384, 128), 4)  # backbone, height and width, images
SLOW = "AVX2"  # without AVX-512, bf16 of ResNet-50 takes minutes
LEAST = 0.9  # of the best way's rate
CPU = torch.device("cpu")
Rates = dict[str, list[float]]


def work(shape: tuple[str, tuple[int, int], int], precision: str, layout: str) -> dict[str, Callable[[], object]]:
    """Training step and forward pass in one precision and layout."""
    backbone, size, images = shape
    torch.manual_seed(0)
    batch = Batch(
        torch.randint(0, 256, (images, *size, 3), dtype=torch.uint8),
        torch.randint(0, 8, (images, *size), dtype=torch.uint8),
        torch.arange(images),
        torch.arange(images),
        torch.ones(images, dtype=torch.bool),
    )
    model = SORN(SORNConfig(identities=images, backbone=backbone)).to(memory_format=LAYOUTS[layout])
    stepper = engine.Stepper(model, build_optimizer(model, ScheduleConfig(), 0.0), LossConfig(), precision)
    folded = fused(model.eval(), precision).to(memory_format=LAYOUTS[layout])
    draw = Augmentation(flip=0.5).draw(np.random.default_rng(0), images)
    original = engine.augmented

    def laid_out(*given: object) -> tuple[Tensor, Tensor | None]:
        image, parts = original(*given)  # type: ignore[arg-type]
        return image.contiguous(memory_format=LAYOUTS[layout]), parts

    def step() -> None:
        with mock.patch.object(engine, "augmented", laid_out):
            stepper.step(batch, draw, images)

    image = laid_out(model, batch, draw, LossConfig().mask_reduction)[0]

    @torch.inference_mode()
    def look() -> None:
        with engine.autocast(CPU, precision):
            folded(image)

    return {"training": step, "forward": look}


def measure(shapes: list[tuple[str, tuple[int, int], int]], rounds: int) -> tuple[str, dict[str, Rates]]:
    """Precision of `auto`, and rates: "backbone, work" -> "precision layout" -> images per CPU second of each round."""
    torch.set_num_threads(1)
    keep_freed_memory()
    rates: dict[str, Rates] = {}
    for shape in shapes:
        ways = {f"{p} {name}": work(shape, p, name) for p in ("fp32", "bf16") for name in LAYOUTS}
        for number in range(-1, rounds):  # the first round warms up
            for way, parts in ways.items():
                for name, run in parts.items():
                    start = time.process_time()
                    run()
                    rate = shape[2] / (time.process_time() - start)
                    if number >= 0:
                        rates.setdefault(f"{shape[0]}, {name}", {}).setdefault(way, []).append(rate)
    return arithmetic.pick_precision("auto", CPU), rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="ResNet-18 alone, two rounds")
    parser.add_argument("--rounds", type=int, help="[5]")
    parser.add_argument("--images", type=int, default=SMALL[2], help=f"in a batch of ResNet-18 [{SMALL[2]}]")
    given = parser.parse_args()
    small = (*SMALL[:2], given.images)
    rounds, shapes = given.rounds or (2 if given.quick else 5), [small] if given.quick else [small, LARGE]
    flags = arithmetic.cpu_flags()
    rows: dict[str, list[float]] = {}
    figures: dict[str, Figure] = {}
    for limit in (limit for limit, flag in NEEDS.items() if not flag or flag in flags):
        with mock.patch.dict(os.environ, {arithmetic.LIMITS[0]: limit}):
            precision, rates = in_own_process(measure, shapes if limit != SLOW else [small], rounds)
        print(f"{limit}: auto is {precision}", flush=True)
        for name, ways in rates.items():
            rows |= {f"{limit}, {name}, {way}": values for way, values in ways.items()}
            ours, best = median(ways[f"{precision} channels_last"]), max(map(median, ways.values()))
            figures[f"{limit}, {name}: auto over the best"] = Figure(ours / best, f">={LEAST}", ours / best >= LEAST)
    emit("arithmetic", rows, figures, "images per CPU second")


if __name__ == "__main__":
    main()
