"""Versions of packages and the ranges that requirements allow."""

from __future__ import annotations

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version


def within(version: str, ranges: str) -> bool:
    """Whether a version lies in version ranges.

    Examples: 2.14.1+cu130, and >=0.6,<0.7. A text that is no version lies in no range.
    """
    try:
        return SpecifierSet(ranges).contains(Version(version), prereleases=True)
    except InvalidVersion:
        return False


def numbers(version: str) -> tuple[int, ...]:
    """Numbers of a version, at least two.

    2.14.1+cu130 -> (2, 14, 1); 13 -> (13, 0). A text that is no version gives (0, 0).
    """
    try:
        release = Version(version).release
    except InvalidVersion:
        return (0, 0)
    return release if len(release) > 1 else (*release, 0)


def read_requirement(line: str) -> tuple[str, str] | None:
    """Package and version ranges in a line of requirements.

    None for a comment, an option, and a package that only another environment or an extra needs.
    """
    try:
        requirement = Requirement(line.partition("#")[0].strip())
    except InvalidRequirement:
        return None
    if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
        return None
    return requirement.name, ",".join(sorted(map(str, requirement.specifier), reverse=True))
