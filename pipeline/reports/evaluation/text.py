"""The report as text: report.json, report.md and the table on the terminal, all from one dictionary. Writes files."""

from __future__ import annotations

from typing import Any

from pipeline.evaluation.oracle_stripes import VARIANT as EXACT_STRIPES
from pipeline.io.files import write_json, write_text
from pipeline.reports.evaluation.illustrations import Picture
from pipeline.reports.labels.text import percent, status_text
from pipeline.reports.markdown import code, pipe_table
from pipeline.runs.layout import Paths
from sorn.colour import VARIANTS as COLOURS

FIGURES = ("rank-1", "rank-5", "rank-10", "mAP", "mINP")
SINGLE_SHOT_FIGURES = ("rank-1", "rank-3", "rank-5", "rank-10", "mAP")

VARIANTS_CAPTION = (
    "`global` compares the global feature alone, `global+local` adds every stripe, and `sorn` adds the stripes that "
    "are visible in both images. `chance` is the exact expectation for a gallery in random order."
)
RERANK_CAPTION = " `+rerank` orders its answers again by their k-reciprocal neighbours."
COLOUR_CAPTION = (
    " `colour` compares colour histograms of horizontal stripes and needs no training: a network that does not beat it "
    "has learnt less than the colours of clothes."
)
VISIBLE_COLOUR_CAPTION = (
    " `colour, visible stripes` leaves out the stripes that `sorn` leaves out, by the same scores: its colours need no "
    "training, that choice does."
)
EXACT_CAPTION = (
    " `sorn, exact masks` is `sorn` with the stripes that the exact masks show: what perfect labels would be worth."
)
RANKED_CAPTION = (
    "Queries are drawn at random among those that have a match, not chosen. Blue: the query. Green border and filled "
    "label: the same person; red border: another one. Gallery images of the query's own person and camera are left "
    "out, as in the figures. The label gives rank and similarity. Boxes beside an image are its horizontal stripes: "
    "filled where visible, hollow where hidden."
)
PAPER_CAPTION = "What the paper reports on this dataset:"
WARNINGS_CAPTION = "What deviates from the dataset as published:"
SWEEP_CAPTION = (
    "`sorn` with other thresholds of Eq. 12, from the same features. At 0 every stripe counts, as in `global+local`. "
    "The threshold in use was set before; choose one with eval.split=val, not here."
)
STRIPES_CAPTION = "Stripes at tau {tau:g}, beside those that the exact masks show:"
LABELS_CAPTION = "The part labels that the network was trained on:"
AGAIN = "Made again, with the CONFIG and options of the training, by:"


def write_report(paths: Paths, report: dict[str, Any], pictures: list[Picture]) -> None:
    """report: JSON values; figures are fractions in [0, 1]."""
    write_json(paths.report_json, report)
    folder = paths.pictures.relative_to(paths.report_md.parent).as_posix()
    write_text(paths.report_md, "\n".join(markdown(report, pictures, folder)) + "\n")


def table_rows(report: dict[str, Any]) -> list[list[str]]:
    """Header, one row per variant, and chance; figures in percent, with the deviation over the draws if any."""
    figures = SINGLE_SHOT_FIGURES if report["single_shot"] else FIGURES
    rows = [["%", *figures]]
    for variant, values in report["metrics"].items():
        rows.append([variant, *(_percent(values, name) for name in figures)])
    rows.append(["chance", *(f"{100 * report['chance'][name]:.2f}" for name in figures)])
    return rows


def _percent(values: dict[str, float], name: str) -> str:
    deviation = f" ± {100 * values[name + '-sd']:.1f}" if f"{name}-sd" in values else ""
    return f"{100 * values[name]:.1f}{deviation}"


def terminal_lines(report: dict[str, Any]) -> list[str]:
    """The table with its first column to the left and figures to the right, and what it stands for."""
    rows = table_rows(report)
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for first, *figures in rows:
        cells = [cell.rjust(width) for cell, width in zip(figures, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]))
    return [*lines, f"{queries_line(report)}.", f"{report['protocol']}."]


