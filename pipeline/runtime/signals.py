"""A polite request to stop: SIGTERM of a cluster that wants its machine back, or Ctrl-C. Handles signals, no files."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

logger = logging.getLogger(__name__)


SIGNALS = (signal.SIGTERM, signal.SIGINT)
ECHO = 1.0  # s in which a launcher passes on the Ctrl-C that the terminal has sent already


class Interruption:
    """signal: the number of the one that came, 0 while there was none. at: when, on the monotonic clock."""

    signal: int = 0
    at: float = 0.0

    def exit(self) -> NoReturn:
        """End this process with the exit code of that signal, 128 + its number."""
        raise SystemExit(128 + (self.signal or signal.SIGTERM))


@contextmanager
def deferred(label: str, quiet: bool = False) -> Iterator[Interruption]:
    """In here SIGTERM and Ctrl-C are only remembered, so that the work can stop where it can go on later. A second
    Ctrl-C ends it at once; further SIGTERMs say nothing new, since a cluster's launcher often repeats them.

    Does nothing outside the main thread, where Python handles no signals.
    """
    asked = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def remember(number: int, _: FrameType | None) -> None:
        if asked.signal:
            if number == signal.SIGINT and time.monotonic() - asked.at > ECHO:
                raise KeyboardInterrupt
            return
        asked.signal, asked.at = number, time.monotonic()
        if not quiet:
            again = " (Ctrl-C again: at once)" if number == signal.SIGINT else ""
            logger.warning(f"{label}: {signal.Signals(number).name}: stopping after this step{again}")

    before = {number: signal.signal(number, remember) for number in SIGNALS}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
