#!/usr/bin/env bash
# The weight gradient of a 5x5 depthwise convolution with stride 1 takes torch on a CPU far more than its operations ask
# for: 25 weights per channel cost 5 times as much in float32, and 50 to 200 times as much in bfloat16, as the 9 of a 3x3
# one (2.8 would be in proportion). Four 3x3 weight gradients of shifted inputs hold the same numbers in a fraction of the
# time. Worse, in any precision: once the map has fewer rows than the kernel, as in small crops and in dilated stages whose
# maps are taken apart, the gradient costs 6 to 50 times as much, though there is less to compute; at the same number of
# rows it is back to normal. Here sorn/depthwise.py computes both from 3x3 gradients. Observed with torch 2.14.1,
# channels_last, one thread: 2026-11-29 on an AMD EPYC with avx512_bf16 (only machines with that instruction set are asked
# about bfloat16); 2026-11-30, rows, on an AMD EPYC with AVX2 (5x5 on 4x4 maps 64 ms, on 5x5 maps of the same kind 14 ms).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.14.1 numpy==2.4.6
"$work/venv/bin/python" - <<'PYTHON'
import sys
import time
from pathlib import Path

import torch

torch.set_num_threads(1)
torch.manual_seed(0)
CHANNELS, ROUNDS = 1152, 7
layout = {"memory_format": torch.channels_last}


def weight_gradient(size, image, grad, padding):
    weight = torch.empty(CHANNELS, 1, size, size, dtype=image.dtype)
    found = torch.ops.aten.convolution_backward(
        grad, image, weight, None, [1, 1], [padding] * 2, [1, 1], False, [0, 0], CHANNELS, [False, True, False]
    )
    return found[1]


def windows(image, grad):
    """The 25 weights from four 3x3 gradients, whose windows overlap in the middle row and column."""
    framed = torch.nn.functional.pad(image, (2,) * 4)
    out = torch.empty(CHANNELS, 1, 5, 5, dtype=image.dtype)
    height, width = grad.shape[2] + 2, grad.shape[3] + 2
    for top in (0, 2):
        for left in (0, 2):
            seen = framed[:, :, top : top + height, left : left + width].contiguous(**layout)
            out[:, :, top : top + 3, left : left + 3] = weight_gradient(3, seen, grad, 0)
    return out


def seconds(call):
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def ratios(dtype):
    image, grad = (torch.randn(16, CHANNELS, 18, 6).to(dtype).contiguous(**layout) for _ in range(2))
    whole, parts = weight_gradient(5, image, grad, 2).float(), windows(image, grad).float()
    print(f"{dtype}: largest difference of the two ways {(whole - parts).abs().max() / whole.abs().max():.1e}")
    five = seconds(lambda: weight_gradient(5, image, grad, 2))
    three, four = seconds(lambda: weight_gradient(3, image, grad, 1)), seconds(lambda: windows(image, grad))
    print(f"  5x5 {1e3 * five:.1f} ms, 3x3 {1e3 * three:.1f} ms, 5x5 by four 3x3 {1e3 * four:.1f} ms")
    return five / three, five / four


def few_rows():
    """Time of one row too few over that of just enough rows, per pixel of the map."""
    times = {}
    for rows in (4, 5):
        image, grad = (torch.randn(32, CHANNELS, rows, 5).contiguous(**layout) for _ in range(2))
        times[rows] = seconds(lambda image=image, grad=grad: weight_gradient(5, image, grad, 2))
    print(f"5x5 on maps of 4x5 {1e3 * times[4]:.1f} ms, of 5x5 {1e3 * times[5]:.1f} ms")
    return (times[4] / 4) / (times[5] / 5)


print(torch.__version__)
to_three, _ = ratios(torch.float32)
there = to_three > 4 and few_rows() > 3
flags = Path("/proc/cpuinfo")
if flags.is_file() and "avx512_bf16" in flags.read_text():
    to_three, to_four = ratios(torch.bfloat16)
    there = there and to_three > 20 and to_four > 5
sys.exit(0 if there else 1)
PYTHON
