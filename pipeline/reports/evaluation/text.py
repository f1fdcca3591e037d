"""Text of an evaluation's report: table rows, Markdown, terminal lines."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.evaluation import figures
from pipeline.evaluation.figures import chance_percent, percent, shown_name
from pipeline.evaluation.oracle_stripes import VARIANT as EXACT_STRIPES
from pipeline.evaluation.report import (
    BothStripes,
    PartScores,
    Report,
    TrainingLabels,
)
from pipeline.features.int8.record import record_text
from pipeline.io.documents import to_json
from pipeline.reports.evaluation.illustrations import Picture
from pipeline.reports.labels.text import status_text
from pipeline.reports.markdown import code, pipe_table
from sorn.colour import VARIANTS as COLOURS
from sorn.config import OF_PARTS

VARIANTS_CAPTION = (
    "`global` compares the global feature alone, `global+local` adds every stripe, and `sorn` adds the stripes that "
    "are visible in both images. `chance` is the exact expectation for a gallery in random order."
)
PARTS_CAPTION = (
    " `parts` compares groups of body parts in place of the stripes, wherever the images show them, and `sorn+parts` "
    "both; they are not in the paper."
)
BEST_CAPTION = " Here `{best}` has the highest mAP; choose a variant with eval.split=val, not here."
RERANK_CAPTION = (
    " `+rerank` orders its answers again by their k-reciprocal neighbours, among them the other queries: its answers "
    "depend on all queries together."
)
COLOUR_CAPTION = (
    " `colour` compares colour histograms of horizontal stripes and needs no training: a network that does not beat it "
    "has learnt less than the colours of clothes."
)
VISIBLE_COLOUR_CAPTION = (
    " `colour, visible stripes` leaves out the stripes that `sorn` leaves out, by the same scores: its colours need no "
    "training, that choice does."
)
EXACT_CAPTION = (
    " `sorn, ground truth` is `sorn` with the stripes that are visible in the ground truth: what perfect labels would "
    "be worth."
)
RANKED_CAPTION = (
    "Queries are drawn at random among those that have a match, not chosen. Blue: the query. Green border and filled "
    "label: the same person; red border: another one. Gallery images of the query's own person and camera are left "
    "out, as in the figures. The label gives rank and similarity. Boxes beside an image are its horizontal stripes: "
    "filled where visible, hollow where hidden."
)
PAPER_CAPTION = "What the paper reports on this dataset:"
PAPER_LEFT_OUT = "The paper's figures on this dataset are not shown: {why}."
WARNINGS_CAPTION = "Warnings about these figures:"
SWEEP_CAPTION = (
    "`sorn` with other thresholds of Eq. 12, from the same features. At 0 every stripe counts, as in `global+local`. "
    "The threshold in use was set before; choose one with eval.split=val, not here."
)
STRIPES_CAPTION = "Stripes at tau {tau:g}, beside those that are visible in the ground truth:"
LABELS_CAPTION = "The part labels that the network was trained on:"
AGAIN = "Made again by this command, as long as the run is where it was:"


@dataclass(frozen=True)
class MarkdownContents:
    """Contents of report.md. folder: place of the pictures, relative to it."""

    report: Report
    pictures: tuple[Picture, ...]
    folder: str


def table_rows(report: Report) -> list[list[str]]:
    """Header, one row per variant, and chance.

    Figures are in percent, with the deviation over the draws if there are several.
    """
    shown = figures.shown(report.single_shot)
    rows = [["%", *(figure.title for figure in shown)]]
    for variant, found in report.metrics.items():
        rows.append([shown_name(variant), *(percent(found[f.key], found.deviation(f.key)) for f in shown)])
    rows.append(["chance", *(chance_percent(report.chance.get(figure.key)) for figure in shown)])
    return rows


def terminal_lines(report: Report) -> list[str]:
    """Lines for the terminal: the table of figures, queries and protocol."""
    rows = table_rows(report)
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for first, *values in rows:
        cells = [cell.rjust(width) for cell, width in zip(values, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]))
    return [*lines, f"{queries_line(report)}.", f"{report.protocol}."]


def warning_lines(report: Report) -> list[str]:
    """Lines for the terminal: every warning."""
    return [f"warning: {warning}" for warning in report.warnings]


def variants_caption(report: Report) -> str:
    """What the rows of the table stand for."""
    shown, (every, visible) = report.metrics, COLOURS
    reranked = any(variant.endswith("+rerank") for variant in shown)
    return (
        VARIANTS_CAPTION
        + (PARTS_CAPTION if set(OF_PARTS) & shown.keys() else "")
        + (BEST_CAPTION.format(best=report.best) if report.best != report.fullest else "")
        + (RERANK_CAPTION if reranked else "")
        + (COLOUR_CAPTION if every in shown else "")
        + (VISIBLE_COLOUR_CAPTION if visible in shown else "")
        + (EXACT_CAPTION if EXACT_STRIPES in shown else "")
    )


def queries_line(report: Report) -> str:
    """How many queries the figures stand for."""
    found = next(iter(report.metrics.values()))
    used, skipped = found.queries, found.skipped_queries
    skip = f", {skipped} skipped because nothing in the gallery matches them" if skipped else ", none skipped"
    return f"{used} queries used{skip}; one query is {100 / used:.3g} points"


def title(report: Report) -> str:
    return f"{report.dataset.title}: matching occluded people with SORN"


def result_lines(contents: MarkdownContents) -> list[str]:
    report = contents.report
    lines = [*pipe_table(table_rows(report)), ""]
    lines += [f"{queries_line(report)}. {report.protocol}.", "", variants_caption(report), ""]
    return lines + _warnings(report) + _paper(report)


def picture_lines(contents: MarkdownContents) -> list[str]:
    """The pictures, each kind under a heading of its own."""
    lines, section = [], ""
    for picture in contents.pictures:
        if picture.section != section:
            section = picture.section
            lines += [f"## {section}", ""] + ([RANKED_CAPTION, ""] if section == "Ranked lists" else [])
        lines += [f"![{picture.section}]({contents.folder}/{picture.file})", "", picture.caption, ""]
    return lines


def _warnings(report: Report) -> list[str]:
    return [WARNINGS_CAPTION, "", *(f"- {warning}" for warning in report.warnings), ""] if report.warnings else []


def _paper(report: Report) -> list[str]:
    rows, left_out = paper_rows(report), paper_left_out(report)
    return [PAPER_CAPTION, "", *pipe_table(rows), ""] if rows else [left_out, ""] if left_out else []


def paper_left_out(report: Report) -> str:
    """Reason for leaving out the paper's figures; "" without one."""
    return PAPER_LEFT_OUT.format(why=report.paper_left_out) if report.paper_left_out else ""


