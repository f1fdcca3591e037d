"""requirements.lock: it holds everything that is required, and says where it does not fit."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / ".ci" / "lock.py"
specification = importlib.util.spec_from_file_location("lock", SCRIPT)
assert specification and specification.loader
lock = importlib.util.module_from_spec(specification)
specification.loader.exec_module(lock)


def required() -> dict[str, Requirement]:
    lines = [
        line for name in ("requirements.txt", "requirements-dev.txt") for line in (ROOT / name).read_text().split("\n")
    ]
    found = [Requirement(line) for line in lines if line and not line.startswith(("#", "-r"))]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


def locked() -> dict[str, str]:
    lines = lock.LOCK.read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def test_it_pins_every_requirement_within_its_range() -> None:
    versions = locked()
    for name, requirement in required().items():
        assert name in versions, f"{name} is not in requirements.lock: run make lock"
        assert requirement.specifier.contains(versions[name]), (
            f"{requirement}, locked is {versions[name]}: run make lock"
        )


def test_torch_and_torchvision_are_a_pair() -> None:
    minor = {name: int(locked()[name].split(".")[1]) for name in ("torch", "torchvision")}
    assert minor["torchvision"] == minor["torch"] + 15


MADE = "# Made for Python 3.11 on Linux x86_64 by make lock\n"


@pytest.mark.parametrize(
    ("text", "python", "machine", "sentence"),
    [
        (MADE, "3.11", "Linux x86_64", "^$"),
        (
            MADE,
            "3.14",
            "Linux x86_64",
            "made for Python 3.11; this is 3.14",
        ),
        (
            MADE,
            "3.11",
            "Darwin arm64",
            "made for Linux x86_64; this is Dar",
        ),
        ("torch==2.6\n", "3.11", "Linux x86_64", "does not begin with the Python"),
        ("", "3.11", "Linux x86_64", "does not begin with the Python"),
        (None, "3.11", "Linux x86_64", "cannot be read"),
    ],
)
def test_a_lock_that_does_not_fit_says_so_in_one_sentence(tmp_path, text, python, machine, sentence):
    path = tmp_path / "requirements.lock"
    if text is not None:
        path.write_text(text)
    said = lock.misfit(path, python, machine)
    assert re.search(sentence, said) and "\n" not in said
    assert not said or (said.startswith("requirements.lock ") and "make setup" in said)


def test_the_check_ends_with_the_sentence(tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "lock.py").write_text(SCRIPT.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "requirements.lock").write_text("# Made for Python 2.7 on Linux x86_64 by make lock\n")
    command = [sys.executable, str(tmp_path / ".ci" / "lock.py"), "check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.startswith("requirements.lock was made for Python 2.7; this is ")


def test_what_is_written_fits_this_python(tmp_path: Path) -> None:
    path = tmp_path / "requirements.lock"
    lock.write(path, {"torch": "2.14.1", "anny": "0.6.2"})
    assert lock.misfit(path, *lock.this_python()) == ""
    assert path.read_text().splitlines()[1:] == ["anny==0.6.2", "torch==2.14.1"]
    assert list(tmp_path.iterdir()) == [path]


def recipe(target: str, *variables: str) -> list[str]:
    command = ["make", "-n", "--no-print-directory", target, *variables]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


def test_setup_installs_the_lock_where_it_is_asked_for(tmp_path: Path) -> None:
    ranges, exact = (recipe("setup", f"VENV={tmp_path}", f"LOCKED={locked}") for locked in ("", "1"))
    assert not any("requirements.lock" in line for line in ranges)
    check = exact.index("python3 .ci/lock.py check")
    (install,) = (number for number, line in enumerate(exact) if "-c requirements.lock -r requirements-dev.txt" in line)
    assert check < install


def test_the_lowest_versions_are_those_of_every_requirement(tmp_path: Path) -> None:
    (tmp_path / "minimal").mkdir()
    (line,) = (line for line in recipe("test-minimal", f"VENV={tmp_path}") if line.startswith("sed "))
    subprocess.run(line, shell=True, cwd=ROOT, check=True)
    lowest = dict(text.split("==") for text in (tmp_path / "minimal" / "lowest.txt").read_text().splitlines())
    runtime = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and line[0] != "#"]
    for requirement in map(Requirement, runtime):
        assert requirement.specifier.contains(lowest[requirement.name]), requirement
        assert f"={lowest[requirement.name]}" in str(requirement.specifier)
    assert len(lowest) == len(runtime)
