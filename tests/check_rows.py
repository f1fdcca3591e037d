"""Rows of a check that cost nothing, for tests of its runner; each runs in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from pipeline.errors import UserError
from pipeline.tools.gpu_check.outcome import NOT_THERE, PASS, Outcome
from pipeline.tools.gpu_check.setting import CheckSetting


def passes(setting: CheckSetting) -> Outcome:
    return Outcome(PASS, f"on {setting.device}", values={"pretend": float(setting.pretend)})


def misses(setting: CheckSetting) -> Outcome:
    return Outcome(NOT_THERE, reason="a thing")


def refuses(setting: CheckSetting) -> Outcome:
    raise UserError("option = 3 is wrong", "Use another one: --set option=2")


def breaks(setting: CheckSetting) -> Outcome:
    print("what it said before")
    raise RuntimeError("CUDA error: an illegal memory access\nmore")


def vanishes(setting: CheckSetting) -> Outcome:
    print("the driver is gone", flush=True)
    os._exit(9)


def sleeps(setting: CheckSetting) -> Outcome:
    """It starts another process, whose number it writes, and neither ends."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=True)
    (setting.folder / "child").write_text(str(child.pid))
    time.sleep(1000)
    return Outcome(PASS)
