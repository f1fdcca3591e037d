#!/usr/bin/env bash
# On a CPU with AMX, a strided convolution in bf16 whose results are one column wide is computed with what lies in freed
# memory: where that is nan, the results are nan (3x3, 5x5 and 7x7, few images). Of 14,256 convolutions of other sizes,
# with and without a stride, none had a nan. Two columns are right, and so is
# ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16. Images of 16 pixels' width have such maps: sorn/narrow_maps.py adds columns of
# zeros. Ends with 2 on a CPU without AMX. Observed 2026-11-30 with torch 2.14.1 (oneDNN 3.12).
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
import torch
from torch.nn import functional

torch.set_num_threads(1)
torch.manual_seed(0)


def nans(width: int) -> int:
    """Of six runs, those with a nan, after arrays of nan were freed."""
    layout = torch.channels_last
    image = torch.randn(4, 128, 48, width).bfloat16().contiguous(memory_format=layout)
    weight = (torch.randn(256, 128, 3, 3) / 20).bfloat16().contiguous(memory_format=layout)
    found = 0
    for _ in range(6):
        freed = [torch.full((size,), float("nan")) for size in (10**3, 10**4, 10**5, 10**6) for _ in range(8)]
        del freed
        found += int(functional.conv2d(image, weight, None, 2, 1).isnan().any())
    return found


for width in (2, 4):
    print(width // 2, nans(width))
PYTHON
seen=$("$work/venv/bin/python" "$work/look.py")
plain=$(ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16 "$work/venv/bin/python" "$work/look.py")
echo "columns of results, and runs of six with a nan:"
echo "$seen"
echo "without AMX:"
echo "$plain"
read -r _ narrow <<< "$(head -1 <<< "$seen")"
[[ $narrow -gt 0 && $(tail -1 <<< "$seen") == "2 0" && $plain == $'1 0\n2 0' ]]
