"""The paper's tables as Markdown and lines for the terminal."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.evaluation.figures import HEADLINE, IN_GRID
from pipeline.reports.markdown import escape, escaped, pipe_table
from pipeline.tools.tables.evidence import Evidence
from pipeline.tools.tables.runner import duration
from pipeline.tools.tables.statistics import Summary

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
PAPER_DATASET = "Occluded-DukeMTMC"
PAPER_CAPTION = (
    f"The paper's figures are of {PAPER_DATASET}, with ResNet-50 from ImageNet weights and images of 384x128. Of "
    "another recipe, compare the order of the rows, not their height."
)
PAPER_ELSEWHERE = (
    f"The paper's figures are of the whole of {PAPER_DATASET}, with ResNet-50 from ImageNet weights and images of "
    "384x128. They do not stand beside these rows. The order of the rows can be compared: the paper's differences are "
    "of that dataset."
)


def terminal_lines(evidence: Evidence) -> list[str]:
    """The orderings, and how many rows are measured."""
    rows = evidence.rows
    whole = sum(not row.missing for row in rows)
    lines = [
        f"tables: {whole} of {len(rows)} rows are measured with every seed ({', '.join(map(str, evidence.seeds))})"
    ]
    width = max((len(order.name) for order in evidence.expected), default=0)
    for order in evidence.expected:
        found = order.figures["rank-1"]
        lines.append(f"  {order.name:{width}}  {found.verdict:12}  {points(found.difference)}".rstrip())
    return lines + ([f"tables: {others_line(evidence)}: {evidence.whole}"] if evidence.others else [])


def markdown(evidence: Evidence) -> list[str]:
    """Lines of tables.md."""
    lines = [f"# {title(evidence)}", ""]
    if evidence.dataset.notice:
        lines += [f"> **Notice.** {evidence.dataset.notice}", ""]
    lines += [f"- {escape(fact)}" for fact in facts(evidence)]
    lines += ["", INTERVALS_CAPTION, "", paper_caption(evidence), ""]
    if evidence.expected:
        lines += [f"## {ORDERINGS}", "", *pipe_table(escaped(order_rows(evidence))), "", ORDERINGS_CAPTION, ""]
    for table in evidence.tables:
        lines += [f"## {heading(table)}", "", *pipe_table(escaped(figure_rows(evidence, table))), ""]
        lines += [f"- {escape(line)}" for line in missing_lines(evidence, table)]
        lines += [""] if lines[-1] else []
    if evidence.tau:
        lines += ["## Figure 8, tau", "", *pipe_table(tau_rows(evidence)), ""]
    lines += ["## What was run", "", *pipe_table(escaped(job_rows(evidence)), "---"), ""]
    lines += ["Again:", "", f"    {evidence.command}"]
    return lines + (["", f"{others_line(evidence)}:", "", f"    {evidence.whole}"] if evidence.others else [])


def others_line(evidence: Evidence) -> str:
    """What else there is, before the command that runs it too."""
    count = len(evidence.others)
    jobs = "1 more job" if count == 1 else f"{count} more jobs"
    return f"Not asked for, and not shown: {jobs} of the tables ({', '.join(evidence.others)}). All of them"


def has_paper(evidence: Evidence) -> bool:
    """Whether the paper measured what these rows did."""
    return any(row.paper for row in evidence.rows)


def paper_caption(evidence: Evidence) -> str:
    """What the paper's figures are of."""
    return PAPER_CAPTION if has_paper(evidence) else PAPER_ELSEWHERE


