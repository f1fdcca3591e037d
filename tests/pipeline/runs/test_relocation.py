"""Files that recorded options name are found where the dataset or the runs are now."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.runs.command import RunCommand
from pipeline.runs.config_loading import load_config
from pipeline.runs.layout import Paths
from pipeline.runs.relocation import relocated


@pytest.fixture(params=["absolute", "relative"])
def old(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "old" if request.param == "absolute" else Path("old")
    fill(tmp_path / "old")
    return place


def fill(folder: Path) -> None:
    for name in ("set/own.csv", "set/maps/a.png", "set/mine.csv", "weights/resnet.pth"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def made(folder: Path, config: str = "demo") -> RunCommand:
    maps = (f"masks.options.folder={folder / 'set/maps'}", f"masks.options.table={folder / 'set/mine.csv'}")
    init, runs = str(folder / "weights/resnet.pth"), str(folder / "runs")
    return RunCommand(str(folder / "set/own.csv"), "import", config, maps, init, runs=runs)


def named(command: RunCommand) -> tuple[object, object, str]:
    config = load_config(command.config, command.overrides)
    return config.masks.options["folder"], config.masks.options["table"], config.train.init


def at(folder: Path) -> Paths:
    return Paths(str(folder / "set/own.csv"), "import", Path("data"), folder / "runs")


def test_a_run_in_its_place_keeps_its_command(old: Path) -> None:
    assert relocated(made(old), at(old), str) == made(old)


def test_files_inside_are_those_of_the_copy_and_files_beside_it_if_the_old_ones_are_gone(old: Path) -> None:
    new = Path.cwd() / "new"
    fill(new)
    folder, table, init = named(relocated(made(old), at(new), str))
    assert (folder, table, init) == (str(new / "set/maps"), str(new / "set/mine.csv"), str(old / "weights/resnet.pth"))
    old.absolute().rename(old.absolute().with_name("away"))
    assert named(relocated(made(old), at(new), str))[2] == str(new / "weights/resnet.pth")


def test_what_is_in_neither_place_keeps_its_name(old: Path) -> None:
    new = Path.cwd() / "new"
    (new / "set").mkdir(parents=True)
    (new / "set/own.csv").touch()
    (new / "set/lip20").touch()  # a name, and no path
    command = made(old).adding(("masks.options.table=lip20",), "imagenet")
    assert named(relocated(command, at(new), str)) == (str(old / "set/maps"), "lip20", "imagenet")


def test_files_that_a_configuration_names(old: Path) -> None:
    new, config = Path.cwd() / "new", Path.cwd() / "my.toml"
    fill(new)
    config.write_text(f'base = "demo"\n[masks.options]\nfolder = "{old / "set/maps"}"\ntable = "lip20"\n')
    command = RunCommand(str(old / "set/own.csv"), "import", str(config), runs=str(old / "runs"))
    assert named(relocated(command, at(new), str))[:2] == (str(new / "set/maps"), "lip20")


def test_options_that_cannot_be_read_are_left(old: Path) -> None:
    command = RunCommand(str(old / "set/own.csv"), "import", "gone.toml", runs=str(old / "runs"))
    assert relocated(command, at(Path.cwd() / "new"), str) == command
