#!/usr/bin/env bash
# torch on a CPU with avx512_fp16: the weight gradient of a convolution in fp16 takes hundreds of times as long as in fp32,
# and more than ten times as long as by the same torch on the same CPU when oneDNN is told not to use fp16
# (ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16). The unit makes torch hand the convolution to oneDNN, which has kernels for the
# result and for the gradient of the input, and computes the one of the weights number by number. So the newest CPUs
# are the slowest in fp16, and a profile of inference shows nothing of it: there fp16 takes twice the time of fp32.
# pipeline/runtime/arithmetic.py never chooses fp16 on a CPU, and says so where it was asked for. Ends with 2 on a
# CPU without avx512_fp16. Observed 2026-12-01 with torch 2.14.1 (oneDNN 3.12), one thread, an Intel Xeon with
# amx_bf16, 16 maps of 64 channels, 32x16: 3537 ms in fp16, 5 ms in fp32, 216 ms in fp16 with the limit.
set -euo pipefail
if ! grep -q avx512_fp16 /proc/cpuinfo; then
    echo "this CPU has no avx512_fp16: nothing to see"
    exit 2
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.14.1 numpy==2.4.6
cat > "$work/look.py" <<'PYTHON'
import time

import torch

torch.set_num_threads(1)
layout = torch.channels_last


def milliseconds(dtype):
    """Times of the result and of the gradient of the weights, without the result."""
    convolution = torch.nn.Conv2d(64, 64, 3, padding=1, bias=False).to(dtype).to(memory_format=layout)
    maps = torch.randn(16, 64, 32, 16).to(dtype).contiguous(memory_format=layout)
    upstream = torch.ones_like(convolution(maps))
    forward, backward = [], []
    for _ in range(3):
        start = time.perf_counter()
        found = convolution(maps)
        forward.append(time.perf_counter() - start)
        start = time.perf_counter()
        torch.autograd.grad(found, convolution.weight, upstream)
        backward.append(time.perf_counter() - start)
    return round(1000 * min(forward)), round(1000 * min(backward))


print(*milliseconds(torch.float32), *milliseconds(torch.float16))
PYTHON
read -r _ exact result gradient < <("$work/venv/bin/python" "$work/look.py")
read -r _ _ _ limited < <(ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16 "$work/venv/bin/python" "$work/look.py")
echo "weight gradient: fp32 $exact ms, fp16 $gradient ms, fp16 with the limit $limited ms; result in fp16 $result ms"
((gradient > 100 * exact && gradient > 5 * limited && result < 10 * exact))
