"""The paper's tables as tables.json, tables.md, tables.html and lines for the terminal."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.io.files import write_json, write_text
from pipeline.reports.charts import SeedCurve, Spread, Strip, Strips
from pipeline.reports.html import Table, render
from pipeline.reports.markdown import escape, escaped, pipe_table
from pipeline.runs.layout import TablesPaths
from pipeline.tools.tables.runner import duration

NOT_MEASURED = "not measured"
ORDERINGS = "Which orderings hold"
ORDERINGS_CAPTION = (
    "Differences are taken seed by seed. `holds`: the whole 95 % interval of their mean is above zero; `opposite`: "
    "below; `undecided`: it contains zero, or there is one seed only. Several are tested at once: where there is no "
    "difference at all, one interval in twenty misses zero."
)
INTERVALS_CAPTION = (
    "Figures are means over the seeds, in brackets the 95 % interval of the mean (Student's t). It says what other "
    "seeds would change on these images, not what other people would."
)
PAPER_CAPTION = (
    "The paper's figures are of Occluded-DukeMTMC, with ResNet-50 from ImageNet weights and images of 384x128. Of "
    "other data or another recipe, compare the order of the rows, not their height."
)


@dataclass(frozen=True)
class ShownTable:
    """A table of the paper. strips: of rank-1 and mAP. curves: in their place, for a figure of the paper.

    missing: rows that lack seeds, and why.
    """

    title: str
    rows: Table
    strips: Sequence[Strips] = ()
    curves: Sequence[SeedCurve] = ()
    missing: Sequence[str] = ()


@dataclass(frozen=True)
class TablesPage:
    """What tables.html shows. orderings: which orderings of the paper hold. tables: rows of ours and the paper's."""

    title: str
    notice: str
    facts: list[str]
    orderings: ShownTable
    tables: list[ShownTable]
    jobs: Table
    command: str
    captions: Sequence[str] = (INTERVALS_CAPTION, PAPER_CAPTION)
    orderings_caption: str = ORDERINGS_CAPTION


def write_pages(files: TablesPaths, evidence: dict[str, Any]) -> None:
    write_json(files.json, evidence)
    write_text(files.markdown, "\n".join(markdown(evidence)) + "\n")
    write_text(files.html, html_page(evidence))


def terminal_lines(evidence: dict[str, Any]) -> list[str]:
    """The orderings, and how many rows are measured."""
    rows = evidence["rows"]
    whole = sum(not row["missing"] for row in rows)
    lines = [
        f"tables: {whole} of {len(rows)} rows are measured with every seed ({', '.join(map(str, evidence['seeds']))})"
    ]
    width = max(len(order["name"]) for order in evidence["expected"])
    for order in evidence["expected"]:
        found = order["figures"]["rank-1"]
        lines.append(f"  {order['name']:{width}}  {found['verdict']:12}  {_points(found['difference'])}".rstrip())
    return lines


def markdown(evidence: dict[str, Any]) -> list[str]:
    """Lines of tables.md."""
    lines = [f"# {_title(evidence)}", ""]
    if evidence["dataset"]["notice"]:
        lines += [f"> **Notice.** {evidence['dataset']['notice']}", ""]
    lines += [f"- {escape(fact)}" for fact in facts(evidence)]
    lines += ["", INTERVALS_CAPTION, "", PAPER_CAPTION, "", f"## {ORDERINGS}", ""]
    lines += [*pipe_table(escaped(order_rows(evidence))), "", ORDERINGS_CAPTION, ""]
    for table in _tables(evidence):
        lines += [f"## {_heading(table)}", "", *pipe_table(escaped(figure_rows(evidence, table))), ""]
        lines += [f"- {escape(line)}" for line in missing_lines(evidence, table)]
        lines += [""] if lines[-1] else []
    if evidence["tau"]:
        lines += ["## Figure 8, tau", "", *pipe_table(tau_rows(evidence)), ""]
    lines += ["## What was run", "", *pipe_table(escaped(job_rows(evidence)), "---"), ""]
    return [*lines, "Again:", "", f"    {evidence['command']}"]


