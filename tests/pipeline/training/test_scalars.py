"""scalars.csv: every step once, after resuming, and after a kill in the middle of a line."""

from __future__ import annotations

from pathlib import Path

from pipeline.training.scalars import ScalarTable


def write(path: Path, done: int, steps: range, epochs: tuple[int, ...] = ()) -> None:
    table = ScalarTable(path, done)
    for step in steps:
        table.add(step, {"loss/all": step / 2, "lr": 0.1})
        if step + 1 in epochs:
            table.add(step + 1, {"speed/images_per_second": 8.0, "val/mAP": 0.25})
    table.close()


def rows(path: Path) -> list[tuple[int, str]]:
    lines = path.read_text().splitlines()
    assert lines[0] == "step,name,value"
    return [(int(step), name) for step, name, _ in (line.split(",") for line in lines[1:])]


def test_a_resumed_training_repeats_no_line(tmp_path: Path) -> None:
    whole, resumed = tmp_path / "whole.csv", tmp_path / "resumed.csv"
    write(whole, 0, range(8), (4, 8))
    write(resumed, 0, range(6), (4,))  # stopped at 6; the last state is of the end of the first epoch
    write(resumed, 4, range(4, 8), (8,))
    assert resumed.read_text() == whole.read_text()
    assert len(set(rows(resumed))) == len(rows(resumed)) == 20


def test_a_state_in_the_middle_of_an_epoch(tmp_path: Path) -> None:
    whole, resumed = tmp_path / "whole.csv", tmp_path / "resumed.csv"
    write(whole, 0, range(8), (4, 8))
    write(resumed, 0, range(7), (4,))
    write(resumed, 6, range(6, 8), (8,))
    assert resumed.read_text() == whole.read_text()


def test_a_line_that_a_kill_has_cut_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "scalars.csv"
    write(path, 0, range(3))
    path.write_text(path.read_text() + "3,loss/a")
    write(path, 3, range(3, 4))
    assert rows(path) == [(step, name) for step in range(4) for name in ("loss/all", "lr")]


def test_a_new_training_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "scalars.csv"
    write(path, 0, range(9), (9,))
    write(path, 0, range(1))
    assert rows(path) == [(0, "loss/all"), (0, "lr")]


def test_lines_can_be_read_while_the_training_goes_on(tmp_path: Path) -> None:
    table = ScalarTable(tmp_path / "scalars.csv", 0)
    table.add(0, {"lr": 1 / 3})
    assert (tmp_path / "scalars.csv").read_text().endswith("0,lr,0.33333333\n")
    table.close()
