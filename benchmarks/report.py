"""What every benchmark shares: timing in interleaved rounds, a table, one JSON line. Writes to standard output.

    seconds = interleave({"ours": ours, "theirs": theirs}, rounds=5)          # name -> seconds of each round
    ratio = median(seconds["theirs"]) / median(seconds["ours"])
    emit("masks", seconds, {"theirs_over_ours": Figure(ratio, ">=2", ratio >= 2)})

The last line printed: {"bench": "masks", "figures": {"theirs_over_ours": {"value": 2.1, "goal": ">=2", "holds": true}}}
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

__all__ = ["Figure", "emit", "interleave", "median"]


@dataclass(frozen=True)
class Figure:
    """One figure of the JSON line. goal: e.g. ">=5"; goal and holds are None for what is only reported."""

    value: float
    goal: str | None = None
    holds: bool | None = None


def interleave(candidates: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """name -> seconds of each round. Every round runs each candidate once, so that what else the machine does meets all
    of them; who comes first changes by round. A first round, not counted, warms caches and allocators.
    """
    names = list(candidates)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(-1, rounds):
        for name in names if number % 2 else reversed(names):
            start = time.perf_counter()
            candidates[name]()
            if number >= 0:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def emit(
    bench: str, rows: Mapping[str, Sequence[float]], figures: Mapping[str, Figure], unit: str = "s per round"
) -> None:
    """Print a table with median and range of each row's values, then the figures, last the JSON line."""
    width = max((len(name) for name in (*rows, *figures)), default=0)
    for name, values in rows.items():
        print(f"{name:{width}}  {median(values):10.4f} {unit}  [{min(values):.4f} - {max(values):.4f}]")
    for name, figure in figures.items():
        verdict = "" if figure.goal is None else f"goal {figure.goal}: {'holds' if figure.holds else 'DOES NOT HOLD'}"
        print(f"{name:{width}}  {figure.value:10.4f}  {verdict}".rstrip())
    print(json.dumps({"bench": bench, "figures": {name: dataclasses.asdict(one) for name, one in figures.items()}}))
