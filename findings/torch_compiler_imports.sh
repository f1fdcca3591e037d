#!/usr/bin/env bash
# Three calls that compile nothing import torch's compiler (torch._dynamo, and sympy with it), each in a fresh process:
# making an optimizer, torch.use_deterministic_algorithms, and torch.nn.init on the device "meta". It takes nearly as long
# as `import torch` itself, in every process that trains or loads a network. torch.set_deterministic_debug_mode, which
# says the same to torch, imports nothing. Here sorn/unfilled.py builds networks on "meta" without drawing weights.
# Observed 2026-12-01 with torch 2.14.1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.14.1 numpy==2.4.6
cat > "$work/call.py" <<'PYTHON'
import json
import sys
import time

start = time.perf_counter()
import torch  # noqa: E402

imported = time.perf_counter()
parameter = torch.nn.Parameter(torch.zeros(3))
with torch.device("meta"):
    meta = torch.empty(3)
CALLS = {
    "tensors alone": lambda: parameter + 1,
    "torch.optim.AdamW(...)": lambda: torch.optim.AdamW([parameter]),
    "torch.use_deterministic_algorithms(True)": lambda: torch.use_deterministic_algorithms(True),
    "torch.set_deterministic_debug_mode('error')": lambda: torch.set_deterministic_debug_mode("error"),
    "torch.nn.init.normal_ under torch.device('meta')": lambda: on_meta(),
}


def on_meta():
    with torch.device("meta"):
        torch.nn.init.normal_(meta)


before = "torch._dynamo" in sys.modules
begin = time.perf_counter()
CALLS[sys.argv[1]]()
print(json.dumps([before, "torch._dynamo" in sys.modules, (time.perf_counter() - begin) / (imported - start)]))
PYTHON
"$work/venv/bin/python" - "$work/call.py" <<'PYTHON'
import json
import subprocess
import sys

EXPECTED = {
    "tensors alone": False,
    "torch.optim.AdamW(...)": True,
    "torch.use_deterministic_algorithms(True)": True,
    "torch.set_deterministic_debug_mode('error')": False,
    "torch.nn.init.normal_ under torch.device('meta')": True,
}
wrong = 0
for call, expected in EXPECTED.items():
    done = subprocess.run([sys.executable, sys.argv[1], call], capture_output=True, text=True, check=True)
    before, after, share = json.loads(done.stdout)
    said = "imports" if after else "does not import"
    print(f"{call}: {said} torch._dynamo, {share:.2f} times as long as import torch")
    wrong += before or after is not expected
sys.exit(1 if wrong else 0)
PYTHON
