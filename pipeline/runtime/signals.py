"""Requests to stop: SIGTERM of a cluster, or Ctrl-C.

Handles signals; opens no file.
"""

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
    """Request to stop that has arrived.

    signal: its number, 0 before any request. at: time of the request on the monotonic clock.
    """

    signal: int = 0
    at: float = 0.0

    def exit(self) -> NoReturn:
        """Exit of this process with the code of the signal.

        The code is 128 + the number of the signal.
        """
        raise SystemExit(128 + (self.signal or signal.SIGTERM))


@contextmanager
def deferred(label: str, quiet: bool = False) -> Iterator[Interruption]:
    """Context in which SIGTERM and Ctrl-C are only recorded.

    The work can then stop at a point from which it can be resumed. A second Ctrl-C ends it at once. A further SIGTERM
    is ignored, because the launcher of a cluster often repeats it. Does nothing outside the main thread, where Python
    handles no signals.
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
