#!/usr/bin/env bash
# On a CPU torch's in-place ReLU, ReLU6 and clamp of a bfloat16 tensor take longer than those of a float32 tensor of as
# many numbers, which has twice the bytes: every number is widened and rounded, even where the CPU has a unit for
# bfloat16. An int16 clamp of the same memory gives equal results for all numbers that are not nan, because the bits of
# bfloat16 numbers that are not negative rise with them. Here sorn/relu.py works on the bits. Observed 2026-12-01 with
# torch 2.14.1: 1.5 to 2.3 times float32, and three to five times int16.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.14.1 numpy==2.4.6
"$work/venv/bin/python" - <<'PYTHON'
import sys
import time
from statistics import median

import torch

SIX = 0x40C0  # the bits of 6
torch.set_num_threads(1)
everything = torch.arange(1 << 16, dtype=torch.int32).to(torch.int16).view(torch.bfloat16)
numbers = everything[~everything.isnan()]
by_bits = numbers.clone()
by_bits.view(torch.int16).clamp_(0, SIX)
same = torch.equal(by_bits, torch.nn.functional.relu6(numbers))
print(f"int16 clamp of the bits gives ReLU6 of all {len(numbers)} numbers: {same}")

wide = torch.randn(1 << 22)
half = wide.bfloat16()
ways = {
    "bfloat16": lambda: torch.nn.functional.relu6(half, inplace=True),
    "float32": lambda: torch.nn.functional.relu6(wide, inplace=True),
    "int16": lambda: half.view(torch.int16).clamp_(0, SIX),
}
seconds = {way: [] for way in ways}
for _ in range(30):
    for way, work in ways.items():
        begin = time.perf_counter()
        work()
        seconds[way].append(time.perf_counter() - begin)
found = {way: 1e3 * median(values) for way, values in seconds.items()}
print("ms of ReLU6 of four million numbers:", ", ".join(f"{way} {value:.2f}" for way, value in found.items()))
sys.exit(0 if same and found["bfloat16"] > 1.2 * found["float32"] and found["bfloat16"] > 2 * found["int16"] else 1)
PYTHON
