"""Compiled functions: strict arithmetic, and a cache that may fail."""

import subprocess
import sys
import threading
import time

import numba
import numpy as np
import pytest

from sorn import compiled as module
from sorn.compiled import compiled

PRODUCTS = """
import numpy as np
from pipeline.datasets.synped.mesh_kernels import blend
rng = np.random.default_rng(0)
vertices, weights, transforms = (rng.random(shape, dtype=np.float32) for shape in ((500, 3), (500, 4), (9, 3, 4)))
found = blend(vertices, rng.integers(0, 9, (500, 4)).astype(np.int32), weights, transforms)
print(found.tobytes().hex())
"""


@pytest.fixture(autouse=True)
def no_kept_code(monkeypatch, tmp_path):
    """Kernels of this file are compiled anew: numba keeps machine code when only the options of a kernel change."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "kept"))


def test_sums_are_not_contracted_or_reordered():
    @compiled("f4(f4, f4, f4)")
    def product_and_sum(a, b, c):
        return a * b + c

    a = np.float32(1) + np.float32(2) ** -12
    exact, rounded = float(a) * float(a), float(np.float32(a * a))
    assert exact != rounded
    assert product_and_sum(a, a, np.float32(-1)) == np.float32(rounded - 1)


def test_other_threads_run_beside_a_kernel():
    @compiled("f8(i8)")
    def slow(turns):
        value = 1.0
        for _ in range(turns):
            value = value * 0.5 + 1.0
        return value

    start = time.perf_counter()
    slow(10**7)
    turns = int(10**7 * 0.5 / (time.perf_counter() - start))  # half a second
    kernel, ticks = threading.Thread(target=slow, args=(turns,)), 0
    kernel.start()
    while kernel.is_alive():
        time.sleep(0.001)
        ticks += 1
    assert ticks > 20


def test_bits_are_those_of_a_cpu_without_vector_units(monkeypatch, tmp_path):
    """The same kernel compiled for this CPU and for the oldest one of its kind."""
    command = [sys.executable, "-c", PRODUCTS]
    here = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    monkeypatch.setenv("NUMBA_CPU_NAME", "generic")
    monkeypatch.setenv("NUMBA_CPU_FEATURES", "")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == here
    assert any(tmp_path.rglob("*.nbi")), "machine code is kept in NUMBA_CACHE_DIR"


def test_without_a_folder_to_write_a_kernel_is_compiled_all_the_same(monkeypatch):
    def refuse(signature, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return numba.njit(signature, **options)

    monkeypatch.setattr(module, "numba", type("Numba", (), {"njit": staticmethod(refuse)}))
    assert compiled("i8(i8)")(lambda number: number + 1)(2) == 3
