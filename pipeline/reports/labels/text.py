"""Text of label reports and label comparisons: Markdown and terminal."""

from __future__ import annotations

from pipeline.datasets.table_fit import LARGEST_SHARES
from pipeline.evaluation.figures import percent
from pipeline.evaluation.label_comparison import LabelComparison
from pipeline.evaluation.label_report import LabelReport, MaskAgreement
from pipeline.io.documents import to_json
from pipeline.reports.markdown import code, pipe_table
from sorn.parts import CLASSES
from sorn.sample import Status

STRIPES_CAPTION = (
    "Stripes are those of matching: the mask is reduced by majority to a quarter of its height and width, and a stripe "
    "is visible where at least tau = {tau:g} of it is foreground (Eq. 11, 12). {hidden} and {visible} are shares of "
    "all stripes, so that they and the agreement add up to 100 %."
)
SHOWN_NAMES = 3  # of images in a line of the terminal


def terminal_lines(report: LabelReport, file: str) -> list[str]:
    """Lines for the terminal when labelling ends. file: of the report."""
    found, exact = report.total, report.total.exact
    lines = [f"labels: {found.images:,} images: {status_text(found.status)}"]
    if found.named:
        first = "; ".join(f"{words(status)}: {names[0]}" for status, names in found.named.items())
        lines.append(f"labels: the first that are not ok: {first}")
    if found.foreground:
        mean, deciles = found.foreground.mean, found.foreground.deciles
        spread = f"80 % of the images between {percent(deciles[1])} and {percent(deciles[9])} %"
        lines.append(f"labels: foreground {percent(mean)} % on average, {spread}")
    if exact:
        lines.append(f"labels: against the ground truth of {exact.images:,} images: {agreement_text(exact)}")
    return [*lines, f"labels: report {file}"]


def doubts(report: LabelReport) -> list[str]:
    """Sentences about labels that are hardly those of people."""
    found = report.total
    if not (found.parts and found.foreground):
        return []
    if not found.foreground.mean:
        return ["No label shows any part of a person."]
    shown = [part for part in CLASSES[1:] if found.parts[part].present]
    said = []
    if len(shown) == 1:
        said.append(f"All labels show one body part alone, {shown[0]}.")
    if not found.parts[CLASSES[0]].present:
        said.append("No label has any background.")
    if not said:
        shares = {part: found.parts[CLASSES[part]].coverage / found.foreground.mean for part in LARGEST_SHARES}
        large = [part for part, share in shares.items() if share > LARGEST_SHARES[part]]
        said += [f"The class {CLASSES[part]} covers {percent(shares[part])} % of the person." for part in large]
    if said:
        said.append("They may be outlines of people, or of another class table.")
    return said


