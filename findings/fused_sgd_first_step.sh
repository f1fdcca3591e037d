#!/usr/bin/env bash
# torch's SGD with fused=True makes the momentum of the first step in undefined memory. Where GradScaler skips that step,
# because its gradients overflow (in fp16 the usual case), the momentum stays undefined, and the next step uses it.
# Here sorn/schedule.py makes the momentum itself, of zeros. Observed 2026-11-29 with torch 2.14.1 on a CPU.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.14.1 numpy==2.4.6
"$work/venv/bin/python" - <<'PYTHON'
import sys

import torch

torch.use_deterministic_algorithms(True)
torch.utils.deterministic.fill_uninitialized_memory = True  # with nan
weights = torch.nn.Parameter(torch.ones(4))
optimizer = torch.optim.SGD([weights], lr=0.1, momentum=0.9, fused=True)
scaler = torch.amp.GradScaler("cpu")
for factor in (float("inf"), 1.0):
    optimizer.zero_grad()
    scaler.scale((factor * weights).sum()).backward()
    scaler.step(optimizer)
    scaler.update()
print("weights after a skipped step and a good one:", weights.tolist())
sys.exit(0 if weights.isnan().any() else 1)
PYTHON