def paper_rows(report: Report) -> list[list[str]]:
    """Figures of the paper under this protocol, in percent."""
    shown = [figure for figure in figures.FIGURES if any(figure.key in row for row in report.paper)]
    rows = [["the paper, %", *(figure.title for figure in shown)]]
    for row in report.paper:
        source = f"{row['source']}, trained on {row['trained_on']}" if "trained_on" in row else row["source"]
        rows.append([f"{row['method']} ({source})", *(str(row.get(figure.key, "")) for figure in shown)])
    return rows if report.paper else []


def sweep_lines(contents: MarkdownContents) -> list[str]:
    rows = sweep_rows(contents.report)
    return [SWEEP_CAPTION, "", *pipe_table(rows), ""] if rows else []


def sweep_rows(report: Report) -> list[list[str]]:
    """What each threshold reaches, in percent; none where there was no sweep."""
    if not report.tau_sweep:
        return []
    rows = [["tau", *(figure.title for figure in figures.HEADLINE)]]
    return rows + [
        [f"{point.tau:g}", *(percent(point[figure.key]) for figure in figures.HEADLINE)] for point in report.tau_sweep
    ]


def network_lines(contents: MarkdownContents) -> list[str]:
    """Body parts and stripes of the network against ground truth."""
    return _parts(contents.report) + _stripes(contents.report)


def _parts(report: Report) -> list[str]:
    if report.parts is None:
        return []
    return [f"{parts_line(report.parts)}:", "", *pipe_table(part_rows(report.parts)), ""]