def variants_caption(report: dict[str, Any]) -> str:
    """What the rows of the table stand for."""
    shown, (every, visible) = report["metrics"], COLOURS
    reranked = any(variant.endswith("+rerank") for variant in shown)
    return (
        VARIANTS_CAPTION
        + (RERANK_CAPTION if reranked else "")
        + (COLOUR_CAPTION if every in shown else "")
        + (VISIBLE_COLOUR_CAPTION if visible in shown else "")
        + (EXACT_CAPTION if EXACT_STRIPES in shown else "")
    )


def queries_line(report: dict[str, Any]) -> str:
    """How many queries the figures stand for."""
    values = next(iter(report["metrics"].values()))
    used, skipped = values["queries"], values["skipped_queries"]
    skip = f", {skipped} skipped because nothing in the gallery matches them" if skipped else ", none skipped"
    return f"{used} queries used{skip}; one query is {100 / used:.3g} points"


def title(report: dict[str, Any]) -> str:
    return f"{report['dataset']['title']}: matching occluded people with SORN"


def markdown(report: dict[str, Any], pictures: list[Picture], folder: str) -> list[str]:
    """Lines of report.md. folder: where the pictures lie, relative to it."""
    dataset = report["dataset"]
    lines = [f"# {title(report)}", ""]
    if dataset["notice"]:
        lines += [f"> **Notice.** {dataset['notice']}", ""]
    lines += ["## Result", "", *pipe_table(table_rows(report)), ""]
    lines += [f"{queries_line(report)}. {report['protocol']}.", "", variants_caption(report), ""]
    lines += _warnings(dataset) + _paper(report) + _sweep(report)
    lines += _parts(report) + _stripes(report) + _labels(report)
    section = ""
    for picture in pictures:
        if picture.section != section:
            section = picture.section
            lines += [f"## {section}", ""] + ([RANKED_CAPTION, ""] if section == "Ranked lists" else [])
        lines += [f"![{picture.section}]({folder}/{picture.file})", "", picture.caption, ""]
    return lines + _provenance(report)


def _warnings(dataset: dict[str, Any]) -> list[str]:
    if not dataset["warnings"]:
        return []
    return [WARNINGS_CAPTION, "", *(f"- {text}" for text in dataset["warnings"]), ""]


def _paper(report: dict[str, Any]) -> list[str]:
    rows = paper_rows(report)
    return [PAPER_CAPTION, "", *pipe_table(rows), ""] if rows else []


def paper_rows(report: dict[str, Any]) -> list[list[str]]:
    """What the paper reports under this protocol, in percent; none where it reports nothing."""
    published: list[dict[str, Any]] = report["paper"]
    if not published:
        return []
    figures = [name for name in SINGLE_SHOT_FIGURES if any(name in row for row in published)]
    rows = [["the paper, %", *figures]]
    for row in published:
        source = f"{row['source']}, trained on {row['trained_on']}" if "trained_on" in row else row["source"]
        rows.append([f"{row['method']} ({source})", *(str(row.get(name, "")) for name in figures)])
    return rows


def _sweep(report: dict[str, Any]) -> list[str]:
    rows = sweep_rows(report)
    return [SWEEP_CAPTION, "", *pipe_table(rows), ""] if rows else []


def sweep_rows(report: dict[str, Any]) -> list[list[str]]:
    """What each threshold reaches, in percent; none where there was no sweep."""
    if not report["tau_sweep"]:
        return []
    rows = [["tau", "rank-1", "mAP"]]
    return rows + [
        [f"{row['tau']:g}", *(f"{100 * row[name]:.1f}" for name in rows[0][1:])] for row in report["tau_sweep"]
    ]


def _parts(report: dict[str, Any]) -> list[str]:
    rows = part_rows(report["parts"])
    return [f"{parts_line(report['parts'])}:", "", *pipe_table(rows), ""] if rows else []


def part_rows(parts: dict[str, Any] | None) -> list[list[str]]:
    """IoU per class, in percent; none where no query has a reference."""
    if parts is None:
        return []
    return [
        ["IoU, %", *parts["iou"], "mean"],
        ["predicted", *map(percent, parts["iou"].values()), percent(parts["mIoU"])],
    ]


