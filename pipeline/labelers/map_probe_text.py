"""Text of a probe, with the command that imports the files."""

from __future__ import annotations

import math
import textwrap
from collections import Counter

from pipeline.labelers.map_probe import SAMPLE, MapProbe, NameForm
from pipeline.labelers.seen_map import COLOURS, IDS, OUTLINES, SCORES
from pipeline.runs.command import RunCommand

WIDTH, INDENT = 120, 9
SHOWN_IDS, SHOWN_FILES = 12, 3
NO_DATASET = "NAME"

WORDS = {
    IDS: "class ids",
    SCORES: "layers of scores",
    OUTLINES: "outlines of people, no class ids",
    COLOURS: "colours: a picture for people, no class ids",
}


def importable(probe: MapProbe) -> bool:
    """Whether the likeliest files can be imported."""
    return probe.forms[0].kind in (IDS, SCORES)


def lines(probe: MapProbe, data_root: str) -> list[str]:
    """Lines for the terminal. data_root: as typed, for the command."""
    best, *others = probe.forms
    said = [("folder", _folder(probe)), ("names", _names(probe, best)), ("files", _files(best))]
    said += [("", f"also there: {_names(probe, form)}: {WORDS.get(form.kind, 'unusable')}") for form in others]
    if best.kind == IDS:
        said += [("size", _size(probe, best)), ("ids", _ids(probe)), *_tables(probe)]
    said += [("note", text) for text in _notes(probe, best)]
    text = [line for label, value in said if value for line in _wrapped(label, value)]
    if not importable(probe):
        return [*text, "", f"cannot be imported: {WORDS.get(best.kind, 'none of the files can be used')}"]
    return [*text, "", *_advice(probe), _command(probe, data_root)]


def _folder(probe: MapProbe) -> str:
    files = ", ".join(f"{number:,} {end}" for end, number in sorted(probe.files.items(), key=lambda one: -one[1]))
    return f"{probe.folder}: {files}; at most {SAMPLE} of each form of names are looked at, at equal distances"


def _names(probe: MapProbe, form: NameForm) -> str:
    found = f"{form.pattern}: {form.files:,}"
    example = f"such as {form.sample[0].path.relative_to(probe.folder).as_posix()}"
    return f"{found} of {probe.images:,} images have one, {example}" if probe.images else f"{found} files, {example}"


def _files(form: NameForm) -> str:
    seen = [one for one, _ in form.of_kind() if one.form]
    if not seen:
        return ""
    forms = Counter(one.form for one in seen)
    shown = ", ".join(f"{text} ({number})" for text, number in forms.most_common(SHOWN_FILES))
    more = f" and {len(forms) - SHOWN_FILES} more" if len(forms) > SHOWN_FILES else ""
    shapes = sorted({one.shape for one in seen}, key=math.prod)
    ends = ["x".join(map(str, shape)) for shape in (shapes[0], shapes[-1])]
    sizes = ends[0] if len(shapes) == 1 else f"{ends[0]} to {ends[1]}"
    return f"{WORDS.get(form.kind, 'unusable')}: {shown}{more}, of {sizes} values"


def _size(probe: MapProbe, form: NameForm) -> str:
    pairs = [(seen.ids.shape, size) for seen, size in form.of_kind() if seen.ids is not None and size]
    if not pairs:
        return "that of the images is not known: give --images DATASET, or their folder"
    same = sum(shape == size for shape, size in pairs)
    how = {"shape": "of the same shape", "stretched": "with the image stretched over them"}.get(probe.fit, probe.fit)
    return (
        f"that of the image in {same} of {len(pairs)}, the others {how}" if same < len(pairs) else "that of the image"
    )


def _ids(probe: MapProbe) -> str:
    pixels = probe.statistics.pixels
    total = sum(pixels.values())
    shown = ", ".join(f"{value} ({number / total:.1%})" for value, number in pixels.most_common(SHOWN_IDS))
    return f"{shown}{', ...' if len(pixels) > SHOWN_IDS else ''}; {len(pixels)} ids, the largest {max(pixels)}"


def _tables(probe: MapProbe) -> list[tuple[str, str]]:
    fitting = [fit for fit in probe.tables if not fit.contradiction]
    said = [f"{fit.name}: {fit.wrong:.0%} of the parts lie in the wrong order from head to foot" for fit in fitting]
    rows = [("fits" if number == 0 else "", text) for number, text in enumerate(said)]
    refused = [f"{fit.name}: {fit.contradiction}" for fit in probe.tables if fit.contradiction]
    return rows + [("not" if number == 0 else "", text) for number, text in enumerate(refused)]


def _notes(probe: MapProbe, form: NameForm) -> list[str]:
    notes = list(probe.unclear)
    broken = [seen for seen in form.sample if seen.wrong]
    if broken and form.kind in (IDS, SCORES):
        notes.append(
            f"{len(broken)} of {len(form.sample)} files cannot be used, first {broken[0].path} {broken[0].wrong}."
        )
    elif broken:
        notes.append(f"{broken[0].path} {broken[0].wrong}.")
    small = [seen for seen, _ in form.of_kind() if 0 < seen.bits < 8]
    if small:
        notes.append(
            f"{len(small)} of {len(form.sample)} are PNGs of {small[0].bits} bits, which hold 0 to "
            f"{2 ** small[0].bits - 1}: larger ids were cut if there were any. Save a palette of 256 colours."
        )
    if probe.alike:
        notes.append(f"{', '.join(probe.alike)} may fit as well: take the table of your tool.")
    if probe.ignore:
        notes.append(f"{', '.join(map(str, probe.ignore))} marks pixels without a class.")
    if form.kind == IDS and not any(value for value in probe.statistics.pixels):
        notes.append("Every pixel is 0: the maps show nobody.")
    return notes


def _advice(probe: MapProbe) -> list[str]:
    if not probe.table:
        text = "No shipped table fits. Write your own, a CSV with the columns value,class, and import them with it:"
    elif probe.dataset:
        text = "Import them:"
    else:
        text = f"Import them, with your dataset in place of {NO_DATASET}:"
    return [text]


def _command(probe: MapProbe, data_root: str) -> str:
    return RunCommand(probe.dataset or NO_DATASET, "import", set=probe.options, data_root=data_root).make("masks")


def _wrapped(label: str, text: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=label.ljust(INDENT),
        subsequent_indent=" " * INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )
