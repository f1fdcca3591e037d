"""Versions of packages, and lines of requirements."""

from __future__ import annotations

import pytest

from pipeline.tools.doctor.versions import numbers, read_requirement, within


@pytest.mark.parametrize(
    ("version", "ranges", "expected"),
    [
        ("2.14.1+cu130", ">=2.6", True),
        ("2.6.0rc1", ">=2.6", False),
        ("2.7.0a0+git1", ">=2.6", True),
        ("3.0", "!=3.0,>=2", False),
        ("2.6.3", "~=2.6.1", True),
        ("2.7", "~=2.6.1", False),
        ("of a checkout", ">=1", False),
    ],
)
def test_ranges(version: str, ranges: str, expected: bool) -> None:
    assert within(version, ranges) is expected


def test_numbers_of_a_version() -> None:
    assert numbers("2.14.1+cu130") == (2, 14, 1)
    assert numbers("13") == (13, 0) and numbers("?") == (0, 0)


def test_lines_of_requirements() -> None:
    assert read_requirement("anny>=0.6,<0.7") == ("anny", ">=0.6,<0.7")
    assert read_requirement("click >= 8.1  # the command line") == ("click", ">=8.1")
    assert read_requirement("torch") == ("torch", "")
    for line in ("# a comment", "", "-r requirements.txt", 'onnx; extra == "export"', 'x; python_version < "3"'):
        assert read_requirement(line) is None
