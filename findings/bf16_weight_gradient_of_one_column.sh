#!/usr/bin/env bash
# Where a map has one column, the weight gradient of a strided convolution in bf16 is computed with what lies in freed
# memory: where that is nan, so is the gradient, and after one step the network. It happens on every CPU with AVX-512,
# with and without units for bf16, where torch computes in bf16; not with AVX2, not in float32, not for two columns. A
# training ends with nan after hours, or does not: it depends on what was freed before. Images of 16 pixels' width and
# deep stages have such maps. sorn/narrow_maps.py adds columns of zeros, so that no map has one column. The results
# themselves are nan on CPUs with AMX only, for two columns, too: amx_nan_of_narrow_maps.sh. Ends with 2 on a CPU
# without AVX-512. Observed 2026-12-01 with torch 2.14.1 (oneDNN 3.12) on a Xeon, and there with
# ONEDNN_MAX_CPU_ISA=AVX512_CORE: in most of eight runs.
set -euo pipefail
if ! grep -q avx512f /proc/cpuinfo; then
    echo "this CPU has no AVX-512: nothing to see"
    exit 2
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.14.1 numpy==2.4.6
cat > "$work/look.py" <<'PYTHON'
import torch
from torch.nn import functional

torch.set_num_threads(1)
torch.manual_seed(0)


def nans(dtype: torch.dtype, width: int) -> int:
    """Of eight runs, those with a nan in the gradient of the weights, after arrays of nan were freed."""
    found = 0
    for _ in range(8):
        image = torch.randn(4, 128, 48, width).to(dtype)
        weight = (torch.randn(256, 128, 3, 3) / 20).to(dtype).requires_grad_()
        results = functional.conv2d(image, weight, None, 2, 1)
        freed = [torch.full((size,), float("nan")) for size in (10**3, 10**4, 10**5, 10**6) for _ in range(8)]
        del freed
        (gradient,) = torch.autograd.grad(results, weight, torch.ones_like(results))
        found += int(gradient.isnan().any())
    return found


print(nans(torch.bfloat16, 1), nans(torch.bfloat16, 2), nans(torch.float32, 1))
PYTHON
seen=()
for isa in ALL AVX512_CORE AVX2; do
    seen+=("$(ONEDNN_MAX_CPU_ISA=$isa "$work/venv/bin/python" "$work/look.py")")
    echo "$isa: runs of eight with a nan, bf16 and one column, bf16 and two, float32 and one: ${seen[-1]}"
done
for one in "${seen[0]}" "${seen[1]}"; do
    read -r narrow two single <<< "$one"
    [[ $narrow -gt 0 && $two == 0 && $single == 0 ]]
done
[[ ${seen[2]} == "0 0 0" ]]
