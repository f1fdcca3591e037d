"""What is checked in one folder, how often, and what was wrong with it. Reads and writes nothing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UserError
from pipeline.io.hdf5 import DAMAGE


@dataclass(frozen=True)
class Fault:
    """One thing that is broken. remedy: what to type."""

    wrong: str
    remedy: str


class Checks:
    """Counts and collects. again: the command that makes the folder's files.

    A stage trusts an output that has the recorded size and time of writing, whatever became of its bytes. So the remedy
    for a file that is there is to delete it first: then the stage makes it, and what came from it, anew.
    """

    def __init__(self, again: str) -> None:
        self.again = again
        self.count = 0
        self.faults: list[Fault] = []
        self.broken: set[Path] = set()

    def must(self, good: bool, wrong: str, file: Path) -> bool:
        """One check; `wrong` says what is broken about the file where it fails. Returns `good`."""
        self.count += 1
        if not good:
            delete = f"Delete {file}, then run" if os.path.lexists(file) else "Run"
            self.faults.append(Fault(wrong, f"{delete}: {self.again}"))
            self.broken.add(file)
        return good

    def sound(self, *files: Path) -> bool:
        """Whether nothing was wrong with them so far: what a damaged file says is not held against another one."""
        return self.broken.isdisjoint(files)

    @contextlib.contextmanager
    def reading(self, file: Path) -> Iterator[None]:
        """A check that a file can be understood: an error of its reader ends the block and is a fault of the file."""
        wrong = ""
        try:
            yield
        except UserError as error:
            wrong = error.wrong
        except (*DAMAGE, RecursionError) as error:
            wrong = f"{file} is damaged: {type(error).__name__}: {error}"
        self.must(not wrong, wrong, file)
