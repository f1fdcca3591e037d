"""Lock file: exact versions of all that `make setup` installs.

`lock.py write` resolves the ranges of requirements-dev.txt anew and installs nothing; `lock.py check` ends with 1 and
one sentence where requirements.lock does not fit this Python or machine. It needs the standard library alone.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
REQUIREMENTS = ROOT / "requirements-dev.txt"
HEADER = re.compile(r"# Made for Python (\d+\.\d+) on (\w+ \w+) by make lock\b")
REMEDY = "install the ranges with make setup, or make another lock with make lock"


def this_python() -> tuple[str, str]:
    """("3.11", "Linux x86_64")."""
    return "{}.{}".format(*sys.version_info), f"{platform.system()} {platform.machine()}"


def misfit(path: Path, python: str, machine: str) -> str:
    """Why the lock is not for this Python on this machine, as one sentence; "" if it is."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        return f"{path.name} cannot be read ({error}): {REMEDY}"
    made = HEADER.match(lines[0] if lines else "")
    if not made:
        return f"{path.name} does not begin with the Python that it was made for: {REMEDY}"
    if made[1] != python:
        return f"{path.name} was made for Python {made[1]}; this is {python}: {REMEDY}"
    if made[2] != machine:
        return f"{path.name} was made for {made[2]}; this is {machine}: {REMEDY}"
    return ""


def resolved() -> dict[str, str]:
    """Package -> version, as pip would install requirements-dev.txt into an empty environment."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-"]
    done = subprocess.run([*command, "-r", str(REQUIREMENTS)], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"pip could not resolve {REQUIREMENTS.name} (see above): {LOCK.name} stays as it was")
    packages = (entry["metadata"] for entry in json.loads(done.stdout)["install"])
    return {re.sub(r"[-_.]+", "-", package["name"]).lower(): package["version"] for package in packages}


def write(path: Path, versions: dict[str, str]) -> None:
    python, machine = this_python()
    header = f"# Made for Python {python} on {machine} by make lock; make setup LOCKED=1 installs these versions."
    temporary = path.with_suffix(".tmp")
    temporary.write_text(
        "\n".join([header, *(f"{n}=={v}" for n, v in sorted(versions.items()))]) + "\n", encoding="utf-8"
    )
    os.replace(temporary, path)


def main(action: str) -> None:
    if action == "write":
        write(LOCK, resolved())
    elif wrong := misfit(LOCK, *this_python()):
        sys.exit(wrong)


if __name__ == "__main__":
    main(*sys.argv[1:])
