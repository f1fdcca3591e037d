"""Text on the certainty of similarities: captions, table rows and Markdown."""

from __future__ import annotations

from pipeline.evaluation.certainty import MAIN, Certainty, MeasuredRate, ThresholdFigures
from pipeline.evaluation.figures import percent
from pipeline.reports.evaluation.text import MarkdownContents
from pipeline.reports.markdown import pipe_table

CAPTION = (
    "From which similarity on is it the same person? {same} pairs of the same person and {different} pairs of "
    "different people, by `{variant}`; pairs of the query's own person and camera are left out. The false-match rate "
    "(FMR) is the share of pairs of different people that reach a threshold, the false-non-match rate (FNMR) the "
    "share of pairs of the same person that do not. Both are equal, {equal}, at {threshold}. In brackets: 95 % "
    "intervals over persons."
)
THRESHOLDS_CAPTION = (
    "Thresholds for a rate of wrong pairs, and the rates that they have here. Where they were chosen on the same "
    "pairs, they fit these better than others."
)
ITSELF = "here, on the same pairs"
BY_COMMON = "by number in common"
COMMON_CAPTION = (
    "A similarity of few stripes spreads wider. By the number of stripes and part groups that both images show: "
    "deciles of the similarities, and the threshold for an FMR of {rate} % with the rates that it has here."
)
OPEN_CAPTION = (
    "Search where the person may be absent: TPIR is the share of queries whose match is the first answer and reaches "
    "the threshold, FPIR the share that gets any answer when the person is taken out of the gallery. FPIR grows with "
    "the gallery: in one of another size, measure it again."
)
NOWHERE = (
    "How sure: {why}, so no rates of errors are known. They need two persons or more, and a query and a gallery image "
    "of one person under two cameras."
)


def caption(found: Certainty) -> str:
    return CAPTION.format(
        same=f"{found.same:,}",
        different=f"{found.different:,}",
        variant=found.variant,
        equal=with_interval(found.equal_error),
        threshold=f"{found.equal_threshold:.3f}",
    )


def verdict(found: Certainty) -> list[str]:
    """Sentences on thresholds that were chosen on other pairs."""
    return [_verdict(row) for row in found.main()]


def _verdict(row: ThresholdFigures) -> str:
    rate, many = row.false_match, " by number in common" if row.threshold is None else ""
    said = f"Threshold chosen on {row.chosen_on} at {percent(MAIN)} %{many}: the rate here is {with_interval(rate)}"
    if rate.value is None or rate.low is None or rate.high is None or rate.holds(MAIN):
        return f"{said}."
    told = "more wrong pairs than asked for" if rate.low > MAIN else "fewer wrong pairs than asked for, and more misses"
    return f"{said}, {rate.value / MAIN:.2g} times as high: {told}; choose a threshold on these cameras."


def with_interval(rate: MeasuredRate) -> str:
    """A rate in percent with its interval; "–" without a pair."""
    if rate.value is None:
        return "–"
    value = f"{100 * rate.value:.2f} %"
    return value if rate.low is None or rate.high is None else f"{value} [{_short(rate.low)}, {_short(rate.high)}]"


def _short(value: float) -> str:
    return f"{100 * value:.2f}"


def threshold_rows(found: Certainty) -> list[list[str]]:
    """Rows: rate, where it was chosen, threshold, rates here."""
    rows = [["FMR asked for", "chosen on", "threshold", "FMR here", "FNMR here"]]
    for row in found.thresholds:
        where = row.chosen_on if found.elsewhere(row) else ITSELF
        limit = BY_COMMON if row.threshold is None else f"{row.threshold:.3f}"
        rates = (with_interval(row.false_match), with_interval(row.false_non_match))
        rows.append([f"{100 * row.rate:g} %", where, limit, *rates])
    return rows


def common_rows(found: Certainty) -> list[list[str]]:
    """Rows: number of stripes in common, pairs, deciles, rates.

    Empty where all pairs are compared alike.
    """
    kinds = [row for row in found.by_common if row.same or row.different]
    if len(kinds) < 2:
        return []
    rows = [["in common", "same", "10, 50, 90 %", "different", "50, 90, 99 %", "EER", "threshold", "FMR", "FNMR"]]
    for row in kinds:
        similarities = [", ".join(f"{value:.2f}" for value in q) for q in (row.same_quantiles, row.different_quantiles)]
        equal = "–" if row.equal_error is None else f"{percent(row.equal_error)} %"
        limit = "–" if row.threshold is None else f"{row.threshold:.3f}"
        rates = (with_interval(row.false_match), with_interval(row.false_non_match))
        pairs = (f"{row.same:,}", similarities[0] or "–", f"{row.different:,}", similarities[1] or "–")
        rows.append([str(row.common), *pairs, equal, limit, *rates])
    return rows


def open_rows(found: Certainty) -> list[list[str]]:
    """Rows: FPIR, threshold, TPIR. Empty where the queries are too few."""
    rows = [["FPIR", "threshold", "FPIR here", "TPIR here"]]
    for row in found.open_set:
        rates = (with_interval(row.false_positive), with_interval(row.true_positive))
        rows.append([f"{100 * row.rate:g} %", f"{row.threshold:.3f}", *rates])
    return rows if found.open_set else []


def common_caption() -> str:
    return COMMON_CAPTION.format(rate=percent(MAIN))


def lines(contents: MarkdownContents) -> list[str]:
    """Section of report.md."""
    report = contents.report
    if report.certainty is None:
        return [NOWHERE.format(why=report.certainty_left_out), ""] if report.certainty_left_out else []
    found = report.certainty
    told = [caption(found), ""]
    for sentence in verdict(found):
        told += [sentence, ""]
    for text, rows in tables(found):
        told += [text, "", *pipe_table(rows), ""]
    return told


def tables(found: Certainty) -> list[tuple[str, list[list[str]]]]:
    """Every table with the line above it."""
    shown = [
        (THRESHOLDS_CAPTION, threshold_rows(found)),
        (common_caption(), common_rows(found)),
        (OPEN_CAPTION, open_rows(found)),
    ]
    return [(text, rows) for text, rows in shown if len(rows) > 1]
