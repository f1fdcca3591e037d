#!/usr/bin/env bash
# On a CPU with AMX, torch's deconvolution (ConvTranspose2d 3x3, stride 2) in bf16 takes more than twice the time of a
# plain convolution that computes the same numbers: a 2x2 convolution with the four results of each position as
# channels, then pixel_shuffle. That one multiplies 1.8 times as much, by zeros, and wins only because oneDNN has no
# deconvolution for AMX; with ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16 the deconvolution is the faster one. A decoder can
# so take a tenth of a network's time without a multiplication to show for it. sorn/phases.py takes the convolution
# where the CPU has AMX. Ends with 2 on a CPU without AMX. Observed 2026-12-01 with torch 2.14.1 (oneDNN 3.12), one
# thread, 16 maps of 3072 channels, 24x8: 42 and 17 ms with AMX, 73 and 129 ms without.
set -euo pipefail
if ! grep -q amx_bf16 /proc/cpuinfo; then
    echo "this CPU has no AMX: nothing to see"
    exit 2
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.14.1 numpy==2.4.6
cat > "$work/look.py" <<'PYTHON'
import itertools
import time

import torch
from torch.nn import functional

torch.set_num_threads(1)
torch.manual_seed(0)
layout = torch.channels_last
image = torch.randn(16, 3072, 24, 8).bfloat16().contiguous(memory_format=layout)
weight = (torch.randn(3072, 48, 3, 3) / 50).bfloat16()
phases = torch.zeros(48, 2, 2, 3072, 2, 2, dtype=torch.bfloat16)
for row, column, down, right in itertools.product(range(2), repeat=4):
    y, x = row + 1 - 2 * down, column + 1 - 2 * right
    if y >= 0 and x >= 0:
        phases[:, row, column, :, down, right] = weight[:, :, y, x].T
phases = phases.reshape(192, 3072, 2, 2).contiguous(memory_format=layout)


def deconvolution():
    return functional.conv_transpose2d(image, weight, None, 2, 1, 1)


def convolution():
    return functional.pixel_shuffle(functional.conv2d(image, phases, padding=1)[:, :, 1:, 1:], 2)


def milliseconds(compute):
    best = 1e9
    for _ in range(8):
        start = time.perf_counter()
        compute()
        best = min(best, time.perf_counter() - start)
    return round(best * 1e3)


with torch.inference_mode():
    assert torch.allclose(deconvolution().float(), convolution().float(), rtol=0.02, atol=0.05)
    print(milliseconds(deconvolution), milliseconds(convolution))
PYTHON
with=$("$work/venv/bin/python" "$work/look.py")
without=$(ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16 "$work/venv/bin/python" "$work/look.py")
echo "ms of deconvolution and convolution with AMX: $with; without: $without"
read -r slow fast <<< "$with"
read -r plain other <<< "$without"
((10 * slow > 15 * fast && plain < other))
