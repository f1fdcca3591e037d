"""Numbers of the ids in a user's list.

Whole numbers stand for themselves, names are numbered. The number of an id depends on no later group of GROUPS, so one
more person in the gallery changes nothing that a training has seen.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from pipeline.datasets.record_table import RecordTable
from pipeline.datasets.records import Finding
from pipeline.errors import first_names

GROUPS = (("train",), ("val_query", "val_gallery"), ("labeler",), ("query", "gallery"))
LARGEST_ID = 2**63 - 1  # ids are stored as int64; larger ones are names
DIGITS = len(str(LARGEST_ID))
SAFE = 2**62  # names are numbered behind the largest number, unless that is larger than this
NUMBER = re.compile(r"\d+", re.ASCII)
DECIMAL = re.compile(r"[+-]?\d+(\.\d+)?(e[+-]?\d{1,4})?", re.ASCII)
SHORTENED = re.compile(r"\d(\.\d+)?e\+\d+", re.ASCII | re.I)
MISSING = {"nan", "none", "null", "n/a", "#n/a", "na", "?"}


@dataclass(frozen=True)
class Numbering:
    """Numbers of ids.

    numbers: id as written -> its number. names: number -> id as written, where that is not the number itself; complete
    unless all ids are whole numbers.
    """

    numbers: Mapping[str, int]
    names: Mapping[int, str]


@dataclass(frozen=True)
class EarlierNumbers:
    """Numbers that a run gave before.

    numbers: id as written -> number. trained: ids of training images.
    """

    numbers: Mapping[str, int]
    trained: frozenset[str]

    @classmethod
    def of(cls, records: RecordTable, field: str, names: Mapping[int, str]) -> EarlierNumbers:
        """Those of stored records.

        field: "pid" or "camid". names: number -> id as written.
        """
        found, learnt = (np.unique(getattr(part, field)).tolist() for part in (records, records.of_split("train")))
        written = {number: names.get(number, str(number)) for number in found}
        return cls({text: number for number, text in written.items()}, frozenset(written[n] for n in learnt))


NOTHING_EARLIER = EarlierNumbers({}, frozenset())


def is_number(text: str) -> bool:
    """Whether an id is a whole number of at most 63 bits."""
    return bool(NUMBER.fullmatch(text)) and len(text.lstrip("0")) <= DIGITS and int(text) <= LARGEST_ID


def number_ids(ids: Iterable[tuple[str, str]], earlier: EarlierNumbers = NOTHING_EARLIER) -> Numbering:
    """Numbers of the ids of a list.

    ids: split and id of every image. earlier: of the run's last list; its numbers are kept where the training persons
    are the same and would get other numbers, as those of version 0.1. Raises ValueError for two spellings of one
    number, where all ids are numbers.
    """
    groups: dict[str, set[str]] = defaultdict(set)
    for split, text in ids:
        groups[split].add(text)
    everything = sorted(set().union(*groups.values()))
    if all(map(is_number, everything)):
        spelled = _whole_numbers(everything)
        return Numbering(spelled, {number: text for text, number in spelled.items() if text != str(number)})
    numbers = _numbered(groups, {})
    if groups["train"] == earlier.trained and any(numbers[text] != earlier.numbers[text] for text in earlier.trained):
        numbers = _numbered(groups, earlier.numbers)
    return Numbering(numbers, {number: text for text, number in sorted(numbers.items(), key=lambda item: item[1])})


def doubts(what: str, ids: Iterable[str]) -> list[Finding]:
    """Warnings about names that may not mean what they say.

    Two spellings of one name, numbers that a spreadsheet has shortened, missing values. what: "pid" or "camid".
    """
    spellings: dict[str | Decimal, list[str]] = defaultdict(list)
    for text in sorted(set(ids)):
        spellings[_plain(text)].append(text)
    found = []
    if twice := [" and ".join(map(repr, alike)) for alike in spellings.values() if len(alike) > 1]:
        wrong = f"{len(twice):,} {what}s have several spellings, which count as different ones: {first_names(twice)}"
        found.append(Finding("warning", wrong, "Write each in one way only, or leave it if they are different."))
    if short := [text for alike in spellings.values() for text in alike if SHORTENED.fullmatch(text)]:
        wrong = f"{len(short):,} {what}s are numbers that a spreadsheet has shortened: {first_names(short)}"
        found.append(Finding("warning", wrong, "Several may have become one: save the column as text."))
    if gaps := [text for alike in spellings.values() for text in alike if text.casefold() in MISSING]:
        wrong = f"{what} {first_names([repr(text) for text in gaps])} counts as one {what}, but may be a missing value"
        found.append(Finding("warning", wrong, f"Give each image its {what}, or remove the row; -1 as pid marks junk."))
    return found


def _whole_numbers(texts: list[str]) -> dict[str, int]:
    spelling: dict[int, str] = {}
    for text in texts:
        other = spelling.setdefault(int(text), text)
        if other != text:
            raise ValueError(f"'{other}' and '{text}' are one number")
    return {text: number for number, text in spelling.items()}


def _numbered(groups: Mapping[str, set[str]], earlier: Mapping[str, int]) -> dict[str, int]:
    """Numbers of all ids, group by group: those known, then whole numbers as they are, or names in their order."""
    numbers = {text: earlier[text] for ids in groups.values() for text in ids if text in earlier}
    for splits in GROUPS:
        new = sorted(set().union(*(groups[split] for split in splits if split in groups)) - numbers.keys())
        taken = set(numbers.values())
        own = {int(text) for text in new if is_number(text)} - taken
        if len(own) == len(new):
            numbers |= {text: int(text) for text in new}
            continue
        first = max(taken, default=0) + 1
        free = (n for n in itertools.count(first if first <= SAFE else 1) if n not in taken)
        numbers |= dict(zip(new, free, strict=False))
    return numbers


def _plain(text: str) -> str | Decimal:
    """Text without what people do not see or do not mean: case, width, blanks inside, zeros in front."""
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    number = re.sub(r"(?<=\d)[,_'](?=\d{3}(?!\d))", "", plain)
    return Decimal(number) if DECIMAL.fullmatch(number) else plain
