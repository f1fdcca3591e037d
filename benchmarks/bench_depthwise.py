"""Training step of backbones with depthwise convolutions, with our gradients and with torch's own.

CPU time of forward and backward of the bare backbone: one thread, round after round in one process. Of SORN batch 16 at
288x96, layers before stride 8 frozen as in CONFIG=synped; of DANet batch 8 at 128x64, dilated. bf16 only where the CPU
has a unit for it. Ratios are of the medians. Opens no file. Run: python benchmarks/bench_depthwise.py [--quick]
[--rounds N]
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from unittest import mock

import torch
from report import Figure, emit, median

from pipeline.runtime.arithmetic import bf16_unit
from sorn import depthwise
from sorn.backbone import Backbone
from sorn.backbones import build_backbone
from sorn.config import STRIDE as SORN_STRIDE
from sorn.danet import STRIDE as DANET_STRIDE
from sorn.engine import DTYPES


@dataclass(frozen=True)
class Case:
    """Backbone of a network, its output stride, and a batch of crops."""

    network: str
    backbone: str
    stride: int
    batch: int
    size: tuple[int, int]
    frozen: bool


CASES = (
    Case("sorn", "efficientnet_lite0", SORN_STRIDE, 16, (288, 96), True),
    Case("sorn", "mobilenet_v2", SORN_STRIDE, 16, (288, 96), True),
    Case("danet", "efficientnet_lite0", DANET_STRIDE, 8, (128, 64), False),
)


def seconds(backbone: Backbone, image: torch.Tensor, precision: str) -> float:
    start = time.process_time()
    with torch.autocast("cpu", DTYPES[precision], enabled=precision != "fp32"):
        maps = backbone(image)
        loss = sum(found.float().mean() for found in maps)
    loss.backward()
    backbone.zero_grad()
    return time.process_time() - start


def measure(case: Case, precision: str, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of each round, with our gradients and with torch's."""
    torch.manual_seed(0)
    backbone = build_backbone(case.backbone, case.stride).to(memory_format=torch.channels_last)
    if case.frozen:
        backbone.freeze_early()
    image = torch.randn(case.batch, 3, *case.size).contiguous(memory_format=torch.channels_last)
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
    for case in CASES:
        for precision in ("bf16", "fp32") if bf16_unit() else ("fp32",):
            ours, others = measure(case, precision, 2 if args.quick else args.rounds)
            name = f"{case.network} {case.backbone} {precision}"
            rows[f"{name}, ours"], rows[f"{name}, torch's"] = ours, others
            figures[f"torch_over_ours_{name.replace(' ', '_')}"] = Figure(median(others) / median(ours))
    emit("depthwise", rows, figures, "CPU s per step")


if __name__ == "__main__":
    main()
