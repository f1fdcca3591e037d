"""View model of report.html: one page that opens from disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.evaluation.figures import HEADLINE, shown_name
from pipeline.evaluation.report import Report
from pipeline.evaluation.scores import Scores, fullest
from pipeline.evaluation.training_curves import TrainingCurves
from pipeline.reports.charts import Chart
from pipeline.reports.evaluation import text as report_text
from pipeline.reports.evaluation.bracket import bracketed
from pipeline.reports.evaluation.illustrations import Illustrator, maps_caption
from pipeline.reports.evaluation.interval_text import IntervalsView, intervals_view
from pipeline.reports.evaluation.label_pictures import ShownLabels
from pipeline.reports.evaluation.list_files import ListIndex
from pipeline.reports.evaluation.network_view import NetworkView, network_view
from pipeline.reports.evaluation.query_table import QueryTable, query_table
from pipeline.reports.evaluation.ranked_lists import RankedLists, ranked_lists
from pipeline.reports.evaluation.shown_queries import ShownQuery
from pipeline.reports.evaluation.training_view import TrainingView, training_view
from pipeline.reports.html import Table
from pipeline.reports.pictures import Explained
from sorn.colour import VARIANTS as COLOURS

CMC_TICKS = (1, 5, 10, 20, 30, 40, 50)

ETHICS = "Biometric technology: a match is a hint, never ground for a decision about a person."
LIMITS = (
    "This page is for research, and for footage whose people agreed or where the law allows it. Errors need not be "
    "spread evenly over people, and nobody has measured here by how much. The page holds copies of images: protect and "
    "delete it like the photographs. More in docs/ethics.md."
)


@dataclass(frozen=True)
class PageSection:
    """One section. template: file in templates/report that shows `view`."""

    title: str
    file: str
    view: object

    @property
    def template(self) -> str:
        return f"report/{self.file}.html.j2"

    @property
    def anchor(self) -> str:
        return self.title.lower().replace(" ", "-")


@dataclass(frozen=True)
class ReportPage:
    """View model of report.html."""

    title: str
    protocol: str
    notice: str
    sections: list[PageSection]
    ethics: str = ETHICS
    limits: str = LIMITS


@dataclass(frozen=True)
class Headline:
    """One of the large figures at the top.

    interval: over persons, "" without one. beside: figures of methods without training.
    """

    value: str
    name: str
    beside: str = ""
    interval: str = ""


@dataclass(frozen=True)
class ResultView:
    """The figures.

    variant: the paper's fullest one, used for the headlines. paper: None if the paper has no figures of what was
    measured here; paper_left_out: why those that it has cannot be compared. intervals: None without any.
    """

    variant: str
    figures: list[Headline]
    variants: Table
    queries: str
    caption: str
    paper: Table | None
    paper_left_out: str
    warnings: Sequence[str]
    intervals: IntervalsView | None
    paper_caption: str = report_text.PAPER_CAPTION
    warnings_caption: str = report_text.WARNINGS_CAPTION


@dataclass(frozen=True)
class CurvesView:
    """CMC curves and the sweep of tau, and the same as tables."""

    charts: list[Chart]
    tables: list[Table]
    caption: str


@dataclass(frozen=True)
class SeenView:
    """Outputs of the network. scores: tables with the line above each."""

    captions: list[str]
    network: NetworkView
    scores: list[tuple[str, Table]]


@dataclass(frozen=True)
class LabelsView:
    """Quality of the labels that the network was trained on.

    shown: None without pictures of them.
    """

    caption: str
    rows: Table
    shown: ShownLabels | None


@dataclass(frozen=True)
class ProvenanceView:
    """Sources of the figures.

    rows: name and value, with `code` in back quotes.
    """

    again: str
    command: str
    rows: list[list[str]]


@dataclass(frozen=True)
class Shown:
    """Queries that a report shows.

    queries: with ranked lists. explained: with outputs of the network. queries_file: queries.csv, relative to the page.
    labels: None without pictures of them. lists: of every query, beside the page; None without them. curves: of the
    training; None without them.
    """

    queries: list[ShownQuery]
    explained: list[Explained]
    illustrator: Illustrator
    queries_file: str
    labels: ShownLabels | None = None
    lists: ListIndex | None = None
    curves: TrainingCurves | None = None


@dataclass(frozen=True)
class PageContents:
    """Contents of report.html."""

    report: Report
    scores: Scores
    shown: Shown


def result(contents: PageContents) -> ResultView:
    """Three headlines, the table of variants beside chance, and the paper's figures."""
    report, variant = contents.report, fullest(contents.scores.variants)
    values = report.metrics[variant]
    draws = ", on average over the draws" if report.single_shot else ""
    wrong = round((1 - values["rank-1"]) * values.queries)
    headlines = [
        Headline(f"{100 * values[name]:.1f} %", name, _beside(report, name), bracketed(report, variant, name))
        for name in ("rank-1", "mAP")
    ]
    first = f"queries whose first answer is another person{draws}"
    headlines.append(Headline(f"{wrong:,} of {values.queries:,}", first))
    paper = report_text.paper_rows(report)
    return ResultView(
        variant,
        headlines,
        Table(report_text.table_rows(report), label="figures per variant"),
        report_text.queries_line(report),
        report_text.variants_caption(report),
        Table(paper, label="figures of the paper") if paper else None,
        report_text.paper_left_out(report),
        [str(warning) for warning in report.warnings],
        intervals_view(report),
    )


