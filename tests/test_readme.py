"""README, `make help` and the command line agree."""

import re
import subprocess
from pathlib import Path

from pipeline.cli.app import main
from pipeline.datasets.manifest import known_datasets
from pipeline.labelers import LABELERS
from pipeline.runs.config_loading import presets

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_make_target_of_the_readme_exists_and_every_stage_is_in_it():
    text = subprocess.run(["make", "-C", str(ROOT), "help"], capture_output=True, text=True, check=True).stdout
    targets = set(re.findall(r"^  make (\w+)", text, re.MULTILINE))
    assert set(re.findall(r"make ([a-z]+)\b", README)) <= targets
    assert {"demo", "test", "data", "masks", "train", "eval", "status"} <= set(re.findall(r"make ([a-z]+)\b", README))


def test_datasets_labelers_presets_and_commands_are_the_programs():
    for name in [*known_datasets(), *LABELERS, *presets()]:
        assert f"`{name}`" in README or f"={name}`" in README, name
    for words in re.findall(r"^sorn ([a-z]+)", README, re.MULTILINE):
        assert words in main.commands


def test_ci_runs_the_readmes_test_command():
    script = (ROOT / ".ci/run").read_text()
    assert "make test" in README and re.search(r"^make lint\nmake test$", script, re.MULTILINE)
