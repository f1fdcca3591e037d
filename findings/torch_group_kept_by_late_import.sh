#!/usr/bin/env bash
# A process group of torch outlives destroy_process_group() if torch's compiler was imported after
# init_process_group(): torch.distributed.nn.functional has ten functions with the default group=group.WORLD, which is
# the group of the moment of the import. torchvision imports the compiler, so a program that builds its network after
# it has joined the others is enough. gloo's three threads then live until the interpreter ends, where they free
# tensors of Python: now and then the process aborts ("terminate called without an active exception", exit code -6),
# after all work is done and written, and torchrun calls the run failed. Imported before init_process_group() the
# default is None, and the threads end with the group.
# Observed 2026-12-01 with torch 2.14.1: three threads of gloo after destroy_process_group(), none without the import
# or with it before. The abort came in about a quarter of the runs of a large test suite, and in none of 140 runs of
# the same script alone.
# pipeline/runtime/distributed.py imports torch.distributed.nn.functional before it joins.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.14.1 numpy==2.4.6
cat > "$work/look.py" <<'PYTHON'
import os
import sys

import torch
import torch.distributed as dist


def gloo() -> int:
    """Threads of gloo in this process."""
    names = [open(f"/proc/self/task/{thread}/comm").read() for thread in os.listdir("/proc/self/task")]
    return sum("gloo" in name for name in names)


when = sys.argv[1]
if when == "before":
    import torch._dynamo
dist.init_process_group("gloo")
dist.all_gather_object([None, None], "here")
if when == "after":
    import torch._dynamo  # as `import torchvision` does
during = gloo()
dist.destroy_process_group()
if os.environ["RANK"] == "0":
    print(when, during, gloo(), flush=True)
os._exit(0)
PYTHON
seen=()
for when in never before after; do
    seen+=("$("$work/venv/bin/python" -m torch.distributed.run --standalone --nproc-per-node 2 "$work/look.py" "$when" 2> /dev/null)")
    read -r _ during left <<< "${seen[-1]}"
    echo "compiler imported $when init_process_group: $during threads of gloo, $left after destroy_process_group"
done
read -r _ _ never <<< "${seen[0]}"
read -r _ _ before <<< "${seen[1]}"
read -r _ _ after <<< "${seen[2]}"
[[ $never == 0 && $before == 0 && $after -gt 0 ]]