def status_text(status: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {words(name)}" for name, count in status.items() if count)


def words(status: str) -> str:
    return status.replace("_", " ")


def agreement_text(figures: MaskAgreement) -> str:
    """mIoU, pixels and stripes in one line."""
    text = f"mIoU {percent(figures.mean_iou)} %, {percent(figures.pixel_accuracy)} % of the pixels"
    stripes = figures.stripes
    if stripes is None:
        return text
    always = percent(stripes.visible_share)
    return f"{text}, {percent(stripes.agreement)} % of the visible or hidden stripes (always visible: {always} %)"


def markdown(report: LabelReport, picture: str) -> list[str]:
    """Lines of labels.md.

    picture: the contact sheet, relative to it; "" where no image could be shown.
    """
    dataset, labeler = report.dataset, report.labeler
    height, width = report.image_size
    lines = [f"# {dataset.title}: body parts labelled by {labeler.name}", ""]
    if dataset.notice:
        lines += [f"> **Notice.** {dataset.notice}", ""]
    named = [f"- {words(status)}: {_names(names)}" for status, names in report.total.named.items()]
    lines += ["> **Warning.** " + " ".join(doubts(report)), ""] if doubts(report) else []
    lines += ["## How it went", "", *pipe_table(_status_rows(report)), ""]
    lines += ["The first of each kind:", "", *named, ""] if named else []
    lines += _left_out(report)
    lines += _people(report.total.people) + _foreground(report) + _parts(report) + _exact(report)
    if picture:
        lines += ["## Pictures", "", f"![labels]({picture})", "", *_shown(report)]
    lines += ["## Where it comes from", ""]
    made = [
        ["labeler", code(to_json(labeler))],
        ["shards", f"fingerprint `{report.fingerprint}`, {height}x{width} pixels"],
    ]
    return [*lines, *pipe_table([["what", "value"], *made, ["licence", dataset.licence or "not stated"]], "---")]


def _status_rows(report: LabelReport) -> list[list[str]]:
    names = [status.name.lower() for status in Status]
    rows = [["images", "total", *map(words, names)]]
    for split, found in report.rows().items():
        rows.append([split, f"{found.images:,}", *(f"{found.status[name]:,}" for name in names)])
    return rows


def _left_out(report: LabelReport) -> list[str]:
    """Marked images by reason, and marks of images that are not there."""
    lines = []
    if report.left_out:
        counts = ", ".join(f"{images:,} {reason}" for reason, images in report.left_out.items())
        lines += [f"Marked, and left out of the segmentation loss: {counts}. The figures below are without them.", ""]
    if report.marks_gone:
        names = _names(report.marks_gone[:SHOWN_NAMES])
        lines += [
            f"{len(report.marks_gone):,} marks name no labelled image, and change nothing, the first: {names}.",
            "",
        ]
    return lines


def _people(people: dict[str, int] | None) -> list[str]:
    if people is None:
        return []
    counts = ", ".join(f"{number} in {images:,} images" for number, images in people.items())
    return [f"People detected: {counts}.", ""]


def _foreground(report: LabelReport) -> list[str]:
    rows = [["foreground, %", "mean", "lowest", *(f"{tenth}0 %" for tenth in range(1, 10)), "highest"]]
    for split, found in report.rows().items():
        if found.foreground:
            values = [found.foreground.mean, *found.foreground.deciles]
            rows.append([split, *(percent(value) for value in values)])
    if len(rows) == 1:
        return []
    what = "Share of an image's pixels that show the person: the mean, and the share that so many images stay below."
    return ["## Foreground", "", what, "", *pipe_table(rows), ""]


def _parts(report: LabelReport) -> list[str]:
    lines = []
    for key, what in (("present", "images that show it, %"), ("coverage", "mean share of the pixels, %")):
        rows = [[what, *CLASSES]]
        for split, found in report.rows().items():
            if found.parts:
                rows.append([split, *(percent(getattr(found.parts[part], key)) for part in CLASSES)])
        lines += [*pipe_table(rows), ""] if len(rows) > 1 else []
    return ["## Parts", "", *lines] if lines else []


def _exact(report: LabelReport) -> list[str]:
    compared = report.exact
    if not compared.images:
        return []
    figures = {split: found.exact for split, found in report.rows().items() if found.exact}
    which = f"all {compared.images:,} images that have one"
    if compared.images < compared.available:
        which = (
            f"{compared.images:,} images drawn at random (seed {compared.seed}) among {compared.available:,} "
            "that have one"
        )
    lines = ["## Against ground truth", "", f"Compared for {which}, at the size of the shards.", ""]
    lines += agreement_tables(figures, "visible, said hidden", "hidden, said visible")
    stripes = report.total.exact.stripes if report.total.exact else None
    if stripes:
        always = percent(stripes.visible_share)
        lines += [f"{always} % of the stripes are visible: what calling every stripe visible would agree on.", ""]
    return lines


def agreement_tables(figures: dict[str, MaskAgreement], hidden: str, visible: str) -> list[str]:
    """Tables of IoU and of stripes, a row per entry.

    hidden, visible: names of the two kinds of disagreement.
    """
    rows = [["IoU, %", "images", *CLASSES, "mean", "pixels that agree"]]
    for name, found in figures.items():
        iou = [percent(found.iou[part]) for part in CLASSES]
        values = [*iou, percent(found.mean_iou), percent(found.pixel_accuracy)]
        rows.append([name, f"{found.images:,}", *values])
    lines = [*pipe_table(rows), ""]
    first = next(iter(figures.values())).stripes
    if first is None:
        return [*lines, "The images are too low for that many stripes; none are compared.", ""]
    numbers = [f"stripe {p + 1}" for p in range(first.count)]
    rows = [["stripes that agree, %", *numbers, "all", hidden, visible]]
    for name, found in figures.items():
        stripes = found.stripes
        if stripes is None:
            continue
        shares = [*stripes.per_stripe, stripes.agreement, stripes.said_hidden, stripes.said_visible]
        rows.append([name, *map(percent, shares)])
    caption = STRIPES_CAPTION.format(tau=first.tau, hidden=f"'{hidden}'", visible=f"'{visible}'")
    return [*lines, *pipe_table(rows), "", caption, ""]


def comparison_lines(report: LabelComparison, file: str) -> list[str]:
    """What two labelers agree on, for the terminal. file: of the comparison."""
    figures, stripes = report.agreement, report.agreement.stripes
    lines = [f"{key}: {side.name}, {side.images:,} images" for key, side in report.labels.items()]
    for key, only in report.unmatched().items():
        if only.images:
            lines.append(f"only in {key}: {only.images:,} images, first {', '.join(only.named[:SHOWN_NAMES])}")
    iou = ", ".join(f"{part} {percent(value)}" for part, value in figures.iou.items() if value is not None)
    lines.append(f"labelled in both: {figures.images:,} images; mIoU {percent(figures.mean_iou)} % ({iou})")
    lines.append(f"{percent(figures.pixel_accuracy)} % of the pixels have the same class")
    if stripes:
        shares = f"visible in A only {percent(stripes.said_visible)} %, in B only {percent(stripes.said_hidden)} %"
        lines.append(f"{percent(stripes.agreement)} % of the stripes are visible or hidden in both; {shares}")
    for ours, row in report.status.items():
        for theirs, images in row.items():
            if ours != theirs:
                lines.append(f"{images:,} images are {words(ours)} in A and {words(theirs)} in B")
    if report.worst:
        lines.append(f"agree least: {', '.join(found.name for found in report.worst[:SHOWN_NAMES])}")
    return [*lines, f"comparison {file}"]


def comparison(report: LabelComparison, picture: str) -> list[str]:
    """Lines of comparison.md. picture: its file, relative to it."""
    figures, a, b = report.agreement, report.labels["A"], report.labels["B"]
    lines = [f"# Two labelers: {a.name} (A) and {b.name} (B)", ""]
    sizes = ["x".join(map(str, side.image_size)) for side in (a, b)]
    resized = "" if sizes[0] == sizes[1] else f"; the masks of B ({sizes[1]}) are resized to those of A ({sizes[0]})"
    lines += [f"{report.images:,} images are in both{resized}.", ""]
    for key, only in report.unmatched().items():
        if only.images:
            lines += [f"Only in {key}: {only.images:,} images, the first: {_names(only.named)}.", ""]
    tables = agreement_tables({f"{a.name}, {b.name}": figures}, "visible in B only", "visible in A only")
    lines += ["## Agreement", "", f"Of the {figures.images:,} images labelled in both.", "", *tables]
    columns = list(dict.fromkeys(theirs for row in report.status.values() for theirs in row))
    rows = [["status in A / in B", *map(words, columns)]]
    for ours, row in report.status.items():
        rows.append([words(ours), *(f"{row.get(theirs, 0):,}" for theirs in columns)])
    lines += ["## Status", "", *pipe_table(rows), ""]
    rows = [["image", "mIoU, %", "stripes that agree, %"]]
    for found in report.worst:
        rows.append([f"`{found.name}`", percent(found.mean_iou), percent(found.stripe_agreement)])
    lines += ["## Least agreement", "", *pipe_table(rows), ""] if report.worst else []
    lines += ["## Pictures", "", f"![A and B]({picture})", "", "## Where it comes from", ""]
    made = [[key, f"`{side.index}`: {code(to_json(side.labeler))}"] for key, side in report.labels.items()]
    return [*lines, *pipe_table([["labels", "what they are"], *made], "---")]


def _shown(report: LabelReport) -> list[str]:
    """What the contact sheet shows, by name."""
    return [*(f"- {heading}: {_names(names)}" for heading, names in report.shown.items()), ""]


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
