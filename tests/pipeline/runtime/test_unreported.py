"""OpenVINO reports nothing to its makers when this program imports it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.runtime.unreported import VARIABLE, unreported


@pytest.mark.parametrize("before", [None, "false"])
def test_the_variable_is_as_it_was_afterwards(before: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, before) if before else monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(ZeroDivisionError), unreported():
        assert os.environ[VARIABLE] == "true"
        1 / 0  # noqa: B018
    assert os.environ.get(VARIABLE) == before


def test_nothing_is_written_into_the_home_of_the_user(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE} | {"HOME": str(tmp_path)}
    code = "from pipeline.runtime.unreported import import_openvino; import_openvino().Core()"
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert not list(tmp_path.iterdir())


def test_every_import_of_these_packages_is_unreported() -> None:
    """No other module imports them at its own will."""
    root = Path(__file__).parents[3]
    importing = {
        path.relative_to(root).as_posix()
        for path in (root / "pipeline").rglob("*.py")
        if any(line.strip().startswith(("import openvino", "import nncf")) for line in path.read_text().splitlines())
    }
    assert importing == {"pipeline/runtime/unreported.py", "pipeline/features/int8/quantise.py"}
