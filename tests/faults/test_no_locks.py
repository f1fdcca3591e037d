"""A file system without locks: every command works, and writes the bytes that it writes with locks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_project import CONFIG, ROOT, TIMED, TinyProject

# Every function that locks a file, as NFS without its lock daemon answers it.
NO_LOCKS = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
int flock(int fd, int op) { errno = ENOLCK; return -1; }
int lockf(int fd, int op, off_t length) { errno = ENOLCK; return -1; }
static int control(const char *name, int fd, int command, void *more) {
  int (*real)(int, int, ...) = (int (*)(int, int, ...))dlsym(RTLD_NEXT, name);
  if (command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK || command == F_OFD_SETLKW) {
    errno = ENOLCK;
    return -1;
  }
  return real(fd, command, more);
}
#define WITH_MORE(NAME) int NAME(int fd, int command, ...) { \\
  va_list rest; va_start(rest, command); void *more = va_arg(rest, void *); va_end(rest); \\
  return control(#NAME, fd, command, more); }
WITH_MORE(fcntl)
WITH_MORE(fcntl64)
"""
COMMANDS = """
import json, sys
from pipeline.cli.app import main
for words in json.loads(sys.argv[1]):
    try:
        main(words)
    except SystemExit as end:
        assert not end.code, words
"""
SHORT = CONFIG.replace("epochs = 4", "epochs = 1").replace("warmup_epochs = 1", "warmup_epochs = 0")
SHORT = SHORT.replace("milestones = [2]", "milestones = []")


def all_commands(project: TinyProject, runs: Path) -> list[list[str]]:
    stages = [project.command(stage, runs)[3:] for stage in ("data", "masks", "train", "eval")]
    run, pictures = ["tiny-import", "--runs", str(runs)], str(project.folder)
    model = ["--model", *run]
    query = str(project.folder / "query-2-0.png")
    out = ["--out", str(runs / "found")]
    return [
        *stages,
        ["embed", pictures, *model, "--out", str(runs / "bank.h5")],
        ["search", *model, "--gallery", pictures, "--query", query, *out, "--device", "cpu"],
        ["search", *model, "--gallery", str(runs / "bank.h5"), "--query", query, *out, "--device", "cpu"],
        ["verify", *run],
        ["status", *run],
        ["export", *run, "--format", "torch"],
    ]


def tree(runs: Path) -> dict[str, bytes]:
    """Content of every file but those that hold times."""
    files = [path.relative_to(runs) for path in sorted(runs.rglob("*")) if path.is_file()]
    return {str(name): (runs / name).read_bytes() for name in files if not {*name.parts} & {*TIMED}}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None or sys.platform != "linux", reason="needs Linux and a C compiler")
def test_every_command_writes_the_same_bytes_without_locks(tmp_path: Path) -> None:
    source, library = tmp_path / "locks.c", tmp_path / "locks.so"
    source.write_text(NO_LOCKS)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    project, runs = TinyProject(tmp_path / "pictures", people=2, images=4, config=SHORT), tmp_path / "runs"
    found = {}
    for name, more in (("with", {}), ("without", {"LD_PRELOAD": str(library)})):
        environment = {key: value for key, value in os.environ.items() if key != "HDF5_USE_FILE_LOCKING"}
        environment |= {"OMP_NUM_THREADS": "1", **more}
        command = [sys.executable, "-c", COMMANDS, json.dumps(all_commands(project, runs))]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert ("no file can be locked here" in done.stdout + done.stderr) == bool(more)
        found[name] = tree(runs)
        runs.rename(tmp_path / name)
    assert {name for name, content in found["with"].items() if found["without"].get(name) != content} == set()
    assert found["with"].keys() == found["without"].keys() and len(found["with"]) > 20
