"""Coverage-guided fuzzing of one reader: python tests/fuzz/fuzz.py TARGET [libFuzzer's options] [corpus folder].

Needs `pip install atheris`. It stops at the first finding: an exception that is no UserError, 5 seconds for one file,
or 1 GiB of memory at once. The file is kept as crash-*; `python tests/fuzz/fuzz.py TARGET crash-...` shows it again.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[2]))
with atheris.instrument_imports(include=["pipeline", "sorn"]):
    from targets import TARGETS, new_folder

LIMITS = ("-timeout=5", "-malloc_limit_mb=1024", "-rss_limit_mb=4096")


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"usage: fuzz.py TARGET [options] [corpus]; targets: {', '.join(TARGETS)}")
    target, folder = TARGETS[sys.argv.pop(1)], new_folder()
    corpus = new_folder()
    for number, seed in enumerate(target.seeds(folder)):
        (corpus / f"seed-{number}").write_bytes(seed)
    atheris.Setup([*sys.argv, *LIMITS, str(corpus)], lambda data: target.try_bytes(folder, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
