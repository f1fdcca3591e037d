"""Training step of backbones with depthwise convolutions, with our gradients and with torch's own.

CPU time of forward and backward of the bare backbone: one thread, batch 16 at 288x96, layers before stride 8 frozen as
in CONFIG=synped, round after round in one process. Ratios are of the medians. Opens no file. Run: python
benchmarks/bench_depthwise.py [--quick] [--rounds N]
"""

from __future__ import annotations

import argparse
import time
from unittest import mock

import torch
from report import Figure, emit, median

from sorn import depthwise
from sorn.backbone import Backbone
from sorn.backbones import build_backbone
from sorn.engine import DTYPES

BACKBONES, PRECISIONS = ("efficientnet_lite0", "mobilenet_v2"), ("bf16", "fp32")
BATCH, SIZE = 16, (288, 96)


def seconds(backbone: Backbone, image: torch.Tensor, precision: str) -> float:
    start = time.process_time()
    with torch.autocast("cpu", DTYPES[precision], enabled=precision != "fp32"):
        maps = backbone(image)
        loss = sum(found.float().mean() for found in maps)
    loss.backward()
    backbone.zero_grad()
    return time.process_time() - start


def measure(name: str, precision: str, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of each round, with our gradients and with torch's."""
    torch.manual_seed(0)
    backbone = build_backbone(name).to(memory_format=torch.channels_last)
    backbone.freeze_early()
    image = torch.randn(BATCH, 3, *SIZE).contiguous(memory_format=torch.channels_last)
    ours, others = [], []
    for _ in range(rounds + 1):
        ours.append(seconds(backbone, image, precision))
        with mock.patch.object(depthwise, "_learns_on_cpu", return_value=False):
            others.append(seconds(backbone, image, precision))
    return ours[1:], others[1:]  # the first round warms up


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two rounds")
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows, figures = {}, {}
    for name in BACKBONES:
        for precision in PRECISIONS:
            ours, others = measure(name, precision, 2 if args.quick else args.rounds)
            rows[f"{name} {precision}, ours"], rows[f"{name} {precision}, torch's"] = ours, others
            figures[f"torch_over_ours_{name}_{precision}"] = Figure(median(others) / median(ours))
    emit("depthwise", rows, figures, "CPU s per step")


if __name__ == "__main__":
    main()