def html_page(evidence: dict[str, Any]) -> str:
    """The whole page."""
    page = TablesPage(
        _title(evidence),
        evidence["dataset"]["notice"],
        facts(evidence),
        ShownTable(ORDERINGS, Table(order_rows(evidence), label=ORDERINGS), _order_strips(evidence)),
        [_shown(evidence, table) for table in _tables(evidence)] + _shown_sweep(evidence),
        Table(job_rows(evidence), 2, "jobs"),
        evidence["command"],
    )
    return render("tables.html.j2", page)


def facts(evidence: dict[str, Any]) -> list[str]:
    """On which data, by which protocol and labels, with which versions."""
    seeds = ", ".join(map(str, evidence["seeds"]))
    if evidence["protocol"] is None:
        return [f"Nothing is measured yet; seeds asked for: {seeds}."]
    chance = ", ".join(f"{name} {100 * value:.1f} %" for name, value in evidence["chance"].items())
    labels, model, train = evidence["labels"], evidence["config"]["model"], evidence["config"]["train"]
    quality = "" if labels["mIoU"] is None else f", mIoU {100 * labels['mIoU']:.1f} % against exact masks"
    height, width = evidence["config"]["masks"]["image_size"]
    recipe = (
        f"{model['backbone']} from {train['init']}, images of {height}x{width}, "
        f"{evidence['config']['schedule']['epochs']} epochs of batches of {train['batch_size']}"
    )
    versions = (", ".join(f"{name} {number}" for name, number in found.items()) for found in evidence["versions"])
    return [
        f"Protocol: {evidence['protocol']}.",
        f"{evidence['queries']} queries, {evidence['gallery_images']} gallery images; by chance {chance}.",
        f"All rows alike: {recipe}; seeds {seeds}.",
        f"Labels by {labels['labeler']}{quality}.",
        *(f"Trained with {text}." for text in versions),
    ]


def figure_rows(evidence: dict[str, Any], table: str) -> list[list[str]]:
    """Ours and the paper's, in percent."""
    rows = [["row", "rank-1, %", "rank-5, %", "mAP, %", "seeds", "paper: rank-1", "paper: mAP"]]
    for row in _of(evidence, table):
        figures, paper = row["figures"], row["paper"] or {}
        seeds = len(figures["rank-1"]["seeds"]) if figures["rank-1"] else 0
        printed = [f"{100 * paper[name]:.1f}" if name in paper else "" for name in ("rank-1", "mAP")]
        rows.append([row["name"], *(_percent(found) for found in figures.values()), str(seeds), *printed])
    return rows


def missing_lines(evidence: dict[str, Any], table: str) -> list[str]:
    """Which rows have fewer seeds than were asked for, and why; the reason of the first seed stands for all."""
    return [
        f"{row['name']}: {NOT_MEASURED} with seed {', '.join(row['missing'])}; {next(iter(row['missing'].values()))}"
        for row in _of(evidence, table)
        if row["missing"]
    ]


def order_rows(evidence: dict[str, Any]) -> list[list[str]]:
    """Ours and the paper's, in points."""
    names = list(evidence["expected"][0]["figures"]) if evidence["expected"] else []
    rows = [["expected", *(cell for name in names for cell in (f"points of {name}", "paper", "ours"))]]
    for order in evidence["expected"]:
        cells = []
        for found in order["figures"].values():
            paper = "" if found["paper"] is None else f"{100 * found['paper']:+.1f}"
            cells += [_points(found["difference"]), paper, found["verdict"]]
        rows.append([order["name"], *cells])
    return rows


def tau_rows(evidence: dict[str, Any]) -> list[list[str]]:
    rows = [["tau", "rank-1, %", "mAP, %"]]
    return rows + [[f"{p['tau']:g}", _percent(p["rank-1"]), _percent(p["mAP"])] for p in evidence["tau"]]


