"""This build against another one: the same measurements of both, interleaved in one run.

The other build is a folder, or a commit, which is checked out into a folder of its own. Each build has an environment
of its own: with the packages that are installed here where they satisfy its requirements, else with its own by pip.
Every round runs each build once, who comes first by turns, so what else the machine does meets both. A ratio says how
many times as fast this build is, per round; the table has its median and range. CPU seconds beside the time on the
clock: on a machine with other work they are the fairer ones, best with --threads 1, because threads that wait for each
other burn CPU. Writes the folder of builds, which is kept, and the JSON.
Run: python benchmarks/against.py [--build PATH_OR_COMMIT] [--only NAME ...] [--rounds N] [--threads N]
     [--isa AVX512_CORE] [--json FILE] [--folder FOLDER]
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import venv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from statistics import median

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
SCRIPT = Path(__file__).with_name("build_runs.py")
BEFORE = "4ccd211"  # the build that goals of speed are ratios to
USUAL = ("train_resnet50", "train_resnet18", "extraction", "danet", "rendering")
NAMES = (*USUAL, "demo")
SITES = ("site-packages", "dist-packages")


@dataclass(frozen=True)
class Build:
    """A checkout and its interpreter. title: of the table."""

    title: str
    root: Path
    python: Path


@dataclass
class Rounds:
    """Seconds per unit of every round of one build, on the clock and of the CPU."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def add(self, answer: Mapping[str, float]) -> None:
        self.wall.append(answer["wall"] / answer["units"])
        self.cpu.append(answer["cpu"] / answer["units"])


def checked_out(build: str, folder: Path, repository: Path = ROOT) -> tuple[str, Path]:
    """Title and folder of a build. A commit is checked out below `folder`, once.

    Ends the program for what is neither a folder nor a commit.
    """
    if Path(build).is_dir():
        return build, Path(build).resolve()
    git = ("git", "-C", str(repository))
    found = subprocess.run([*git, "rev-parse", "--verify", "--quiet", f"{build}^{{commit}}"], capture_output=True)
    if found.returncode:
        sys.exit(f"{build} is neither a folder nor a commit of {repository}: see git log")
    commit = found.stdout.decode().strip()
    place = folder / commit[:12]
    if not place.is_dir():
        archive = subprocess.run([*git, "archive", commit], capture_output=True, check=True).stdout
        with tempfile.TemporaryDirectory(dir=folder) as unfinished:
            with tarfile.open(fileobj=io.BytesIO(archive)) as files:
                files.extractall(Path(unfinished) / "build", filter="data")
            os.rename(Path(unfinished) / "build", place)
    return commit[:7], place


def environment(root: Path, folder: Path) -> Path:
    """Interpreter of a build's environment below `folder`, which is made once."""
    place = folder / f"environment-{sha256(str(root).encode()).hexdigest()[:12]}"
    python = place / "bin" / "python"
    if python.exists():
        return python
    text = root / "requirements.txt"
    own = text.is_file() and not satisfied(text.read_text(encoding="utf-8"))
    venv.create(place, with_pip=own, symlinks=True)
    if own:
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", text], check=True)
    paths = [str(root)] + ([] if own else [path for path in sys.path if Path(path).name in SITES])
    (site,) = (place / "lib").glob("python*/site-packages")
    (site / "build.pth").write_text("\n".join(paths) + "\n", encoding="utf-8")
    return python


def satisfied(requirements: str) -> bool:
    """Whether the packages that are installed here satisfy the lines of a requirements.txt."""
    for line in requirements.splitlines():
        text = line.partition("#")[0].strip()
        if not text:
            continue
        wanted = Requirement(text)
        try:
            if not wanted.specifier.contains(importlib.metadata.version(wanted.name), prereleases=True):
                return False
        except importlib.metadata.PackageNotFoundError:
            return False
    return True


