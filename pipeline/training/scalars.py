"""Scalars of a training as a CSV: step, name, value.

Written line by line beside TensorBoard's events, which hold the same numbers. A resumed training drops the lines of
steps that it repeats and goes on, so every step is in the file once.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.io.files import write_text

COLUMNS = "step,name,value"
OF_EPOCHS = ("speed/", "val/")  # figures of a whole epoch, at the number of steps that are finished then


class ScalarTable:
    """Open table of scalars.

    path: of the CSV. done: finished steps of the whole training; later lines of an earlier attempt are dropped, and so
    is a line that a kill has cut. Raises OSError for a file that cannot be written.
    """

    def __init__(self, path: Path, done: int) -> None:
        write_text(path, "\n".join([COLUMNS, *_kept(path, done), ""]))
        self._file = open(path, "a", encoding="utf-8", newline="\n")  # noqa: SIM115 (closed by `close`)

    def add(self, step: int, scalars: Mapping[str, float]) -> None:
        """Write the lines of one step.

        They are handed to the system at once, so a kill loses none of the steps of a saved state.
        """
        self._file.write("".join(f"{step},{name},{value:.8g}\n" for name, value in scalars.items()))
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def _kept(path: Path, done: int) -> list[str]:
    """Lines of finished steps. Those of an epoch count if the epoch has ended."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")[1:-1]  # after the last "\n": a cut line
    except FileNotFoundError:
        return []
    kept = []
    for line in lines:
        step, _, rest = line.partition(",")
        if step.isdecimal() and (int(step) < done or (int(step) == done and rest.startswith(OF_EPOCHS))):
            kept.append(line)
    return kept
