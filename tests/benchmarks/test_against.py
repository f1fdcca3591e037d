"""against.py measures each build in its own modules, by turns, and tells how many times as fast this one is."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import against
import build_runs
import pytest
from against import Rounds, checked_out, environment, main, ratios, row, satisfied, variables_of

# A measurement that takes no time: the build's module `speed` says how long a unit took. Every answer is written down.
FAKE = """
import json, os, sys
import speed
print("ready", flush=True)
for _ in sys.stdin:
    with open(os.environ["TURNS"], "a") as file:
        print(speed.NAME, sys.argv[1], os.environ.get("ONEDNN_MAX_CPU_ISA"), file=file)
    print(json.dumps({"wall": 4 * speed.SECONDS, "cpu": 2 * speed.SECONDS, "units": 2}), flush=True)
"""


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TURNS", str(tmp_path / "turns"))
    path = tmp_path / "fake.py"
    path.write_text(FAKE)
    return path


def commit(repository: Path, name: str, seconds: float) -> str:
    git = ("git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@b")
    if not repository.exists():
        subprocess.run(["git", "init", "-q", str(repository)], check=True)
    (repository / "speed.py").write_text(f"NAME, SECONDS = {name!r}, {seconds}\n")
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", name], check=True)
    return subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Repository whose older commit takes three times as long as the newest, which is checked out."""
    place = tmp_path / "repository"
    commit(place, "old", 3.0)
    commit(place, "new", 1.0)
    monkeypatch.setattr(checked_out, "__defaults__", (place,))
    return place


def test_both_builds_are_measured_by_turns(tmp_path, script, repository, capsys) -> None:
    options = ["--build", "HEAD~1", "--this", str(repository), "--folder", str(tmp_path / "builds")]
    options += ["--rounds", "2", "--only", "dancing", "--isa", "AVX2", "--json", str(tmp_path / "figures.json")]
    main(options, script, ("dancing", "singing"))
    turns = (tmp_path / "turns").read_text().split("\n")
    assert turns == [f"{name} dancing AVX2" for name in ("new", "old", "old", "new", "new", "old")] + [""]
    shown = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("dancing"))
    assert shown.split()[:3] == ["dancing", "0.50/s", "0.17/s"] and shown.count("3.00 [3.00 - 3.00]") == 2
    made = json.loads((tmp_path / "figures.json").read_text())
    assert made["variables"] == {"ONEDNN_MAX_CPU_ISA": "AVX2"} and made["rounds"] == 2
    figures = made["measurements"]["dancing"]
    assert figures["times as fast, cpu"] == figures["times as fast, wall"] == 3.0
    assert figures["seconds per unit"] == {
        "this": {"wall": [2.0, 2.0], "cpu": [1.0, 1.0]},
        "other": {"wall": [6.0, 6.0], "cpu": [3.0, 3.0]},
    }


def test_the_table_has_the_median_and_the_range() -> None:
    this, other = Rounds([1.0, 2.0, 4.0], [1.0, 1.0, 1.0]), Rounds([3.0, 2.0, 8.0], [2.0, 4.0, 3.0])
    assert ratios(this.wall, other.wall) == [3.0, 1.0, 2.0]
    assert row("singing", this, other).split("  ")[-1] == "  3.00 [2.00 - 4.00]".strip()
    assert "2.00 [1.00 - 3.00]" in row("singing", this, other)


def test_a_commit_is_checked_out_once_and_without_what_is_not_committed(tmp_path, repository) -> None:
    (repository / "speed.py").write_text("NAME = 'changed'\n")
    folder = tmp_path / "builds"
    folder.mkdir()
    title, place = checked_out("HEAD", folder)
    assert title == place.name[:7] and "'new', 1.0" in (place / "speed.py").read_text()
    (place / "mark").touch()
    assert checked_out("HEAD", folder)[1] == place and (place / "mark").is_file()
    assert checked_out(str(repository), folder) == (str(repository), repository)
    with pytest.raises(SystemExit, match=r"no-such-build is neither a folder nor a commit of .*: see git log"):
        checked_out("no-such-build", folder)


def test_an_environment_has_the_build_first_and_the_packages_that_are_here(tmp_path, repository) -> None:
    python = environment(repository, tmp_path)
    code = "import click, speed; print(speed.NAME, click.__file__)"
    found = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path).stdout
    import click

    assert found.split() == ["new", click.__file__]
    assert environment(repository, tmp_path) == python and environment(tmp_path, tmp_path) != python


def test_packages_that_do_not_satisfy_a_build_are_installed_anew(tmp_path, monkeypatch) -> None:
    assert satisfied("# a comment\nclick>=8.1\n\nnumpy>=1.26  # why\n")
    assert not satisfied("click<8\n") and not satisfied("no-such-package-here\n")
    (tmp_path / "requirements.txt").write_text("click<8\n")
    calls = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_: calls.append([str(part) for part in command]))

    def made(place, **_):
        (place / "lib" / "python3" / "site-packages").mkdir(parents=True)

    monkeypatch.setattr(against.venv, "create", made)
    python = environment(tmp_path, tmp_path / "builds")
    assert calls == [[str(python), "-m", "pip", "install", "--quiet", "-r", str(tmp_path / "requirements.txt")]]
    (site,) = python.parents[1].glob("lib/python*/site-packages/build.pth")
    assert site.read_text() == f"{tmp_path}\n", "the packages that do not fit must not be seen"


def test_a_measurement_that_fails_ends_the_run_and_is_named(tmp_path, repository) -> None:
    script = tmp_path / "broken.py"
    script.write_text("raise SystemExit(3)\n")
    options = ["--build", "HEAD~1", "--this", str(repository), "--folder", str(tmp_path / "builds"), "--only", "x"]
    with pytest.raises(SystemExit, match=r"the measurement x of .* failed with code 3: see above"):
        main(options, script, ("x",))


def test_one_thread_means_one_of_every_library() -> None:
    assert variables_of(None, 1) == {"OMP_NUM_THREADS": "1", "LOKY_MAX_CPU_COUNT": "1"}
    assert variables_of(None, None) == {}


def test_the_measurements_of_this_build_find_their_modules(monkeypatch) -> None:
    """Places of objects that have moved must be those of today."""
    monkeypatch.setattr(build_runs, "PICTURES", 0)
    assert build_runs.rendering()() == 0
    assert build_runs.precision() in ("bf16", "fp32")
    assert build_runs.training_step("resnet10", (64, 32), 2)() == 2
    assert build_runs.danet_labels(1)() == 1