@contextlib.contextmanager
def worker(build: Build, script: Path, name: str, variables: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Process of a build that has prepared a measurement and waits for orders."""
    given = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    command = [str(build.python), str(script), name]
    pipe, env = subprocess.PIPE, given | dict(variables)
    with subprocess.Popen(command, cwd=build.root, env=env, text=True, stdin=pipe, stdout=pipe) as process:
        try:
            answered(process, build, name)
            yield process
        finally:
            assert process.stdin is not None
            process.stdin.close()
            if process.poll() is None and sys.exc_info()[0] is not None:
                process.kill()


def answered(process: subprocess.Popen[str], build: Build, name: str) -> str:
    """Next line of a worker. Ends the program where it has ended instead."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        sys.exit(f"the measurement {name} of {build.title} ({build.root}) failed with code {process.wait()}: see above")
    return line


def measure(
    builds: Sequence[Build], script: Path, name: str, rounds: int, variables: Mapping[str, str]
) -> list[Rounds]:
    """Rounds of each build.

    One more round, the first, warms caches and is not counted. The demo, which takes minutes, goes without.
    """
    found = [Rounds() for _ in builds]
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(worker(build, script, name, variables)) for build in builds]
        for number in range(0 if name == "demo" else -1, rounds):
            order = list(zip(workers, builds, found, strict=True))
            for process, build, own in order if number % 2 else reversed(order):
                assert process.stdin is not None
                process.stdin.write("go\n")
                process.stdin.flush()
                answer = json.loads(answered(process, build, name))
                if number >= 0:
                    own.add(answer)
    return found


def ratios(this: Sequence[float], other: Sequence[float]) -> list[float]:
    """How many times as fast this build is, in every round."""
    return [b / a for a, b in zip(this, other, strict=True)]


def row(name: str, this: Rounds, other: Rounds) -> str:
    cells = [f"{name:15}", *(f"{1 / median(rounds.wall):8.2f}/s" for rounds in (this, other))]
    for values in (ratios(this.wall, other.wall), ratios(this.cpu, other.cpu)):
        cells.append(f"{median(values):6.2f} [{min(values):.2f} - {max(values):.2f}]".ljust(24))
    return "  ".join(cells).rstrip()


def variables_of(isa: str | None, threads: int | None) -> dict[str, str]:
    """Environment variables of the workers."""
    chosen = {"ONEDNN_MAX_CPU_ISA": isa} if isa else {}
    return chosen | ({"OMP_NUM_THREADS": str(threads), "LOKY_MAX_CPU_COUNT": str(threads)} if threads else {})


def main(arguments: Sequence[str] | None = None, script: Path = SCRIPT, names: Sequence[str] = NAMES) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=BEFORE, help=f"the other build: a folder or a commit [{BEFORE}]")
    parser.add_argument("--this", default=str(ROOT), help="the build to compare with it [this checkout]")
    parser.add_argument(
        "--only", nargs="+", action="extend", choices=names, metavar="NAME", help=f"of {', '.join(names)} [not demo]"
    )
    parser.add_argument("--rounds", type=int, default=5, help="[5]")
    parser.add_argument("--threads", type=int, help="threads of each process [all cores]")
    parser.add_argument("--isa", help="what oneDNN may use, to pretend an older CPU: AVX512_CORE, AVX2 ...")
    parser.add_argument("--json", type=Path, help="file for all figures")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "sorn-builds")
    given = parser.parse_args(arguments)
    given.folder.mkdir(parents=True, exist_ok=True)
    builds = [
        Build(title, root, environment(root, given.folder))
        for title, root in (checked_out(build, given.folder) for build in (given.this, given.build))
    ]
    variables = variables_of(given.isa, given.threads)
    titles = f"this: {builds[0].title}; other: {builds[1].title}"
    print(f"{titles}; {given.rounds} rounds, {os.cpu_count()} cores, {variables or 'no variables'}")
    print(f"{'':15}  {'this':>10}  {'other':>10}  {'times as fast, clock':24}  times as fast, CPU seconds")
    found: dict[str, dict[str, object]] = {}
    load = [os.getloadavg()[0]]
    for name in given.only or [name for name in names if name != "demo"]:
        this, other = measure(builds, script, name, given.rounds, variables)
        print(row(name, this, other), flush=True)
        found[name] = {"seconds per unit": {"this": asdict(this), "other": asdict(other)}}
        for clock in ("wall", "cpu"):
            found[name][f"times as fast, {clock}"] = median(ratios(getattr(this, clock), getattr(other, clock)))
        load.append(os.getloadavg()[0])
    print(f"load average of the last minute, by measurement: {', '.join(f'{value:.1f}' for value in load)}")
    if given.json:
        made = {"this": builds[0].title, "other": builds[1].title, "variables": variables, "rounds": given.rounds}
        given.json.write_text(json.dumps(made | {"load": load, "measurements": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
