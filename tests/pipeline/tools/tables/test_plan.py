"""rows.toml as it is, and what a file of its kind may not say."""

import pytest

from pipeline.errors import UserError
from pipeline.tools.tables.plan import read_plan

SMALL = """
[jobs.a]
[jobs.b]
same_training_as = "a"
options = ["eval.tau=0.2", "model.stripes=2"]
[[floors]]
name = "colours"
job = "a"
report = "colour"
[[rows]]
table = "I"
name = "one"
job = "a"
report = "sorn"
paper = [57.6, 46.3]
[[rows]]
table = "II"
name = "two"
job = "b"
report = "global"
[[expected]]
name = "one beats colours"
table = "I"
better = "one"
worse = "colours"
"""


def test_floors_come_first_in_every_table(tmp_path):
    path = tmp_path / "rows.toml"
    path.write_text(SMALL)
    plan = read_plan(path)
    assert [(row.table, row.name) for row in plan.rows] == [
        ("I", "colours"), ("I", "one"), ("II", "colours"), ("II", "two"),
    ]  # fmt: skip
    assert plan.tables == ("I", "II") and plan.row("I", "one").paper == (57.6, 46.3)
    assert plan.jobs["b"].needs == ("a",) and plan.jobs["b"].training_options == ("model.stripes=2",)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('job = "b"', 'job = "c"', r"row 'two' of table II is of job 'c'\. Jobs that evaluate: a, b"),
        ('report = "global"', 'report = "globe"', r"'two' of table II reads 'globe'\. A report has: global, "),
        ('same_training_as = "a"', 'same_training_as = "z"', r"job 'b' needs 'z'\. Jobs that need no other: a"),
        (
            'same_training_as = "a"',
            'same_trainig_as = "a"',
            r"unknown key 'jobs\.b\.same_trainig_as'\. Did you mean same_training_as\?",
        ),
        ('worse = "colours"', 'worse = "three"', r"no row 'three' in table I"),
        ('name = "one"\n', "", r"the key 'rows\[0\]\.name' is missing"),
        ("[57.6, 46.3]", "[57.6]", r"rows\[0\]\.paper = \[57\.6\]: expected a list of 2"),
        ('name = "one"\n', 'name = "colours"\n', r"table I has two rows 'colours'"),
        ("[jobs.a]", "[jobs.a", r"rows\.toml cannot be read"),
    ],
)
def test_what_cannot_be_is_named(tmp_path, old, new, message):
    path = tmp_path / "rows.toml"
    path.write_text(SMALL.replace(old, new, 1))
    with pytest.raises(UserError, match=message):
        read_plan(path)


def test_units_hold_what_depends_on_each_other_and_needed_jobs_come_first():
    units = [[job.name for job in unit] for unit in read_plan().units()]
    assert ["no-semantic", "segmenter", "external-segmenter", "external-pose"] in units
    assert sum(map(len, units)) == len(read_plan().jobs) and all(len(unit) in (1, 4) for unit in units)


def test_only_takes_what_it_needs_along():
    plan = read_plan()
    chosen = plan.units(["external-segmenter", "sorn"])
    assert [[job.name for job in unit] for unit in chosen] == [
        ["sorn"],
        ["no-semantic", "segmenter", "external-segmenter"],
    ]
    with pytest.raises(UserError, match=r"no job 'son'\. Jobs: sorn, "):
        plan.units(["son"])


def test_a_job_that_repeats_an_earlier_one_is_that_one():
    content = {"P3": "sorn", "no-ls": "sorn", "no-semantic": "sorn"}
    plan = read_plan().without_repeats(lambda job: content.get(job.name, job.name))
    assert read_plan().jobs.keys() - plan.jobs.keys() == {"P3", "no-ls"}  # others need no-semantic
    assert plan.row("Figure 8, P", "P = 3").job == plan.row("III", "8 labels, SORN w/o LS").job == "sorn"
    assert [[job.name for job in unit] for unit in plan.units(["P3", "P2"])] == [["sorn"], ["P2"]]