def part_rows(parts: PartScores) -> list[list[str]]:
    """IoU per class, in percent."""
    return [
        ["IoU, %", *parts.iou, "mean"],
        ["predicted", *map(percent, parts.iou.values()), percent(parts.mean_iou)],
    ]


def parts_line(parts: PartScores) -> str:
    """What predicted parts are held against, and how many pixels agree."""
    against = " and ".join(
        f"{shown_name(kind)} of {images} {'query' if images == 1 else 'queries'}"
        for kind, images in parts.against.items()
    )
    return f"Part masks against {against}; {percent(parts.pixel_accuracy)} % of the pixels agree"


def _stripes(report: Report) -> list[str]:
    if report.stripes is None:
        return []
    return [stripes_line(report.stripes), "", *pipe_table(stripe_rows(report.stripes)), ""]


def stripe_rows(stripes: BothStripes) -> list[list[str]]:
    """Which stripes were called visible, in percent."""
    rows = [["stripes, %", "visible", "of these, called visible", "of the hidden, called hidden", "all that agree"]]
    for side, found in stripes.sides().items():
        agreement = found.agreement
        visible, hidden = agreement.visible_share, 1 - agreement.visible_share
        right = (
            percent((visible - agreement.said_hidden) / visible if visible else None),
            percent((hidden - agreement.said_visible) / hidden if hidden else None),
        )
        rows.append([side, percent(visible), *right, percent(agreement.agreement)])
    return rows


def stripes_line(stripes: BothStripes) -> str:
    return STRIPES_CAPTION.format(tau=stripes.query.agreement.tau)


def label_lines(contents: MarkdownContents) -> list[str]:
    labels = contents.report.labels
    return [LABELS_CAPTION, "", *pipe_table(label_rows(labels), "---"), ""] if labels else []


def label_rows(labels: TrainingLabels) -> list[list[str]]:
    """How good the labels are, as far as it is known."""
    found = labels.statistics
    rows = [
        ["labels", f"by {labels.labeler.name}"],
        ["images", f"{found.images:,}: {status_text(found.status)}"],
    ]
    if found.foreground:
        rows.append(["foreground, on average", f"{percent(found.foreground.mean)} %"])
    exact = found.exact
    if exact:
        against = f"against the ground truth of {exact.images:,} images"
        rows.append([f"mIoU, {against}", f"{percent(exact.mean_iou)} %"])
        rows.append(["pixels that agree", f"{percent(exact.pixel_accuracy)} %"])
        stripes = exact.stripes
        if stripes:
            always = f"(calling every stripe visible: {percent(stripes.visible_share)} %)"
            rows.append([f"stripes that agree, tau {stripes.tau:g}", f"{percent(stripes.agreement)} % {always}"])
    return rows


def provenance_lines(contents: MarkdownContents) -> list[str]:
    again = [AGAIN, "", f"    {contents.report.provenance.command}", ""]
    return [*again, *pipe_table([["what", "value"], *provenance_rows(contents.report)], "---")]


def provenance_rows(report: Report) -> list[list[str]]:
    """Origin of the figures: name, value.

    A value is text with `code` in back quotes.
    """
    dataset, made = report.dataset, report.provenance
    images = f"{dataset.query_images} query and {dataset.gallery_images} gallery images"
    precisions = made.training.get("precision", "unknown"), made.features.get("precision", "unknown")
    return [
        ["dataset", f"{dataset.name}: {images}"],
        ["cameras", dataset.camera_policy or "as the dataset numbers them"],
        ["licence", dataset.licence or "not stated"],
        ["labeler", code(to_json(made.labeler))],
        *([["pose finder", code(to_json(made.pose))]] if made.pose else []),
        *([["segmenter", code(made.segmenter)]] if made.segmenter else []),
        ["trained on", made.trained_on],
        ["checkpoint", f"sha256 `{made.checkpoint_sha256}`"],
        ["network", code(made.network)],
        ["precision", f"{precisions[0]} in training, {precisions[1]} for the features"],
        *([["int8", record_text(made.int8)]] if made.int8 else []),
        ["options", code(to_json(made.config))],
        *([f"stage {name}", f"fingerprint `{value}`"] for name, value in made.stamps.items()),
        ["trained with", ", ".join(f"{name} {value}" for name, value in made.versions.items())],
    ]
