"""A training gives up threads where others take its cores, takes them back, and never against the user's number."""

from __future__ import annotations

import logging
import os
import threading
import time

import pytest
import torch

from pipeline.runtime import core_share
from pipeline.runtime.core_share import CoreShare, Usage, read_usage

CPU = torch.device("cpu")


class Machine:
    """Four cores that this process may use, looked at every two seconds."""

    def __init__(self) -> None:
        self.now, self.usage = 0.0, Usage(5.0, 7.0)

    def pass_by(self, share: CoreShare, looks: int, waiting: float = 0.0, idle: float = 0.0) -> int:
        """Threads after some looks, during which so many threads waited and so many cores were idle."""
        for _ in range(looks):
            self.now += core_share.WINDOW
            spent = core_share.WINDOW
            self.usage = Usage(self.usage.waited + waiting * spent, self.usage.idle + idle * spent)
            share.adapt()
        return share.threads


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    threads = [4]
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads[0])
    monkeypatch.setattr(torch, "set_num_threads", lambda number: threads.__setitem__(0, number))
    return Machine()


def share_of(machine: Machine, device: torch.device = CPU) -> CoreShare:
    return CoreShare("train", device, lambda: machine.usage, lambda: machine.now)


def test_a_quiet_machine_changes_nothing(machine, caplog) -> None:
    share = share_of(machine)
    assert machine.pass_by(share, 50, waiting=0.1) == 4 and not caplog.records


def test_a_moment_of_other_work_changes_nothing(machine) -> None:
    share = share_of(machine)
    for _ in range(5):
        assert machine.pass_by(share, 1, waiting=2.0) == 4
        assert machine.pass_by(share, 1, waiting=0.0) == 4


def test_threads_are_given_up_and_taken_back(machine, caplog) -> None:
    caplog.set_level(logging.INFO, "pipeline")
    share = share_of(machine)
    assert machine.pass_by(share, 2, waiting=0.6) == 3 == torch.get_num_threads()
    assert machine.pass_by(share, 10, waiting=0.1) == 3, "no core is free: the other program has it"
    assert machine.pass_by(share, 2, waiting=0.1, idle=1.0) == 4 == torch.get_num_threads()
    (said,) = (record.getMessage() for record in caplog.records)
    assert said.startswith("train: other programs compute on these cores: goes on with 3 of 4 threads")
    assert "set OMP_NUM_THREADS" in said


def test_many_neighbours_take_many_threads_and_one_is_kept(machine) -> None:
    share = share_of(machine)
    assert machine.pass_by(share, 2, waiting=2.2) == 2
    assert machine.pass_by(share, 20, waiting=3.0) == 1
    assert machine.pass_by(share, 2, idle=3.0) == 4


def test_one_long_step_is_enough(machine) -> None:
    """Where many others compute, a step of spinning threads takes a minute."""
    share = share_of(machine)
    machine.now, machine.usage = 60.0, Usage(65.0, 7.0)
    share.adapt()
    assert share.threads == 3


def test_a_thread_that_is_lost_again_at_once_is_tried_ever_more_seldom(machine) -> None:
    share, waits = share_of(machine), []
    for _ in range(6):
        machine.pass_by(share, 2, waiting=0.5)
        assert share.threads == 3
        waits.append(next(n for n in range(1, 100) if machine.pass_by(share, 1, idle=1.0) == 4))
    assert waits == [2, 4, 8, 16, 16, 16]
    machine.pass_by(share, 30)
    machine.pass_by(share, 2, waiting=0.5)
    assert machine.pass_by(share, 2, idle=1.0) == 4, "after a long time with all threads, it is tried at once again"


def test_what_comes_after_the_training_has_all_threads(machine) -> None:
    with pytest.raises(KeyError), share_of(machine) as share:
        assert machine.pass_by(share, 2, waiting=1.0) == 3 == torch.get_num_threads()
        raise KeyError
    assert torch.get_num_threads() == 4


def test_the_number_of_the_user_is_kept(machine, monkeypatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert machine.pass_by(share_of(machine), 20, waiting=3.0) == 4


def test_a_gpu_and_a_system_that_counts_nothing_are_left_alone(machine) -> None:
    assert machine.pass_by(share_of(machine, torch.device("cuda")), 20, waiting=3.0) == 4
    share = CoreShare("train", CPU, lambda: None, lambda: machine.now)
    assert machine.pass_by(share, 20, waiting=3.0) == 4


def test_processes_of_torchrun_divide_the_cores(machine, monkeypatch) -> None:
    for name, value in (("RANK", 0), ("WORLD_SIZE", 2), ("LOCAL_RANK", 0), ("LOCAL_WORLD_SIZE", 2)):
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr("joblib.cpu_count", lambda: 6)
    assert share_of(machine).most == 3 == torch.get_num_threads()


@pytest.mark.skipif(read_usage() is None, reason="this system does not count what threads wait for")
def test_threads_that_wait_for_one_core_are_counted() -> None:
    """Two busy threads on one core: one of them waits at any time."""
    allowed = os.sched_getaffinity(0)
    end = time.monotonic() + 1.0

    def spin() -> None:  # sorting holds no lock for long: threads of Python take turns on their own
        values = torch.rand(1 << 16)
        while time.monotonic() < end:
            values.sort()

    before = read_usage()
    try:
        os.sched_setaffinity(0, {min(allowed)})
        threads = [threading.Thread(target=spin) for _ in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(0.9)
        after = read_usage()  # while they live: a thread that has ended is not counted
    finally:
        os.sched_setaffinity(0, allowed)
        for thread in threads:
            thread.join()
    assert before is not None and after is not None
    assert after.waited - before.waited > 0.3


def test_without_what_the_kernel_counts_there_is_no_answer(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(core_share, "TASKS", tmp_path / "absent")
    assert read_usage() is None
    (tmp_path / "1").mkdir()
    monkeypatch.setattr(core_share, "TASKS", tmp_path)
    assert read_usage() is None, "a kernel without statistics of its scheduler"
    (tmp_path / "1" / "schedstat").write_text("30 2000000000 4\n")
    (tmp_path / "2").mkdir()
    stat = tmp_path / "stat"
    first = min(os.sched_getaffinity(0))
    stat.write_text(f"cpu  1 1 1 900 1\ncpu{first} 1 1 1 300 1 1\ncpu99999 1 1 1 600 1 1\nintr 1 2\n")
    monkeypatch.setattr(core_share, "CORES", stat)
    assert read_usage() == Usage(2.0, 300 / os.sysconf("SC_CLK_TCK"))