def job_rows(evidence: dict[str, Any]) -> list[list[str]]:
    """Options and wall time of every job."""
    rows = [["job", "what differs", "training", "evaluation"]]
    for name, job in evidence["jobs"].items():
        options = list(job["options"])
        if job["same_training_as"]:
            options.append(f"the network of {job['same_training_as']}")
        if job["segmenter"]:
            options.append(f"parts by {job['segmenter']}")
        times = ("" if spent is None else duration(spent) for spent in job["seconds"].values())
        rows.append([name, " ".join(options), *times])
    return rows


def _title(evidence: dict[str, Any]) -> str:
    return f"The paper's tables on {evidence['dataset']['title']}"


def _heading(table: str) -> str:
    return table if table.startswith("Figure") else f"Table {table}"


def _tables(evidence: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys(row["table"] for row in evidence["rows"]))


def _of(evidence: dict[str, Any], table: str) -> list[dict[str, Any]]:
    return [row for row in evidence["rows"] if row["table"] == table]


def _shown(evidence: dict[str, Any], table: str) -> ShownTable:
    """A table with strips of rank-1 and mAP; a figure of the paper with its curves."""
    title, missing = _heading(table), missing_lines(evidence, table)
    shown, rows = Table(figure_rows(evidence, table), label=title), _of(evidence, table)
    rows = [row for row in rows if row["figures"]["rank-1"]]
    swept = [(float(found[1]), row["figures"]) for row in rows if (found := re.search(r"= ([\d.]+)$", row["name"]))]
    if table.startswith("Figure"):
        curves = _curves(table.rpartition(" ")[2], sorted(swept, key=lambda point: point[0]))
        return ShownTable(title, shown, curves=curves, missing=missing)
    strips = [Strips.on_grid(name, _strip_rows(rows, name)) for name in ("rank-1", "mAP") if rows]
    return ShownTable(title, shown, strips, missing=missing)


def _strip_rows(rows: list[dict[str, Any]], name: str) -> list[Strip]:
    return [Strip(row["name"], _spread(row["figures"][name]), _percent(row["figures"][name])) for row in rows]


def _shown_sweep(evidence: dict[str, Any]) -> list[ShownTable]:
    """Figure 8 over tau, if it was measured."""
    if not evidence["tau"]:
        return []
    curves = _curves("tau", [(point["tau"], point) for point in evidence["tau"]])
    return [ShownTable("Figure 8, tau", Table(tau_rows(evidence), label="tau"), curves=curves)]


def _curves(what: str, points: list[tuple[float, dict[str, Any]]]) -> list[SeedCurve]:
    if not points:
        return []
    return [SeedCurve(name, what, [(x, _spread(found[name])) for x, found in points]) for name in ("rank-1", "mAP")]


def _order_strips(evidence: dict[str, Any]) -> list[Strips]:
    found = [(order["name"], order["figures"]["rank-1"]) for order in evidence["expected"]]
    rows = [
        Strip(name, _spread(figure["difference"]), _points(figure["difference"]), figure["verdict"])
        for name, figure in found
        if figure["difference"]
    ]
    return [Strips.on_grid("points of rank-1", rows, differences=True)] if rows else []


def _spread(found: dict[str, Any]) -> Spread:
    """found: of pipeline.tools.tables.statistics.summary"""
    return Spread(found["mean"], found["low"], found["high"], tuple(found["seeds"].values()))


def _percent(found: dict[str, Any] | None) -> str:
    return _with_interval(found, lambda value: f"{100 * value:.1f}") or NOT_MEASURED


def _points(found: dict[str, Any] | None) -> str:
    return _with_interval(found, lambda value: f"{100 * value:+.1f}")


def _with_interval(found: dict[str, Any] | None, shown: Callable[[float], str]) -> str:
    if found is None:
        return ""
    if found["low"] is None:
        return shown(found["mean"])
    return f"{shown(found['mean'])} [{shown(found['low'])}, {shown(found['high'])}]"
