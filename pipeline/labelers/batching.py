"""Batches that fit the memory of a device."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from pipeline.errors import UserError
from pipeline.runtime.memory import first_line, is_full

if TYPE_CHECKING:
    import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def run_in_batches(work: Callable[[list[Item]], list[Result]], items: list[Item], batch: int) -> list[Result]:
    """One result per item, in the order of the items.

    work: gets at most `batch` items at a time and returns as many results. Where the device runs out of memory the
    batch is halved, and what was under way begins again. Raises UserError where not even one item fits; any other error
    of `work` passes.
    """
    results: list[Result] = []
    while len(results) < len(items):
        chunk = items[len(results) : len(results) + batch]
        try:
            found = work(chunk)
        except (RuntimeError, MemoryError) as error:
            if not is_full(error):
                raise
            if len(chunk) == 1:
                raise UserError(
                    f"the device has not enough memory for a single image: {first_line(error)}",
                    "Free the device of other programs, make the network's input smaller, or use --device cpu.",
                ) from error
            batch = len(chunk) // 2
        else:
            assert len(found) == len(chunk), (len(found), len(chunk))
            results += found
            continue
        _release()  # after the except clause: its traceback holds the tensors that did not fit
    return results


def require_finite(scores: list[torch.Tensor], labeler: str, precision: str) -> None:
    """Raise UserError for scores with NaN or infinity.

    Their argmax would be a mask that looks like any other.
    """
    if all(bool(one.isfinite().all()) for one in scores):
        return
    remedy = "Compute in fp32: --set masks.options.precision=fp32."
    if precision == "fp32":
        remedy = "Its weights are damaged or of another network: copy them again."
    raise UserError(f"labeler {labeler} computed scores that are not finite, in {precision}", remedy)


def _release() -> None:
    """Give the allocator's unused blocks back, so that smaller ones can be cut from them."""
    import torch  # here, since `describe` and `status` import the labelers and must not wait for it

    torch.cuda.empty_cache()
