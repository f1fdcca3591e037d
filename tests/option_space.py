"""Values of all options, found in their definitions, and rows that hold every combination of a few of them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Mapping

from pipeline.io.build import fields_of
from pipeline.runs.config import SECTIONS
from pipeline.runs.options import Option, find_options

Row = Mapping[str, object]  # option -> value
Space = Mapping[str, tuple[object, ...]]  # option -> values, the usual one first
Refused = Callable[[Row], object]  # whether a row of all options is refused

WHOLE = (0, 1, 2, 3, 7, 100)
REAL = (0.0, 1e-6, 0.5, 1.0, 1.5)


def space(base: Row, sections: Iterable[str], known: Space, left_out: Iterable[str] = ()) -> Space:
    """Values of every option of the sections.

    base: usual values, where they are not the defaults. known: further values of options whose type tells too little.
    Every other option, also one that is not invented yet, has its choices, both booleans, or those numbers of WHOLE or
    REAL that it takes by itself.
    """
    values: dict[str, tuple[object, ...]] = {}
    for section in sections:
        for option in find_options(section):
            if option.key not in left_out:
                usual = base.get(option.key, option.default)
                values[option.key] = (usual, *(value for value in _others(option, known) if value != usual))
    return values


def covering(space: Space, strength: int, refused: Refused, seed: int = 0) -> Iterator[dict[str, object]]:
    """Rows, each a value of every option, that together hold every combination of `strength` values.

    No row is refused. Left out are the combinations that are refused with the usual values of all other options, see
    `refused_combinations`.
    """
    rng = random.Random(seed)
    left_out = set(map(_key, refused_combinations(space, strength, refused)))
    missing = {_key(combination): combination for combination in _combinations(space, strength)}
    for key in left_out:
        del missing[key]
    while missing:
        row = usual_row(space) | dict(missing[min(missing)])
        chosen = list(dict(missing[min(missing)]))
        rest = [option for option in space if option not in chosen]
        rng.shuffle(rest)
        for option in rest:
            values = [value for value in space[option] if not refused(row | {option: value})]
            rng.shuffle(values)
            others = list(itertools.combinations(chosen, strength - 1))
            row[option] = max(values, key=lambda v: _gain(row | {option: v}, option, others, missing))
            chosen.append(option)
        for options in itertools.combinations(space, strength):
            missing.pop(_key({option: row[option] for option in options}), None)
        yield row


def refused_combinations(space: Space, strength: int, refused: Refused) -> Iterator[dict[str, object]]:
    """Combinations that are refused with the usual values of all other options."""
    usual = usual_row(space)
    return (combination for combination in _combinations(space, strength) if refused(usual | combination))


def smallest_refused(space: Space, refused: Refused) -> Iterator[dict[str, object]]:
    """Values, and pairs of values that are not refused alone, that are refused with the usual other values."""
    usual, alone = usual_row(space), list(refused_combinations(space, 1, refused))
    yield from alone
    single = {_key(value) for value in alone}
    for pair in refused_combinations(space, 2, refused):
        parts = [{option: value} for option, value in pair.items()]
        if not any(_key(part) in single or part.items() <= usual.items() for part in parts):
            yield pair


def usual_row(space: Space) -> dict[str, object]:
    return {option: values[0] for option, values in space.items()}


def _combinations(space: Space, strength: int) -> Iterator[dict[str, object]]:
    for options in itertools.combinations(space, strength):
        for values in itertools.product(*(space[option] for option in options)):
            yield dict(zip(options, values, strict=True))


def _gain(row: Row, option: str, others: Iterable[tuple[str, ...]], missing: Mapping[str, object]) -> int:
    """Number of missing combinations that the value of an option adds."""
    return sum(_key({name: row[name] for name in (*other, option)}) in missing for other in others)


def _key(combination: Row) -> str:
    return repr(sorted((option, repr(value)) for option, value in combination.items()))


def _others(option: Option, known: Space) -> tuple[object, ...]:
    kind = SECTIONS[option.section]
    numbers = {bool: (False, True), int: WHOLE, float: REAL}.get(fields_of(kind)[option.name], ())
    taken = (value for value in numbers if _is_taken(kind, {option.name: value}))
    named = tuple(choice for choice in option.choices if not str(choice).endswith(":NAME"))  # timm:NAME names none
    return known.get(option.key) or named or tuple(taken)


def _is_taken(kind: type, value: Row) -> bool:
    try:
        kind(**value)
    except ValueError:
        return False
    return True