def _beside(report: Report, figure: str) -> str:
    """Figures of the best variant where it is another, and of chance and colours, without training."""
    beside = [f"{report.best}, the best here, {100 * report.metrics[report.best][figure]:.1f} %"]
    beside = [] if report.best == report.fullest else beside
    beside.append(f"chance {100 * report.chance[figure]:.2f} %")
    if colour := report.metrics.get(COLOURS[0]):
        beside.append(f"colours {100 * colour[figure]:.1f} %")
    return ", ".join(beside)


def lists(contents: PageContents) -> RankedLists | None:
    """Ranked lists; None if no query has a match."""
    shown = contents.shown
    return ranked_lists(shown.queries, contents.report.single_shot, bool(shown.lists)) if shown.queries else None


def queries(contents: PageContents) -> QueryTable:
    return query_table(contents.scores, contents.shown.queries_file, contents.shown.lists)


def curves(contents: PageContents) -> CurvesView:
    report = contents.report
    lines = {shown_name(name): curve for name, curve in report.cmc.items()}
    ranks = range(1, len(lines["chance"]) + 1)
    rows = [["rank", *lines], *([str(k), *(f"{100 * lines[n][k - 1]:.1f}" for n in lines)] for k in CMC_TICKS)]
    charts = [Chart("CMC: queries with a match among the first k", "rank", ranks, lines, CMC_TICKS)]
    tables = [Table(rows, label="CMC, %")]
    sweep = report.tau_sweep
    if sweep:
        tables.append(Table(report_text.sweep_rows(report), label="tau, %"))
    if len(sweep) > 1:
        charts.append(_sweep_chart(report))
    return CurvesView(charts, tables, report_text.SWEEP_CAPTION if sweep else "")


def _sweep_chart(report: Report) -> Chart:
    sweep, used = report.tau_sweep, report.provenance.config.tau
    taus = [point.tau for point in sweep]
    lines = {figure.title: [point[figure.key] for point in sweep] for figure in HEADLINE}
    marked = used if taus[0] <= used <= taus[-1] else None
    return Chart("Threshold tau of Eq. 12, by sorn", "tau", taus, lines, taus, marked, dots=True)


def seen(contents: PageContents) -> SeenView | None:
    """Outputs of the network; None without body parts and aggregation maps."""
    report, explained, illustrator = contents.report, contents.shown.explained, contents.shown.illustrator
    if not explained or (explained[0].parts is None and not len(explained[0].maps)):
        return None
    captions, scores = [], []
    if explained[0].parts is not None:
        captions.append(illustrator.parts_caption(explained))
    if len(explained[0].maps):
        captions.append(maps_caption(len(explained[0].maps)))
    if report.parts:
        scores.append((f"{report_text.parts_line(report.parts)}:", Table(report_text.part_rows(report.parts))))
    if report.stripes:
        scores.append((report_text.stripes_line(report.stripes), Table(report_text.stripe_rows(report.stripes))))
    return SeenView(captions, network_view(explained, illustrator.reference.labels), scores)


def training(contents: PageContents) -> TrainingView | None:
    return training_view(contents.report, contents.shown.curves)


def labels(contents: PageContents) -> LabelsView | None:
    """Quality of the training labels; None if they are unknown."""
    if contents.report.labels is None:
        return None
    rows = report_text.label_rows(contents.report.labels)
    return LabelsView(report_text.LABELS_CAPTION, Table(rows, numbers_from=len(rows[0])), contents.shown.labels)


def provenance(contents: PageContents) -> ProvenanceView:
    report = contents.report
    return ProvenanceView(report_text.AGAIN, report.provenance.command, report_text.provenance_rows(report))
