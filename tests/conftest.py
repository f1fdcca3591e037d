"""Every message that a test reaches names the file or value and the remedy, whatever else the test looks at."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from pipeline.errors import UserError
from pipeline.runtime.logs import log_to_terminal

NAMED = re.compile(r"/\S|'[^']+'|\d|\w+ = |: \S|\w\.\w|--\w|`")  # a path, a quoted name, a number, an option, its value
EMPTY = re.compile(
    r"(see|read|correct|change|mend|fix|check|delete|try)( (it|this|that|again|--help|the docs?))*\W*$", re.I
)


@pytest.fixture(autouse=True, scope="session")
def messages_shown() -> None:
    """Stages called without the command line speak as with it, so that tests can read what they say."""
    log_to_terminal()


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Banks that a Searcher keeps do not land in the home of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SORN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def messages_help(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    poor: list[str] = []
    make = UserError.__init__

    def looked_at(self: UserError, wrong: str, remedy: str) -> None:
        make(self, wrong, remedy)
        if not NAMED.search(wrong):
            poor.append(f"names neither file nor value: {wrong}")
        if len(remedy.split()) < 3 or EMPTY.match(remedy):
            poor.append(f"no remedy: {remedy}")

    monkeypatch.setattr(UserError, "__init__", looked_at)
    yield
    assert not poor, "\n".join(poor)
