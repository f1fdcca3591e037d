"""Kills between any two operations on files, inside of one process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

OPERATIONS = ("replace", "unlink", "rmdir", "mkdir", "link", "rename", "fsync")


class Killed(BaseException):
    """No `except` of the program may stop it, like SIGKILL."""


@contextmanager
def killed_at(number: int) -> Iterator[list[str]]:
    """Raise Killed in place of the operation `number` and of all after it; the list names those before."""
    done: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for name in OPERATIONS:
            patch.setattr(os, name, _counted(getattr(os, name), name, done, number))
        yield done


def _counted(call: Callable[..., object], name: str, done: list[str], number: int) -> Callable[..., object]:
    def counted(*given: object, **options: object) -> object:
        if len(done) >= number:
            raise Killed(name)
        done.append(name)
        return call(*given, **options)

    return counted
