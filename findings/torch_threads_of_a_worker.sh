#!/usr/bin/env bash
# torch.set_num_threads in a worker thread, for instance by the initializer of a ThreadPoolExecutor, holds for that thread
# only if the thread has asked torch for its number of threads before. Otherwise the next call in another thread undoes
# it. And it sets the number of every thread that starts later. Here sorn/threads.py asks
# first, and the number of before is set again in the thread that shares its work. Observed 2026-11-30 with torch 2.14.1.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.14.1 numpy==2.4.6
"$work/venv/bin/python" - <<'PYTHON'
import sys
from concurrent.futures import ThreadPoolExecutor

import torch


def set_one() -> None:
    torch.set_num_threads(1)


def ask_and_set_one() -> None:
    torch.get_num_threads()
    torch.set_num_threads(1)


torch.set_num_threads(2)
found = {}
for name, initializer in (("sets", set_one), ("asks and sets", ask_and_set_one)):
    with ThreadPoolExecutor(1, initializer=initializer) as worker:
        worker.submit(lambda: None).result()  # the initializer has run
        with ThreadPoolExecutor(1) as later:
            begins = later.submit(torch.get_num_threads).result()
        torch.set_num_threads(3)  # in the main thread
        found[name] = worker.submit(torch.get_num_threads).result()
    print(f"a worker that {name} 1 has {found[name]} threads after the main thread has set 3;", end=" ")
    print(f"a thread that started between the two began with {begins}")
    torch.set_num_threads(2)
sys.exit(0 if found == {"sets": 3, "asks and sets": 1} and begins == 1 else 1)
PYTHON
