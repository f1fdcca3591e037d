"""Batches on a device: order, halving when memory ends, and what passes through."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
import torch

from pipeline.errors import UserError
from pipeline.labelers.batching import require_finite, run_in_batches


def device_of(size: int, sizes: list[int], error: Callable[[], Exception]) -> Callable[[list[int]], list[int]]:
    """Work that doubles numbers on a device with room for `size` items, and notes how many it was given."""

    def work(items: list[int]) -> list[int]:
        sizes.append(len(items))
        if len(items) > size:
            raise error()
        return [2 * item for item in items]

    return work


def test_results_come_in_the_order_of_the_items() -> None:
    sizes: list[int] = []
    work = device_of(9, sizes, AssertionError)
    assert run_in_batches(work, list(range(7)), 3) == [0, 2, 4, 6, 8, 10, 12]
    assert sizes == [3, 3, 1]
    assert run_in_batches(work, [], 3) == []


@pytest.mark.parametrize(
    "error",
    [
        lambda: torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        lambda: RuntimeError("[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory: 64"),
        lambda: RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 64 bytes."),
        lambda: RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        lambda: MemoryError(),
    ],
)
def test_a_full_device_halves_the_batch_and_goes_on(error: Callable[[], Exception]) -> None:
    sizes: list[int] = []
    assert run_in_batches(device_of(2, sizes, error), list(range(9)), 8) == [2 * item for item in range(9)]
    assert sizes == [8, 4, 2, 2, 2, 2, 1]


def test_the_last_short_batch_is_halved_from_its_own_size() -> None:
    sizes: list[int] = []
    work = device_of(1, sizes, lambda: RuntimeError("CUDA out of memory"))
    assert run_in_batches(work, [1, 2, 3], 64) == [2, 4, 6]
    assert sizes == [3, 1, 1, 1]


def test_one_item_that_does_not_fit_is_said() -> None:
    work = device_of(0, [], lambda: RuntimeError("CUDA out of memory. Tried to allocate 9 GiB\nmore"))
    with pytest.raises(UserError, match=r"memory for a single image: CUDA out of memory.*9 GiB\. Free the device"):
        run_in_batches(work, [1, 2], 2)


def test_other_errors_pass() -> None:
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        run_in_batches(device_of(0, [], lambda: RuntimeError("mat1 and mat2 shapes")), [1, 2], 2)


def test_naming_it_imports_no_torch() -> None:
    code = "import sys, pipeline.labelers.batching; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_scores_that_are_not_finite_stop_the_work() -> None:
    good, bad = torch.zeros(8, 2, 2), torch.full((8, 2, 2), float("nan"))
    require_finite([good, good], "danet", "fp16")
    with pytest.raises(
        UserError, match=r"labeler danet computed scores that are not finite, in fp16\. Compute in fp32"
    ):
        require_finite([good, bad], "danet", "fp16")
    with pytest.raises(UserError, match=r"not finite, in fp32\. Its weights are damaged"):
        require_finite([bad], "danet", "fp32")
