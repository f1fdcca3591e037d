"""One row of a check in a process of its own.

python -m pipeline.tools.gpu_check.row MODULE:FUNCTION FOLDER OUT

Reads setting.json in the folder; writes the outcome to OUT. An error becomes an outcome.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from pipeline.errors import UserError
from pipeline.io.files import write_json
from pipeline.runtime.logs import log_to_terminal
from pipeline.tools.gpu_check.outcome import FAIL, Outcome
from pipeline.tools.gpu_check.plan import HERE
from pipeline.tools.gpu_check.setting import CheckSetting

SETTING = "setting.json"


def command(call: str, folder: Path, out: Path) -> list[str]:
    """Command of a row. call: "module:function". out: file of its outcome."""
    return [sys.executable, "-m", f"{HERE}.row", call, str(folder), str(out)]


def write_setting(setting: CheckSetting) -> None:
    values = {"device": setting.device, "pretend": setting.pretend}
    write_json(setting.folder / SETTING, values)


def read_setting(folder: Path) -> CheckSetting:
    values = json.loads((folder / SETTING).read_text(encoding="utf-8"))
    return CheckSetting(folder, values["device"], values["pretend"])


def in_another_process(call: str, setting: CheckSetting) -> int:
    """Exit code of a process that calls a function of the setting."""
    out = setting.folder / "helper.json"
    return subprocess.run(command(call, setting.folder, out), check=False).returncode


def outcome_of(call: str, setting: CheckSetting) -> Outcome:
    """Outcome of a row, computed in this process."""
    module, _, name = call.partition(":")
    try:
        work: Callable[[CheckSetting], Outcome] = getattr(importlib.import_module(module), name)
        return work(setting)
    except UserError as error:
        return Outcome(FAIL, reason=f"{error.wrong}. {error.remedy}")
    except Exception as error:  # a row that fails must not end the check
        traceback.print_exc()
        lines = str(error).strip().splitlines()
        return Outcome(FAIL, reason=f"{type(error).__name__}: {lines[0] if lines else 'no text'}")


def main() -> None:
    call, folder, out = sys.argv[1:]
    log_to_terminal()
    write_json(Path(out), dataclasses.asdict(outcome_of(call, read_setting(Path(folder)))))


if __name__ == "__main__":
    main()
