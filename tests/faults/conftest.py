"""The campaign's project, and the table of what it has tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fault_cases import Case
from tiny_project import TinyProject


@dataclass
class Campaign:
    """tried, survived: (fault, where) -> how often. Survived: the same bytes in the end, and nothing lost before. met:
    signal -> how many of it a stage received while it was at work.
    """

    tried: Counter[tuple[str, str]] = field(default_factory=Counter)
    survived: Counter[tuple[str, str]] = field(default_factory=Counter)

    met: Counter[str] = field(default_factory=Counter)

    def rows(self) -> list[str]:
        lines = ["| fault | where | times | survived |", "|---|---|--:|--:|"]
        for (fault, where), times in (+self.tried).items():
            lines.append(f"| {fault} | {where} | {times} | {self.survived[fault, where]} |")
        faults = len({fault for fault, _ in +self.tried})
        lines += [f"{name} met a stage at work {times} times" for name, times in self.met.items()]
        return [*lines, f"{self.tried.total()} times, {faults} kinds of fault, {self.survived.total()} survived"]


CAMPAIGN = Campaign()


@pytest.fixture(scope="session")
def campaign() -> Campaign:
    return CAMPAIGN


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if CAMPAIGN.tried:
        terminalreporter.section("faults")
        terminalreporter.write_line("\n".join(CAMPAIGN.rows()))


@dataclass(frozen=True)
class Undisturbed:
    """A project and what an undisturbed run of all stages leaves. seconds: stage -> how long it took."""

    project: TinyProject
    runs: Path
    seconds: dict[str, float]
    tree: dict[str, bytes]


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    project = TinyProject(tmp_path_factory.mktemp("tiny") / "pictures")
    runs = project.folder.with_name("runs")
    seconds = project.run_all(runs)
    return Undisturbed(project, runs, seconds, project.tree(runs))


@pytest.fixture
def case(undisturbed, campaign, tmp_path) -> Callable[..., Case]:
    """fault, stage, done (whether the stage has run) -> a Case in a folder of its own."""
    made: list[Case] = []

    def make(fault: str, stage: str, done: bool = False) -> Case:
        made.append(Case(undisturbed, campaign, tmp_path / str(len(made)) / "runs", fault, stage, done))
        return made[-1]

    return make
