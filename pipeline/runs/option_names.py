"""Names of the options: which exist, which are former names, and which one a wrong name means."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from pipeline.errors import nearest
from pipeline.io.build import fields_of
from pipeline.runs.config import OPTION_ALIASES, SECTION_ALIASES, SECTIONS

OPTION_TABLES = ("options", "keypoint_options")  # whose own keys --set reaches: --set masks.options.table=lip20
ALMOST = 0.7  # similarity of two names from which one may be meant by the other
LABELER_SECTION = "danet"  # its options resemble those of the network, which are meant more often


def known_options() -> list[str]:
    """Every option as section.name, in the order of the sections and their fields."""
    return [f"{section}.{name}" for section, kind in SECTIONS.items() for name in fields_of(kind)]


def current_name(section: str, name: str) -> str:
    """Name of an option today, for one that may be a former name. name: also an entry of a table, options.table."""
    first, dot, own = name.partition(".")
    return OPTION_ALIASES.get(f"{section}.{first}", f"{section}.{first}").partition(".")[2] + dot + own


def is_known(section: str, name: str) -> bool:
    """Whether `name` is an option of `section`, or an entry of one of its tables, e.g. "options.table" of masks."""
    known = fields_of(SECTIONS[section])
    table, dot, own = name.partition(".")
    return name in known or bool(dot and own and table in OPTION_TABLES and table in known)


def nearest_option(given: str) -> str:
    """The option, as section.name, that a wrong name of one or without a section most probably means; "" for none.

    The same name in another section counts more than a misspelling in the same one.
    """
    section, dot, name = given.partition(".") if "." in given else ("", "", given)
    name, dot, own = name.partition(".")  # own: an entry of a table
    scored = list(_scored(SECTION_ALIASES.get(section, section), name))
    _, option = max(scored, key=lambda pair: pair[0], default=(0.0, ""))
    return f"{option}{dot}{own}" if option.partition(".")[2] in OPTION_TABLES else option


def nearest_section(given: str) -> str:
    """The section that a wrong name means, "" for none."""
    name = nearest(given, [*SECTIONS, *SECTION_ALIASES])
    return SECTION_ALIASES.get(name, name)


def _scored(section: str, name: str) -> Iterator[tuple[float, str]]:
    for spelled, option in [*((option, option) for option in known_options()), *OPTION_ALIASES.items()]:
        their_section, _, their_name = spelled.partition(".")
        alike = _alike(name, their_name)
        if alike >= ALMOST:
            near = _alike(section, their_section) / 4 if section else 0.0
            yield alike + near - (0.2 if their_section == LABELER_SECTION != section else 0.0), option


def _alike(a: str, b: str) -> float:
    """Similarity in [0, 1]; "lr", one of the words of "base_lr", counts as almost the same."""
    if a in b.split("_"):
        return 1.0 if a == b else 0.8
    plain = (a.lower().replace("_", "").replace("-", ""), b.lower().replace("_", ""))
    return difflib.SequenceMatcher(None, *plain).ratio()
