"""Facts of found images, as tests compare them."""

from __future__ import annotations

from pipeline.datasets.found import Found


def listed(found: Found) -> list[tuple[str, int, int]]:
    return [(record.name, record.pid, record.camid) for record in found.records]


def errors(found: Found) -> list[str]:
    return [f"{finding.wrong} -> {finding.remedy}" for finding in found.findings if finding.level == "error"]
