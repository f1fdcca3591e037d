"""Names of the options: present names, former names, misspelt names."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from pipeline.errors import nearest
from pipeline.io.build import fields_of
from pipeline.runs.config import SECTIONS

SECTION_ALIASES = {"labeler": "danet"}
OPTION_ALIASES = {
    "model.parts": "model.stripes",
    "masks.pose": "masks.keypoints",
    "masks.pose_options": "masks.keypoint_options",
}
# Names of configuration files and commands before 0.2: still understood, under the new name from then on.
OPTION_TABLES = ("options", "keypoint_options")  # tables with entries for --set: --set masks.options.table=lip20
ALMOST = 0.7  # least similarity of a misspelt name and the right one
LABELER_SECTION = "danet"  # its options have names like those of the network, which are used more often


def known_options() -> list[str]:
    """All options as section.name, in the order of their definition."""
    return [f"{section}.{name}" for section, kind in SECTIONS.items() for name in fields_of(kind)]


def current_name(section: str, name: str) -> str:
    """Present name of an option that may have a former name.

    name: of an option, or of an entry of a table (options.table).
    """
    first, dot, own = name.partition(".")
    return OPTION_ALIASES.get(f"{section}.{first}", f"{section}.{first}").partition(".")[2] + dot + own


def full_name(given: str) -> str:
    """Present name of an option or a table's entry.

    given: section.name, present or former.
    """
    section, dot, name = given.partition(".")
    section = SECTION_ALIASES.get(section, section)
    return f"{section}.{current_name(section, name)}" if dot else given


def is_known(section: str, name: str) -> bool:
    """Whether a section has an option or a table's entry `name`.

    Example of an entry: "options.table" of masks.
    """
    known = fields_of(SECTIONS[section])
    table, dot, own = name.partition(".")
    return name in known or bool(dot and own and table in OPTION_TABLES and table in known)


def nearest_option(given: str) -> str:
    """Option with the nearest name, as section.name; "" for none.

    given: wrong name, with or without a section. The same name in another section is nearer than a misspelling in the
    same section.
    """
    section, dot, name = given.partition(".") if "." in given else ("", "", given)
    name, dot, own = name.partition(".")  # own: an entry of a table
    scored = list(_scored(SECTION_ALIASES.get(section, section), name))
    _, option = max(scored, key=lambda pair: pair[0], default=(0.0, ""))
    return f"{option}{dot}{own}" if option.partition(".")[2] in OPTION_TABLES else option


def nearest_section(given: str) -> str:
    """Section with the nearest name; "" for none."""
    name = nearest(given, [*SECTIONS, *SECTION_ALIASES])
    return SECTION_ALIASES.get(name, name)


def _scored(section: str, name: str) -> Iterator[tuple[float, str]]:
    for spelled, option in [*((option, option) for option in known_options()), *OPTION_ALIASES.items()]:
        known_section, _, known_name = spelled.partition(".")
        alike = _alike(name, known_name)
        if alike >= ALMOST:
            near = _alike(section, known_section) / 4 if section else 0.0
            yield alike + near - (0.2 if known_section == LABELER_SECTION != section else 0.0), option


def _alike(a: str, b: str) -> float:
    """Similarity in [0, 1]; "lr", one of the words of "base_lr", counts as almost the same."""
    if a in b.split("_"):
        return 1.0 if a == b else 0.8
    plain = (a.lower().replace("_", "").replace("-", ""), b.lower().replace("_", ""))
    return difflib.SequenceMatcher(None, *plain).ratio()
