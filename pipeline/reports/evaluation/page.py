"""report.html: one page that opens from disk and needs nothing beside it. Reads page.css, page.js, writes the page."""

from __future__ import annotations

from pathlib import Path

from pipeline.evaluation.figures import HEADLINE
from pipeline.evaluation.report import Report, TrainingLabels
from pipeline.evaluation.scores import Scores
from pipeline.io.files import write_text
from pipeline.reports.charts import Chart
from pipeline.reports.evaluation import text as report_text
from pipeline.reports.evaluation.illustrations import Illustrator, maps_caption
from pipeline.reports.evaluation.network_view import explained_html
from pipeline.reports.evaluation.query_table import queries_html
from pipeline.reports.evaluation.ranked_lists import CAPTION, DRAWS_CAPTION, KEY, lists_html
from pipeline.reports.evaluation.shown_queries import ShownQuery, fullest
from pipeline.reports.html import page, table, text
from pipeline.reports.pictures import Explained
from sorn.colour import VARIANTS as COLOURS

CMC_TICKS = (1, 5, 10, 20, 30, 40, 50)

ETHICS = "Biometric technology: a match is a hint, never ground for a decision about a person."
LIMITS = (
    "This page is for research, and for footage whose people agreed or where the law allows it. Errors need not be "
    "spread evenly over people, and nobody has measured here by how much. The page holds copies of images: protect and "
    "delete it like the photographs. More in docs/ethics.md."
)


def write_page(
    path: Path,
    report: Report,
    scores: Scores,
    shown: list[ShownQuery],
    explained: list[Explained],
    illustrator: Illustrator,
    queries_file: str,
) -> None:
    """report: as in report.json, whose figures the page repeats. queries_file: queries.csv, relative to the page."""
    sections = {
        "Result": result_html(report, fullest(scores)),
        "Curves": curves_html(report),
        "Ranked lists": _lists(report, shown),
        "What the network sees": _seen(report, explained, illustrator),
        "All queries": "<p>Average precision of every query; a heading sorts by its column.</p>\n"
        + queries_html(scores, queries_file),
        "Training labels": labels_html(report.labels),
        "Where it comes from": provenance_html(report),
    }
    kept = {title: body for title, body in sections.items() if body}
    links = "".join(f'<a href="#{_anchor(title)}">{title}</a>' for title in kept)
    body = "\n".join(
        f'<section aria-labelledby="{_anchor(title)}"><h2 id="{_anchor(title)}">{title}</h2>\n{content}\n</section>'
        for title, content in kept.items()
    )
    here = Path(__file__).parents[1] / "page"
    style, script = (here.with_suffix(suffix).read_text(encoding="utf-8") for suffix in (".css", ".js"))
    title = report_text.title(report)
    whole = f'{header_html(report)}\n<nav aria-label="sections">{links}</nav>\n<main>\n{body}\n</main>'
    write_text(path, page(title, whole, style, script))


def header_html(report: Report) -> str:
    notice = report.dataset.notice
    return (
        f'<header><h1>{text(report_text.title(report))}</h1>\n<p class="muted">{text(report.protocol)}.</p>\n'
        + (f'<p class="note"><b>Notice.</b> {text(notice)}</p>\n' if notice else "")
        + f"<details><summary>{text(ETHICS)}</summary><p>{text(LIMITS)}</p></details></header>"
    )


def result_html(report: Report, variant: str) -> str:
    """Three figures, the table of variants beside chance, and what the paper reports. variant: the fullest."""
    values = report.metrics[variant]
    draws = ", on average over the draws" if report.single_shot else ""
    wrong = round((1 - values["rank-1"]) * values.queries)
    tiles = [
        (f"{100 * values['rank-1']:.1f} %", "rank-1", _floors(report, "rank-1")),
        (f"{100 * values['mAP']:.1f} %", "mAP", _floors(report, "mAP")),
        (f"{wrong:,} of {values.queries:,}", f"queries whose first answer is another person{draws}", ""),
    ]
    shown = "".join(
        f'<div class="figure"><b>{text(value)}</b><span>{text(name)} <span class="muted">{beside}</span></span></div>'
        for value, name, beside in tiles
    )
    warnings = "".join(f"<li>{text(warning)}</li>" for warning in report.dataset.warnings)
    paper = report_text.paper_rows(report)
    return (
        f'<p class="muted">By <b>{text(variant)}</b>, the fullest variant:</p><div class="figures">{shown}</div>\n'
        f'<div class="table-and-text">{table(report_text.table_rows(report), label="figures per variant")}\n'
        f'<div class="text"><p>{text(report_text.queries_line(report))}.</p>\n'
        f'<p class="muted">{_inline(report_text.variants_caption(report))}</p></div></div>\n'
        + (f"<p>{report_text.PAPER_CAPTION}</p>\n{table(paper, label='figures of the paper')}" if paper else "")
        + (f"<p>{report_text.WARNINGS_CAPTION}</p>\n<ul>{warnings}</ul>" if warnings else "")
    )


