"""docs/tables.md: every row of the paper's tables loads, gives the row of the report that it points to, and is that of
pipeline/tools/tables/rows.toml.
"""

import re
from pathlib import Path

import pytest

from pipeline.datasets.manifest import load_manifest
from pipeline.runs.config_loading import load_config, presets
from pipeline.tools.tables.grid import distinct
from pipeline.tools.tables.plan import Row, read_plan

DOCS = Path(__file__).parents[1] / "docs"
TEXT, REPRODUCTION = ((DOCS / name).read_text(encoding="utf-8") for name in ("tables.md", "reproduction.md"))
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if re.match(r"\| (I|II|III|IV) \|", line)
]
PLAN = distinct(read_plan(), "paper", ())
FIGURE_8 = ("Figure 8, P", "Figure 8, N")


def options(row: list[str]) -> tuple[str, ...]:
    return tuple(re.findall(r"`([^`]+)`", row[3]))


def load(row: list[str]):
    return load_config(row[2].strip("`"), options(row))


def planned(row: Row):
    """The row's options in rows.toml; which folder a segmenter lies in is the grid's to say."""
    job = PLAN.jobs[row.job]
    return load_config("paper", (*job.options, *(["eval.segmenter=FOLDER"] if job.segmenter else [])))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} {row[1]}")
def test_a_row_loads_and_is_in_the_report(row):
    config = load(row)
    model, report = config.model, row[4].strip("`")
    variants = {"global"} if model.global_branch else set()
    variants |= {"global+local", "sorn", "sorn, exact masks"} if model.local_branch else set()
    assert report in variants
    if report == "sorn":  # somebody must pick the stripes
        assert model.semantic_branch or config.eval.visibility != "network"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} {row[1]}")
def test_a_row_is_that_of_the_grid(row):
    own = PLAN.row(row[0], row[1])
    ours, words = planned(own), load(row)
    assert own.report == row[4].strip("`")
    assert ours.model == words.model and ours.eval.visibility == words.eval.visibility
    if row[2] == "`paper`":  # the grid trains PCB by the recipe of the others, as the page says
        assert (ours.loss, ours.schedule, ours.train) == (words.loss, words.schedule, words.train)


def test_every_row_of_the_grid_is_described():
    described = {(row[0], row[1]) for row in ROWS}
    floors = {row for row in PLAN.rows if row.report.startswith("colour")}
    assert {(row.table, row.name) for row in PLAN.rows if row not in floors and row.table not in FIGURE_8} == described
    assert {row.table for row in floors} == set(PLAN.tables) == {"I", "II", "III", "IV", *FIGURE_8}
    assert all(PLAN.jobs[row.job].options == ("eval.colour=true",) for row in floors)
    assert "`eval.colour=true`" in TEXT


def test_pcb_in_words_is_that_of_the_grid():
    (words,) = re.findall(r"make eval DATASET=synped_small CONFIG=synped ARGS=\"([^\"]+)\"", TEXT)
    assert tuple(re.findall(r"--set (\S+)", words)) == PLAN.jobs["pcb"].options
    (words,) = re.findall(r"make train DATASET=synped_small CONFIG=synped ARGS=\"([^\"]+)\"", TEXT)
    assert tuple(re.findall(r"--set (\S+)", words)) == PLAN.jobs["segmenter"].options


def test_figure_8_sweeps_one_option_and_passes_the_papers_value():
    for table, option in zip(FIGURE_8, ("stripes", "channel_sets"), strict=True):
        rows = [row for row in PLAN.rows if row.table == table and " = " in row.name]
        values = [int(row.name.rpartition("= ")[2]) for row in rows]
        assert values == sorted(values) and 3 in values
        assert [getattr(planned(row).model, option) for row in rows] == values


def test_orderings_are_the_papers():
    for order in PLAN.expected:
        better, worse = (PLAN.row(order.table, name) for name in (order.better, order.worse))
        if worse.paper is not None and better.paper is not None:
            assert all(a > b for a, b in zip(better.paper, worse.paper, strict=True)), order.name


def test_the_rows_are_the_papers():
    counts = [sum(row[0] == table for row in ROWS) for table in ("I", "II", "III", "IV")]
    assert counts == [3, 6 + 1, 16, 2]  # the paper has no ground truth
    assert len({(row[0], row[1]) for row in ROWS}) == len(ROWS)
    three = {row[1]: load(row) for row in ROWS if row[0] == "III"}
    pickers = {"S": "segmenter", "P": "pose"}
    for name, config in three.items():
        assert config.model.semantic_branch == (not name.startswith("w/o semantic"))
        assert config.model.labels == (int(name[0]) if name[0].isdigit() else 8)
        assert config.loss.label_smoothing == (0 if name.endswith("w/o LS") else 0.1)
        assert config.eval.visibility == pickers.get(name.partition("+Local Features+")[2], "network")
    assert all(load(row).loss.spc_weight == (0 if "w/o SPC" in row[1] else 0.5) for row in ROWS if row[0] == "II")


def test_figures_of_the_paper_are_those_of_the_manifest():
    printed = {(row["rank-1"], row["mAP"]) for row in load_manifest("occluded_duke").paper}
    assert all(row.paper in printed for row in PLAN.rows if row.paper is not None)


def test_what_the_grid_costs_is_counted():
    trained = [job for job in PLAN.jobs.values() if not job.same_training_as]
    evaluated = [job for job in PLAN.jobs.values() if job.evaluate]
    epochs = len(trained) * load_config("paper").schedule.epochs
    steps = epochs * (15_618 // 32)  # training images of Occluded-DukeMTMC
    counts = f"| {len(trained)} | {len(evaluated)} | {epochs:,} | {steps:,} | not measured |"
    assert f"| `make tables` on Occluded-DukeMTMC {counts}" in REPRODUCTION
    figure_8 = {row.job for row in PLAN.rows if row.table in FIGURE_8} - {"sorn"}
    assert f"{len(trained) - len(figure_8)} are for Tables I to IV, {len(figure_8)} more for Figure 8" in REPRODUCTION


def test_open_options_are_the_programs():
    config = load_config("paper")
    for section, field in re.findall(r"^\|[^|]+\| `(\w+)\.(\w+)`", REPRODUCTION, re.MULTILINE):
        assert hasattr(getattr(config, section), field), field
    for option, default in re.findall(r"^\|[^|]+\| `(\w+\.\w+)` \| `?([\w.]+)", REPRODUCTION, re.MULTILINE):
        section, field = option.split(".")
        value = getattr(getattr(config, section), field)
        assert default == (
            str(value).lower() if isinstance(value, bool) else f"{value:g}" if value == 0 else str(value)
        )


def test_commands_name_options_and_presets_that_there_are():
    for line in re.findall(r"^    (make .*)", TEXT.replace("\\\n", " "), re.MULTILINE):
        words = tuple(re.findall(r"--set (\S+?=[^\s\"]+)", line))
        (name,) = re.findall(r"CONFIG=(\S+)", line)
        if name != "<CONFIG>":
            assert name in presets()
            load_config(name, words)
    for option in re.findall(r"`((?:model|loss|eval|masks)\.\w+)`", TEXT):
        section, field = option.split(".")
        assert hasattr(getattr(load_config("paper"), section), field), option
