"""Compiled functions: strict arithmetic, and a cache that may fail."""

import subprocess
import sys

import numba
import numpy as np

from pipeline.runtime import compiled as module
from pipeline.runtime.compiled import compiled

PRODUCTS = """
import numpy as np
from pipeline.datasets.synped.mesh_kernels import blend
rng = np.random.default_rng(0)
vertices, weights, transforms = (rng.random(shape, dtype=np.float32) for shape in ((500, 3), (500, 4), (9, 3, 4)))
found = blend(vertices, rng.integers(0, 9, (500, 4)).astype(np.int32), weights, transforms)
print(found.tobytes().hex())
"""


def test_sums_are_not_contracted_or_reordered():
    @compiled("f4(f4, f4, f4)")
    def product_and_sum(a, b, c):
        return a * b + c

    a = np.float32(1) + np.float32(2) ** -12
    exact, rounded = float(a) * float(a), float(np.float32(a * a))
    assert exact != rounded
    assert product_and_sum(a, a, np.float32(-1)) == np.float32(rounded - 1)


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
