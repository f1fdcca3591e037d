"""Result of the search for the images of a dataset."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.datasets.record_table import RecordTable
from pipeline.datasets.records import Finding, IdNames


@dataclass(frozen=True)
class Found:
    """Result of the search for a dataset's images.

    root: the dataset's folder. source: how it was read, in words. records: sorted by name, without junk. folders:
    prefix of a set's image names -> its folder. junk: the same prefix -> number of junk images dropped. pid_labels,
    camid_labels: number -> id as the CSV writes it, where that is not the number.
    """

    root: Path
    source: str
    records: RecordTable
    folders: dict[str, Path]
    junk: dict[str, int]
    findings: list[Finding]
    pid_labels: dict[int, str] = field(default_factory=dict)
    camid_labels: dict[int, str] = field(default_factory=dict)

    @property
    def names(self) -> IdNames:
        return IdNames(self.pid_labels, self.camid_labels)

    def by_set(self) -> dict[str, RecordTable]:
        """Name prefix of each set -> its records."""
        rows: dict[str, list[int]] = {prefix: [] for prefix in self.folders}
        for number, name in enumerate(self.records.names):
            # A split is one set, or each of its sets has a name of its own below it.
            own = name.partition("/")[0] + "/"
            rows[own if own in rows else "/".join(name.split("/", 2)[:2]) + "/"].append(number)
        return {prefix: self.records.part(np.array(chosen, np.int32)) for prefix, chosen in rows.items()}