def _floors(report: Report, figure: str) -> str:
    """What needs no training reaches: chance, and colours where they were ranked."""
    chance, colour = f"chance {100 * report.chance[figure]:.2f} %", report.metrics.get(COLOURS[0])
    return f"{chance}, colours {100 * colour[figure]:.1f} %" if colour else chance


def curves_html(report: Report) -> str:
    lines = dict(report.cmc)
    length = len(lines["chance"])
    cmc = Chart("CMC: queries with a match among the first k", "rank", range(1, length + 1), lines, CMC_TICKS)
    charts = [cmc.html()]
    sweep = report.tau_sweep
    if len(sweep) > 1:
        taus = [point.tau for point in sweep]
        reached = {figure.title: [point[figure.key] for point in sweep] for figure in HEADLINE}
        used = report.provenance.config.tau
        marked = used if taus[0] <= used <= taus[-1] else None
        title = "Threshold tau of Eq. 12, by sorn"
        charts.append(Chart(title, "tau", taus, reached, taus, marked, dots=True).html())
    rows = [["rank", *lines], *([str(k), *(f"{100 * lines[n][k - 1]:.1f}" for n in lines)] for k in CMC_TICKS)]
    tables = [table(rows, label="CMC, %")] + ([table(report_text.sweep_rows(report), label="tau, %")] if sweep else [])
    return (
        f'<div class="charts">{"".join(charts)}</div>\n'
        + (f'<p class="muted">{_inline(report_text.SWEEP_CAPTION)}</p>\n' if sweep else "")
        + "<details><summary>The same as tables, in percent</summary>"
        + f'<div class="table-and-text">{"".join(tables)}</div></details>'
    )


def labels_html(labels: TrainingLabels | None) -> str:
    """Of the labels that the network was trained on; "" where nobody knows it."""
    if labels is None:
        return ""
    rows = report_text.label_rows(labels)
    return f"<p>{report_text.LABELS_CAPTION}</p>\n" + table(rows, numbers_from=len(rows[0]))


def provenance_html(report: Report) -> str:
    rows = [[name, value] for name, value in report_text.provenance_rows(report)]
    body = "".join(f'<tr><th scope="row">{text(name)}</th><td>{_inline(value)}</td></tr>' for name, value in rows)
    return (
        f'<p>{report_text.AGAIN}</p>\n<pre class="scroll" tabindex="0">{text(report.provenance.command)}</pre>\n'
        f'<details><summary>Dataset, labels, checkpoint, options and versions</summary><div class="scroll">'
        f'<table class="made"><tbody>{body}</tbody></table></div></details>'
    )


def _lists(report: Report, shown: list[ShownQuery]) -> str:
    if not shown:
        return ""
    key = f"<details><summary>How to read the numbers</summary><p>{KEY}</p></details>"
    draws = f" {DRAWS_CAPTION}" if report.single_shot else ""
    return f"<p>{CAPTION}{draws}</p>\n{key}\n{lists_html(shown)}"


def _seen(report: Report, explained: list[Explained], illustrator: Illustrator) -> str:
    if not explained or (explained[0].parts is None and not len(explained[0].maps)):
        return ""
    captions = []
    if explained[0].parts is not None:
        captions.append(illustrator.parts_caption(explained))
    if len(explained[0].maps):
        captions.append(maps_caption(len(explained[0].maps)))
    text_ = "".join(f"<p>{text(caption)}</p>\n" for caption in captions)
    scores = ""
    if report.parts:
        caption, rows = report_text.parts_line(report.parts), report_text.part_rows(report.parts)
        scores += f"<p>{text(caption)}:</p>\n{table(rows)}"
    if report.stripes:
        caption, rows = report_text.stripes_line(report.stripes), report_text.stripe_rows(report.stripes)
        scores += f"<p>{text(caption)}</p>\n{table(rows)}"
    return f"{text_}{explained_html(explained, illustrator.reference.labels)}\n{scores}"


def _inline(value: str) -> str:
    """The little Markdown of our own captions and options: `code` in back quotes."""
    pieces = text(value).split("`")
    return "".join(f"<code>{piece}</code>" if i % 2 else piece for i, piece in enumerate(pieces))


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")
