"""Coverage-guided fuzzing of every reader of files (make fuzz), or of some: python tests/fuzz/fuzz.py [TARGET ...]

A finding is an exception that is no UserError, more than 5 seconds for one file, or more than 1 GiB of memory. It is
kept in OUT/<target>/, and `fuzz.py TARGET --again FILE` reads it once more. What covered new code is kept beside it, in
corpus/, where the next run begins.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECONDS, MEMORY = 5, 1 << 30  # that one file may take
PATIENCE = 3 * SECONDS  # until a process that has not come back is killed: busy machines are slow
SCRATCH = "SORN_FUZZ_SCRATCH"


@dataclass(frozen=True)
class Result:
    target: str
    executions: int
    seconds: float
    covered: int  # edges of our code
    finding: str  # "" for none

    def row(self) -> str:
        rate = self.executions / self.seconds if self.seconds else 0
        return (
            f"{self.target:<12} {self.executions:>9,} {self.seconds:>8.0f} s {rate:>8,.0f}/s {self.covered:>7,}  "
            f"{self.finding or 'none'}"
        )


def main() -> None:
    sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="readers; all without")
    parser.add_argument("--runs", type=int, default=50_000, help="executions of each [50000]")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="targets at once [one per core]")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "fuzz", help="findings and corpus [runs/fuzz]")
    parser.add_argument("--again", type=Path, metavar="FILE", help="read this one file with the one target named")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        return fuzz(given.targets[0], given.runs, given.out)
    from targets import TARGETS, new_folder

    unknown = [name for name in given.targets if name not in TARGETS]
    if unknown or (given.again and len(given.targets) != 1):
        sys.exit(f"targets are: {', '.join(TARGETS)}; --again takes one")
    if given.again:
        taken = TARGETS[given.targets[0]].try_bytes(new_folder(), given.again.read_bytes())
        sys.exit(f"{given.again}: {'read' if taken else 'refused with a sentence'}")
    names = given.targets or list(TARGETS)
    print(f"{'target':<12} {'executions':>10} {'':>9} {'':>9} {'edges':>7}  finding", flush=True)
    with ThreadPoolExecutor(given.jobs) as pool:
        results = []
        for result in pool.map(lambda name: watch(name, given.runs, given.out), names):
            print(result.row(), flush=True)
            results.append(result)
    found = sum(bool(result.finding) for result in results)
    print(f"{sum(result.executions for result in results):,} executions, {found} findings -> {given.out}")
    sys.exit(found > 0)


def watch(target: str, runs: int, out: Path) -> Result:
    """Fuzz one target in a process of its own, and keep what it did not come back from."""
    from targets import TARGETS, new_folder

    scratch, kept = new_folder(), out / target
    kept.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, __file__, target, "--child", f"--runs={runs}", f"--out={out}"]
    before, log = time.monotonic(), scratch / "log"
    finding, stuck = "", scratch / TARGETS[target].file
    with open(log, "wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=os.environ | {SCRATCH: str(scratch)})
        while process.poll() is None:
            time.sleep(0.5)
            if stuck.is_file() and time.time() - stuck.stat().st_mtime > PATIENCE:
                process.kill()
                process.wait()
                finding = f"no end after {PATIENCE} s"
    text = log.read_text(errors="replace")
    if process.returncode and not finding:
        finding = next((line for line in text.splitlines() if line.startswith("finding: ")), "it crashed")
    if finding:
        file = kept / f"finding-{int(time.time())}"
        if stuck.is_file():
            shutil.copy(stuck, file)
        (kept / f"{file.name}.log").write_text(text)
        finding = f"{finding.removeprefix('finding: ')} -> {file}"
    shutil.rmtree(scratch)
    counts = re.findall(r"^#(\d+)\s", text, re.MULTILINE)
    covered = re.findall(r"cov: (\d+)", text)
    executions = int(counts[-1]) if counts else 0
    return Result(target, executions, time.monotonic() - before, int(covered[-1]) if covered else 0, finding)


def fuzz(name: str, runs: int, out: Path) -> None:
    """In the child: libFuzzer changes files, guided by what they reach in our code."""
    try:
        import atheris
    except ImportError:
        sys.exit("finding: atheris is missing: pip install atheris")
    with atheris.instrument_imports(include=["pipeline", "sorn"]):
        from targets import TARGETS

    target, scratch = TARGETS[name], Path(os.environ[SCRATCH])
    corpus = out / name / "corpus"
    corpus.mkdir(exist_ok=True)
    for number, seed in enumerate(target.seeds(scratch)):
        (corpus / f"seed-{number}").write_bytes(seed)

    def try_bytes(data: bytes) -> None:
        before = time.process_time()
        try:
            target.try_bytes(scratch, data)
        except BaseException as error:
            print(f"finding: {type(error).__name__}: {str(error)[:200]}", flush=True)
            raise
        if time.process_time() - before > SECONDS:
            print(f"finding: it took {time.process_time() - before:.1f} s", flush=True)
            raise AssertionError

    for seed in target.seeds(scratch):  # so that what is loaded at first use does not count
        try_bytes(seed)
    own = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (own + MEMORY, own + MEMORY))
    # Who hangs is the parent's to see. With a timeout of 0 atheris calls a process hung that ends slowly.
    options = [f"-runs={runs}", "-timeout=3600", "-rss_limit_mb=0", "-max_len=65536"]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={scratch}/", str(corpus)], try_bytes)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
