"""ReLU in bfloat16, and norms, ReLUs and sums within convolutions, against torch's own layers.

Training step of SORN on EfficientNet-Lite0 at 288x96, batch 32, frozen as by CONFIG=finetune, and of ResNet-50 at
384x128, batch 8, whose norms learn, on all cores. Features of both, and labels of DANet on EfficientNet-Lite0 at
128x64, in batches of 16 by one thread, as their stages compute them. Random weights; both sides in bf16, also where the
CPU has no unit for it, and by turns in one process. Opens no file. Run: python benchmarks/bench_relu.py [--quick]
[--rounds N]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from unittest import mock

import numpy as np
import torch
from report import Figure, emit, interleave, median

from pipeline.runs.config import TrainConfig
from pipeline.runtime.arithmetic import uses_amx
from pipeline.runtime.memory import keep_freed_memory
from pipeline.training.layers import prepare_layers
from sorn import engine
from sorn.augmentation import Augmentation
from sorn.batch import Batch
from sorn.config import LossConfig, ScheduleConfig, SORNConfig
from sorn.danet import DANet, part_scores
from sorn.fused import fused
from sorn.network import SORN
from sorn.schedule import build_optimizer

IDENTITIES = 8
IMAGES = 16  # per forward pass of features and labels

Work = Callable[[], object]


def torchs() -> ExitStack:
    """Context with torch's own ReLU, sums and deconvolutions, and with frozen norms that stay where they are."""
    stack = ExitStack()
    stack.enter_context(mock.patch("sorn.relu._fits", return_value=False))
    stack.enter_context(mock.patch("sorn.backbone.fold_frozen"))
    stack.enter_context(mock.patch("sorn.fused.use_joined"))
    stack.enter_context(mock.patch("sorn.fused.use_phases"))
    return stack


def training(backbone: str, size: tuple[int, int], images: int, frozen: bool) -> Work:
    rng = np.random.default_rng(0)
    batch = Batch(
        torch.from_numpy(rng.integers(0, 256, (images, *size, 3), dtype=np.uint8)),
        torch.from_numpy(rng.integers(0, 8, (images, *size), dtype=np.uint8)),
        torch.arange(images) % IDENTITIES,
        torch.arange(images),
        torch.ones(images, dtype=torch.bool),
    )
    torch.manual_seed(0)
    network = SORN(SORNConfig(identities=IDENTITIES, backbone=backbone, part_branch=False))
    network = network.to(memory_format=torch.channels_last)
    kept = "frozen" if frozen else None
    prepare_layers(network, TrainConfig(init="starter", norms=kept or "batch", early=kept or "learned"), 1)
    stepper = engine.Stepper(network, build_optimizer(network, ScheduleConfig(), 0.0), LossConfig(), "bf16")
    drawn = Augmentation(flip=0.5).draw(rng, images)
    return lambda: stepper.step(batch, drawn, images)


def features(backbone: str, size: tuple[int, int]) -> Work:
    network = SORN(SORNConfig(identities=0, backbone=backbone)).eval().to(memory_format=torch.channels_last)
    return inference(fused(network, "bf16", uses_amx("bf16", torch.device("cpu"))), size)


def labels() -> Work:
    network = DANet("efficientnet_lite0", width=128).eval().to(memory_format=torch.channels_last)
    return inference(lambda image: part_scores(network, image, flip=True), (128, 64))


def inference(network: Callable[[torch.Tensor], object], size: tuple[int, int]) -> Work:
    image = torch.randn(IMAGES, 3, *size).contiguous(memory_format=torch.channels_last)

    def run() -> None:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        with torch.inference_mode(), engine.autocast(torch.device("cpu"), "bf16"):
            network(image)
        torch.set_num_threads(threads)

    return run


CASES: dict[str, Callable[[], Work]] = {
    "step, EfficientNet-Lite0, frozen norms": lambda: training("efficientnet_lite0", (288, 96), 32, frozen=True),
    "step, ResNet-50": lambda: training("resnet50", (384, 128), 8, frozen=False),
    "features, EfficientNet-Lite0": lambda: features("efficientnet_lite0", (288, 96)),
    "features, ResNet-50": lambda: features("resnet50", (384, 128)),
    "labels, DANet": labels,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two rounds")
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    keep_freed_memory()
    rows: dict[str, list[float]] = {}
    figures = {}
    for name, make in CASES.items():
        ours = make()
        with torchs():
            plain = make()

        def others(plain: Work = plain) -> None:
            with torchs():
                plain()

        seconds = interleave({"ours": ours, "torch's": others}, 2 if args.quick else args.rounds)
        rows |= {f"{name}, {way}": values for way, values in seconds.items()}
        key = "torch_over_ours_" + name.replace(", ", "_").replace(" ", "_").replace("-", "_").lower()
        figures[key] = Figure(median(seconds["torch's"]) / median(seconds["ours"]))
    emit("relu", rows, figures, "s per batch")


if __name__ == "__main__":
    main()