def parts_line(parts: dict[str, Any]) -> str:
    """What predicted parts are held against, and how many pixels agree."""
    against = " and ".join(
        f"{kind} of {images} {'query' if images == 1 else 'queries'}" for kind, images in parts["against"].items()
    )
    return f"Part masks against {against}; {percent(parts['pixel_accuracy'])} % of the pixels agree"


def _stripes(report: dict[str, Any]) -> list[str]:
    rows = stripe_rows(report["stripes"])
    return [stripes_line(report["stripes"]), "", *pipe_table(rows), ""] if rows else []


def stripe_rows(stripes: dict[str, Any] | None) -> list[list[str]]:
    """Which stripes were called visible, in percent; none without exact masks. stripes: as in report.json."""
    if stripes is None:
        return []
    rows = [["stripes, %", "visible", "of these, called visible", "of the hidden, called hidden", "all that agree"]]
    for side, found in stripes.items():
        visible, hidden = found["visible_share"], 1 - found["visible_share"]
        right = (
            percent((visible - found["said_hidden"]) / visible) if visible else "",
            percent((hidden - found["said_visible"]) / hidden) if hidden else "",
        )
        rows.append([side, percent(visible), *right, percent(found["agreement"])])
    return rows


def stripes_line(stripes: dict[str, Any]) -> str:
    return STRIPES_CAPTION.format(tau=stripes["query"]["tau"])


def _labels(report: dict[str, Any]) -> list[str]:
    rows = label_rows(report["labels"])
    return [LABELS_CAPTION, "", *pipe_table(rows, "---"), ""] if rows else []


def label_rows(labels: dict[str, Any] | None) -> list[list[str]]:
    """How good the labels are, as far as it is known; none where they are of another run. labels: as in report.json."""
    if labels is None:
        return []
    rows = [
        ["labels", f"by {labels['labeler']['name']}"],
        ["images", f"{labels['images']:,}: {status_text(labels['status'])}"],
    ]
    if labels["foreground"]:
        rows.append(["foreground, on average", f"{percent(labels['foreground']['mean'])} %"])
    exact = labels["exact"]
    if exact:
        against = f"against the exact masks of {exact['images']:,} images"
        rows.append([f"mIoU, {against}", f"{percent(exact['mIoU'])} %"])
        rows.append(["pixels that agree", f"{percent(exact['pixel_accuracy'])} %"])
        stripes = exact["stripes"]
        if stripes:
            always = f"(calling every stripe visible: {percent(stripes['visible_share'])} %)"
            rows.append([f"stripes that agree, tau {stripes['tau']:g}", f"{percent(stripes['agreement'])} % {always}"])
    return rows


def _provenance(report: dict[str, Any]) -> list[str]:
    again = [AGAIN, "", f"    {report['provenance']['command']}", ""]
    return ["## Where it comes from", "", *again, *pipe_table([["what", "value"], *provenance_rows(report)], "---")]


def provenance_rows(report: dict[str, Any]) -> list[list[str]]:
    """What the figures were made from: name, value; a value is text with `code` in back quotes."""
    dataset, made = report["dataset"], report["provenance"]
    images = f"{dataset['query_images']} query and {dataset['gallery_images']} gallery images"
    return [
        ["dataset", f"{dataset['name']}: {images}"],
        ["cameras", dataset["camera_policy"] or "as the dataset numbers them"],
        ["licence", dataset["licence"] or "not stated"],
        ["labeler", code(made["labeler"])],
        *([["pose finder", code(made["pose"])]] if made["pose"] else []),
        *([["segmenter", code(made["segmenter"])]] if made["segmenter"] else []),
        ["trained on", made["trained_on"]],
        ["checkpoint", f"sha256 `{made['checkpoint_sha256']}`"],
        ["network", code(made["training"]["model"])],
        ["precision", f"{made['training']['precision']} in training, {made['features']['precision']} for the features"],
        ["options", code(made["config"])],
        *([f"stage {name}", f"fingerprint `{value}`"] for name, value in made["stamps"].items()),
        ["trained with", ", ".join(f"{name} {value}" for name, value in made["versions"].items())],
    ]
