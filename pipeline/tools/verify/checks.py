"""Checks of one folder, their number, and the faults."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UserError
from pipeline.io.hdf5 import DAMAGE, OutOfReach


@dataclass(frozen=True)
class Fault:
    """One fault. remedy: the command that repairs it."""

    wrong: str
    remedy: str


class Checks:
    """Counter of checks and collector of faults.

    again: the command that makes the folder's files. A stage knows its outputs by their digests alone, and a file can
    be wrong in another way. So the remedy for an existing file is to delete it first: then the stage makes it again,
    and everything that depends on it.
    """

    def __init__(self, again: str) -> None:
        self.again = again
        self.count = 0
        self.faults: list[Fault] = []
        self.broken: set[Path] = set()

    def must(self, good: bool, wrong: str, file: Path, remedy: str = "") -> bool:
        """One check of a file; returns `good`.

        wrong: the fault if the check fails. remedy: of that fault, where the file need not be made again.
        """
        self.count += 1
        if not good:
            delete = f"Delete {file}, then run" if os.path.lexists(file) else "Run"
            self.faults.append(Fault(wrong, remedy or f"{delete}: {self.again}"))
            self.broken.add(file)
        return good

    def add(self, other: Checks) -> None:
        """Takeover of the checks of a part of the folder."""
        self.count += other.count
        self.faults += other.faults
        self.broken |= other.broken

    def sound(self, *files: Path) -> bool:
        """Whether the files have no faults so far.

        The content of a damaged file is not compared with that of another one.
        """
        return self.broken.isdisjoint(files)

    @contextlib.contextmanager
    def reading(self, file: Path) -> Iterator[None]:
        """Check that a file can be read.

        An error of the reader ends the block and is a fault of the file.
        """
        wrong = remedy = ""
        try:
            yield
        except OutOfReach as error:
            wrong, remedy = error.wrong, error.remedy
        except UserError as error:
            wrong = error.wrong
        except (*DAMAGE, RecursionError) as error:
            wrong = f"{file} is damaged: {type(error).__name__}: {error}"
        self.must(not wrong, wrong, file, remedy)
