"""Import of OpenVINO and NNCF without reports to their makers.

Both report their use over the network from the first import on, and write a number of the user into ~/intel; in an
environment that calls itself CI they do neither (findings/openvino_reports_its_import.sh).
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import Any

VARIABLE = "CI"
_LOCK = threading.RLock()  # variables of the environment belong to all threads


@contextlib.contextmanager
def unreported() -> Iterator[None]:
    """Context in which these packages report nothing."""
    with _LOCK:
        before = os.environ.get(VARIABLE)
        os.environ[VARIABLE] = "true"
        try:
            yield
        finally:
            os.environ.pop(VARIABLE, None)
            if before is not None:
                os.environ[VARIABLE] = before


def import_openvino() -> Any:
    """OpenVINO. Raises ImportError where it is missing."""
    with unreported():
        import openvino

    return openvino
