"""Every message that a test reaches names the file or value and a remedy that can be pasted."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field

import pasted
import pytest

from pipeline.errors import UserError
from pipeline.runtime.logs import log_to_terminal

CACHE = tempfile.TemporaryDirectory(prefix="sorn-tests-")
os.environ["XDG_CACHE_HOME"] = CACHE.name  # of this process and of those that tests start

NAMED = re.compile(r"/\S|'[^']+'|\d|\w+ = |: \S|\w\.\w|--\w|`")  # a path, a quoted name, a number, an option, its value
EMPTY = re.compile(
    r"(see|read|correct|change|mend|fix|check|delete|try)( (it|this|that|again|--help|the docs?))*\W*$", re.I
)


@pytest.fixture(autouse=True, scope="session")
def messages_shown() -> None:
    """Stages called without the command line speak as with it, so that tests can read what they say."""
    log_to_terminal()


@dataclass
class Messages:
    """Messages that a test has reached.

    poor: what is wrong with them. remedies: of them, to be pasted when the test has ended and has undone its patches.
    """

    poor: list[str] = field(default_factory=list)
    remedies: list[str] = field(default_factory=list)

    def add(self, wrong: str, remedy: str) -> None:
        if not NAMED.search(wrong):
            self.poor.append(f"names neither file nor value: {wrong}")
        if len(remedy.split()) < 3 or EMPTY.match(remedy):
            self.poor.append(f"no remedy: {remedy}")
        self.remedies.append(remedy)

    def faults(self) -> list[str]:
        return self.poor + [fault for remedy in dict.fromkeys(self.remedies) for fault in pasted.faults(remedy)]

    def clear(self) -> None:
        self.poor.clear()
        self.remedies.clear()


@pytest.fixture(autouse=True)
def messages_help() -> Iterator[Messages]:
    messages = Messages()
    make = UserError.__init__

    def looked_at(self: UserError, wrong: str, remedy: str) -> None:
        make(self, wrong, remedy)
        messages.add(wrong, remedy)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(UserError, "__init__", looked_at)
        yield messages
    found = messages.faults()
    assert not found, "\n".join(found)
