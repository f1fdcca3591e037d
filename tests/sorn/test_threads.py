"""Threads that share work: all of it is done, errors arrive, and a forked process has threads of its own."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from sorn import threads

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=[1, 3])
def count(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize(("rows", "fewest"), [(0, 1), (1, 1), (7, 1), (100, 16), (100, 1000)])
def test_slices_make_up_all_rows(count: int, rows: int, fewest: int) -> None:
    met: list[int] = []
    threads.share_rows(lambda first, last: met.extend(range(first, last)), rows, fewest)
    assert sorted(met) == list(range(rows))


def test_every_thread_takes_parts_with_one_torch_thread(count: int) -> None:
    together, found = threading.Barrier(count), set()

    def begin() -> Callable[[int], None]:
        together.wait(30)
        return lambda part: found.add((part, torch.get_num_threads()))

    threads.share(begin, range(12))
    assert found == {(part, 1) for part in range(12)}
    assert torch.get_num_threads() == count


def test_no_more_threads_than_are_asked_for(count: int) -> None:
    met: set[int] = set()
    threads.share(lambda: lambda part: met.add(threading.get_ident()), range(100), most=1)
    assert met == {threading.get_ident()}


def test_threads_that_begin_later_have_the_number_of_before(count: int) -> None:
    for _ in range(20):
        threads.share_rows(lambda first, last: None, 3)
        found: list[int] = []
        later = threading.Thread(target=lambda found=found: found.append(torch.get_num_threads()))
        later.start()
        later.join()
        assert found == [count]


def test_after_an_error_no_further_part_is_begun(count: int) -> None:
    begun: list[int] = []

    def fail(part: int) -> None:
        begun.append(part)
        raise ValueError("broken part")

    with pytest.raises(ValueError, match="broken part"):
        threads.share(lambda: fail, range(1000))
    assert len(begun) <= count


def test_a_forked_process_has_threads_of_its_own() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        threads.share_rows(lambda first, last: None, 2)  # these do not come along
        child = os.fork()
        if child == 0:
            threads.share_rows(lambda first, last: None, 2)
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    finally:
        torch.set_num_threads(before)