def facts(evidence: Evidence) -> list[str]:
    """On which data, by which protocol and labels, with which versions."""
    common, seeds = evidence.common, ", ".join(map(str, evidence.seeds))
    if common.protocol is None or common.labels is None:
        return [f"Nothing is measured yet; seeds asked for: {seeds}."]
    chance = ", ".join(f"{name} {100 * value:.1f} %" for name, value in (common.chance or {}).items())
    labels, model, train = common.labels, evidence.config["model"], evidence.config["train"]
    quality = "" if labels.mean_iou is None else f", mIoU {100 * labels.mean_iou:.1f} % against ground truth"
    recipe = (
        f"{model['backbone']} from {train['init']}, images of {evidence.image_size}, "
        f"{evidence.config['schedule']['epochs']} epochs of batches of {train['batch_size']}"
    )
    versions = (", ".join(f"{name} {number}" for name, number in found.items()) for found in common.versions or ())
    return [
        f"Protocol: {common.protocol}.",
        f"{common.queries} queries, {common.gallery_images} gallery images; by chance {chance}.",
        f"All rows alike: {recipe}; seeds {seeds}.",
        f"Labels by {labels.labeler}{quality}.",
        *(f"Trained with {text}." for text in versions),
        *(f"Warning: {warning}" for warning in common.warnings or ()),
    ]


def figure_rows(evidence: Evidence, table: str) -> list[list[str]]:
    """Ours and, where they can be compared, the paper's, in percent."""
    shown = HEADLINE if has_paper(evidence) else ()
    ours, printed = (f"{figure.title}, %" for figure in IN_GRID), (f"paper: {figure.title}" for figure in shown)
    rows = [["row", *ours, "seeds", *printed]]
    for row in evidence.of(table):
        seeds = max(len(found.seeds) if found else 0 for found in row.figures.values())
        paper = row.paper or {}
        cells = (f"{100 * paper[figure.key]:.1f}" if figure.key in paper else "" for figure in shown)
        rows.append([row.name, *(percent(row.figures[figure.key]) for figure in IN_GRID), str(seeds), *cells])
    return rows


def missing_lines(evidence: Evidence, table: str) -> list[str]:
    """Rows that lack seeds, with the reason.

    The reason of the first seed stands for all.
    """
    return [
        f"{row.name}: {NOT_MEASURED} with seed {', '.join(row.missing)}; {next(iter(row.missing.values()))}"
        for row in evidence.of(table)
        if row.missing
    ]


def order_rows(evidence: Evidence) -> list[list[str]]:
    """Ours and the paper's, in points."""
    names = list(evidence.expected[0].figures) if evidence.expected else []
    rows = [
        ["expected", *(cell for name in names for cell in (f"points of {name}", f"paper, {PAPER_DATASET}", "ours"))]
    ]
    for order in evidence.expected:
        cells = []
        for found in order.figures.values():
            printed = "" if found.paper is None else f"{100 * found.paper:+.1f}"
            cells += [points(found.difference), printed, found.verdict]
        rows.append([order.name, *cells])
    return rows


def tau_rows(evidence: Evidence) -> list[list[str]]:
    """Figure 8 over tau, in percent."""
    rows = [["tau", *(f"{figure.title}, %" for figure in HEADLINE)]]
    return rows + [
        [f"{point.tau:g}", *(percent(point.figures[figure.key]) for figure in HEADLINE)] for point in evidence.tau
    ]


def job_rows(evidence: Evidence) -> list[list[str]]:
    """Options and wall time of every job."""
    rows = [["job", "what differs", "training", "evaluation"]]
    for name, job in evidence.jobs.items():
        options = list(job.options)
        if job.same_training_as:
            options.append(f"the network of {job.same_training_as}")
        if job.segmenter:
            options.append(f"parts by {job.segmenter}")
        times = ("" if spent is None else duration(spent) for spent in job.seconds.values())
        rows.append([name, " ".join(options), *times])
    return rows


def title(evidence: Evidence) -> str:
    """Heading of the page."""
    return f"The paper's tables on {evidence.dataset.title}"


def heading(table: str) -> str:
    """Heading of a table or figure of the paper."""
    return table if table.startswith("Figure") else f"Table {table}"


def percent(found: Summary | None) -> str:
    """A mean with its interval, in percent."""
    return _with_interval(found, lambda value: f"{100 * value:.1f}") or NOT_MEASURED


def points(found: Summary | None) -> str:
    """A mean difference with its interval, in points."""
    return _with_interval(found, lambda value: f"{100 * value:+.1f}")


def _with_interval(found: Summary | None, shown: Callable[[float], str]) -> str:
    if found is None:
        return ""
    if found.low is None or found.high is None:
        return shown(found.mean)
    return f"{shown(found.mean)} [{shown(found.low)}, {shown(found.high)}]"
