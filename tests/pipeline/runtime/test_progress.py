"""Time left: nothing is said before it means something, and then it is about right."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterable

import pytest

from pipeline.runtime import progress
from pipeline.runtime.progress import MOST_MARKS, Pace, Progress, spoken


class Clock:
    """A clock that the test moves. seconds: since the start."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 1000.0
        monkeypatch.setattr(progress.time, "monotonic", lambda: self.seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def lines(clock: Clock, capsys: pytest.CaptureFixture[str], total: int, waits: Iterable[float], done: int = 0) -> str:
    """What a log shows of units that end after these seconds each."""
    with Progress(total, "train", "steps", done) as shown:
        for wait in waits:
            clock.seconds += wait
            shown.advance()
    return capsys.readouterr().err


def seconds_left(text: str) -> list[float]:
    units = {"s": 1, "min": 60, "h": 3600}
    found = re.findall(r"/s, ((?:\d+ (?:s|min|h) ?)+) left", text)
    return [sum(int(n) * units[unit] for n, unit in re.findall(r"(\d+) (s|min|h)", one)) for one in found]


def test_a_slow_first_unit_is_not_in_the_estimate(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """It compiles, fills caches, reads for the first time."""
    said = lines(clock, capsys, 1000, [100.0] + [0.1] * 300)
    first = said.splitlines()[0]
    assert first == "train: 1/1000 steps"
    estimates = seconds_left(said)
    assert len(estimates) == 2 and estimates[0] == pytest.approx(0.1 * 899, rel=0.1)


def test_slow_first_units_are_soon_forgotten(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    said = lines(clock, capsys, 10_000, [100.0, 60.0, 30.0, 5.0] + [0.1] * 4000)
    assert seconds_left(said)[-1] == pytest.approx(0.1 * 6000, rel=0.1)


def test_units_that_come_in_bursts_give_no_hasty_estimate(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """Sixteen threads, each with a unit after 16 seconds: one per second."""
    burst = [16.0] + [0.0] * 15
    estimates = seconds_left(lines(clock, capsys, 1000, burst * 5))
    assert estimates and all(400 < left < 1100 for left in estimates)


def test_a_pause_in_every_epoch_belongs_to_the_rate(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """Validation, for example."""
    epoch = [31.0] + [0.1] * 99
    said = lines(clock, capsys, 4000, epoch * 20)
    assert seconds_left(said)[-1] == pytest.approx(20 * 40.9, rel=0.15)


def test_units_finished_before_do_not_count(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    said = lines(clock, capsys, 1000, [1.0] * 40, done=900)
    assert seconds_left(said)[-1] == pytest.approx(60, abs=2)
    assert said.splitlines()[-1].startswith("train: 940/1000 steps, 1.0 steps/s")


def test_a_short_step_ends_without_an_estimate(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    assert lines(clock, capsys, 3, [1.0, 1.0, 1.0]) == "train: 3/3 steps, 1.0 steps/s\n"


def test_the_bar_of_a_terminal_says_the_same(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", terminal)
    with Progress(100, "masks") as shown:
        for wait in [100.0] + [1.0] * 20:
            clock.seconds += wait
            shown.advance(note="loss 1")
            shown.bar.refresh()
            if shown.done == 1:
                assert "left" not in terminal.getvalue() and "?" not in terminal.getvalue()
        assert "21/100 images" in terminal.getvalue() and "1.0 images/s, 79 s left, loss 1" in terminal.getvalue()


def test_the_past_is_thinned() -> None:
    pace = Pace()
    for second in range(10_000):
        pace.mark(float(second), second)
    assert len(pace._marks) <= MOST_MARKS and pace.rate == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (99, "99 s"), (100, "2 min"), (5999, "100 min"), (12000, "3 h 20 min")]
)
def test_durations_are_spoken(seconds: float, words: str) -> None:
    assert spoken(seconds).replace("1 h 40 min", "100 min") == words
