"""summary.json, as later stages read it."""

import json

import pytest

from pipeline.datasets.manifest import STANDARD
from pipeline.datasets.records import Finding
from pipeline.datasets.summary import DataSummary, SplitCounts, read_summary, write_summary
from pipeline.errors import UserError
from pipeline.runs.layout import Paths

SUMMARY = DataSummary(
    name="mine",
    title="Mine",
    root="/data/mine",
    splits={"train": SplitCounts(3, 2, {"1": 2, "4": 1}), "query": SplitCounts(0, 0, {})},
    findings=(Finding("warning", "few people", "Add some."), Finding("note", "a table")),
    protocols=(STANDARD,),
    pid_labels={"1": "Zoë"},
    content="0" * 64,
)


@pytest.mark.parametrize(
    "content", ["{", "[]", "3", "{}", '{"root": 1}', '{"root": "x", "splits": {"train": 3}}', "[" * 100_000]
)
def test_a_damaged_summary_is_named_with_the_command_that_makes_it(tmp_path, content):
    paths = Paths("mine", "import", tmp_path, tmp_path)
    paths.data_summary.parent.mkdir(parents=True)
    paths.data_summary.write_text(content)
    with pytest.raises(UserError, match=r"summary\.json cannot be read: .*Run: make data DATASET=mine"):
        read_summary(paths.data_summary, "make data DATASET=mine")


def test_a_summary_is_read_as_it_was_written(tmp_path):
    write_summary(tmp_path / "summary.json", SUMMARY)
    assert read_summary(tmp_path / "summary.json", "mine") == SUMMARY and SUMMARY.warnings == ("few people",)


def test_the_file_keeps_its_keys_and_their_order(tmp_path):
    path = tmp_path / "summary.json"
    write_summary(path, SUMMARY)
    text = path.read_text(encoding="utf-8")
    assert "Zoë" in text
    assert list(json.loads(text)) == [
        "name",
        "title",
        "licence",
        "notice",
        "camera_policy",
        "root",
        "source",
        "masks",
        "evaluation_only",
        "splits",
        "expected_images",
        "expected_ids",
        "junk_dropped",
        "distractors_kept",
        "findings",
        "protocols",
        "pid_labels",
        "camid_labels",
        "content",
        "tracks",
    ]
