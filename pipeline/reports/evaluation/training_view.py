"""Training of the evaluated network in reports: its options, and its curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.evaluation.report import Report
from pipeline.evaluation.training_curves import TrainingCurves
from pipeline.reports.charts import Chart
from pipeline.reports.evaluation.text import MarkdownContents
from pipeline.reports.html import Table
from pipeline.reports.markdown import code, pipe_table
from pipeline.reports.value_charts import ValueChart

NO_CURVES = (
    "Its curves are not shown: the folder of the training has no TensorBoard files, which is so for networks that ship."
)
SECTIONS = ("model", "schedule", "train", "loss")  # of config.json


@dataclass(frozen=True)
class TrainingView:
    """View model of the training.

    options: all of them, a section each, as text with `code` in back quotes. note: why there are no curves, "" with.
    """

    rows: Table
    charts: list[Chart]
    note: str
    options: list[list[str]]


def training_view(report: Report, curves: TrainingCurves | None) -> TrainingView | None:
    """View model of the training; None where nothing is known of it."""
    rows = training_rows(report)
    if not rows:
        return None
    training = report.provenance.training
    options = [[name, code(_table(training, name))] for name in SECTIONS if name in training]
    shown = Table([["what", "value"], *rows], numbers_from=2, label="the training")
    return TrainingView(shown, training_charts(curves) if curves else [], "" if curves else NO_CURVES, options)


def training_charts(curves: TrainingCurves) -> list[Chart]:
    """Losses, learning rate and validation figures."""
    found: list[Chart] = []
    if len(curves.x) > 1:
        ticks = _ticks(curves.x)
        found.append(ValueChart("Losses of the training", curves.unit, curves.x, curves.losses, ticks))
        if curves.rate:
            found.append(ValueChart("Learning rate", curves.unit, curves.x, {"rate": curves.rate}, ticks))
    if len(curves.validated) > 1:
        found.append(
            Chart("Figures of the val split", "epoch", curves.validated, curves.val, curves.validated, dots=True)
        )
    return found


def _ticks(x: Sequence[float]) -> list[float]:
    """Whole numbers up to the last x, at most ten or so."""
    step = max(1, round(x[-1] / 8))
    return [float(value) for value in range(0, int(x[-1]) + 1, step) if value >= x[0]]


def training_lines(contents: MarkdownContents) -> list[str]:
    rows = training_rows(contents.report)
    return [*pipe_table([["what", "value"], *rows], "---"), ""] if rows else []


def training_rows(report: Report) -> list[list[str]]:
    """What decides a training, in words: name, value.

    What its description does not name is left out.
    """
    found = report.provenance.training
    model, schedule, train = (_table(found, name) for name in ("model", "schedule", "train"))
    rows = [
        ["network", _network(model, found)],
        ["start", _start(train, found)],
        ["epochs", _epochs(schedule, train, found)],
        ["learning rate", _rate(schedule)],
        ["optimizer", _said(schedule, train, optimizer="{}", weight_decay="weight decay {}")],
        ["batch", _said(train, batch_size="{} images")],
        ["seed", _said(train, seed="{}")],
    ]
    return [[name, value] for name, value in rows if value]


def _table(document: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _said(*tables: Mapping[str, object], **forms: str) -> str:
    """Values of options in words, those that are there."""
    known = {name: value for table in tables for name, value in table.items()}
    return ", ".join(form.format(known[name]) for name, form in forms.items() if name in known)


def _network(model: Mapping[str, object], found: Mapping[str, object]) -> str:
    size = found.get("image_size")
    images = f"images of {size[0]}x{size[1]}" if isinstance(size, list) and len(size) == 2 else ""
    said = _said(model, backbone="{}", parts="{} stripes", channel_sets="{} channel sets")
    return ", ".join(filter(None, (said, images)))


def _start(train: Mapping[str, object], found: Mapping[str, object]) -> str:
    start = _table(found, "start")
    if start.get("file"):
        source = f" of {start['source']}" if start.get("source") else ""
        return f"{start['file']}{source}, sha256 {str(start.get('sha256', 'unknown'))[:12]}..."
    init = train.get("init")
    return "random weights" if init == "none" else str(init or "")


def _epochs(schedule: Mapping[str, object], train: Mapping[str, object], found: Mapping[str, object]) -> str:
    best = _table(found, "best")
    kept = f"the weights after epoch {best['epoch']} are kept, the best on val" if "epoch" in best else ""
    average = f"weights averaged, {train['average']}" if train.get("average") else ""
    return ", ".join(filter(None, (_said(schedule, epochs="{}"), kept, average)))


def _rate(schedule: Mapping[str, object]) -> str:
    if "base_lr" not in schedule:
        return ""
    said = [str(schedule["base_lr"])]
    if schedule.get("shape") == "cosine":
        said.append("falling along a cosine")
    elif milestones := schedule.get("milestones"):
        said.append(f"times {schedule.get('gamma')} after epochs {', '.join(map(str, milestones))}")  # type: ignore[call-overload]
    if warm := schedule.get("warmup_epochs"):
        said.append(f"rising from {schedule.get('warmup_start_lr')} until epoch {warm}")
    return ", ".join(said)
