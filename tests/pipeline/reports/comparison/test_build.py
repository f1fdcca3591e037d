"""Evaluations side by side: numbers by hand, pairing by name, what cannot be compared, and text that is no markup."""

from __future__ import annotations

import csv
import dataclasses
import html
import json
import random
import re
import shlex
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from browser import SCHEMES, look, needs_browser, require_sound
from click.testing import CliRunner
from sample_report import REPORT, with_provenance

from pipeline.cli.app import main
from pipeline.evaluation.figures import KEYS
from pipeline.evaluation.per_query import COLUMNS
from pipeline.evaluation.report import VariantFigures
from pipeline.io.files import write_json
from pipeline.runs.config import EvalConfig

if TYPE_CHECKING:
    from conftest import Evaluated

NAMES = ["query/a.jpg", "query/b.jpg", "query/c.jpg", "query/d.jpg"]
PIDS = [2, 1, 2, 2]
BEFORE, AFTER = [0.5, 0.25, 0.5, 1.0], [0.5, 0.75, 0.25, 1.0]


def write_run(
    runs: Path,
    name: str,
    ap: list[float],
    names: list[str] = NAMES,
    pids: list[int] = PIDS,
    variants: tuple[str, ...] = ("global", "sorn"),
    order: list[int] | None = None,
    **options: Any,
) -> Path:
    """runs/NAME/eval, as the eval stage leaves it. ap: of every query; rank-k is 1 where it is above 0.4.

    order: of the lines of queries.csv. options: of the report's configuration, or `dataset_...` and `single_shot`.
    """
    folder = runs / name / "eval"
    folder.mkdir(parents=True)
    values = {figure: ap if figure in ("mAP", "mINP") else [float(value > 0.4) for value in ap] for figure in KEYS}
    with open(folder / "queries.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for variant in variants:
            for i in order or range(len(names)):
                row = [variant, names[i], pids[i], 1, 3, 1.0, *(values[figure][i] for figure in KEYS)]
                writer.writerow(row)
            writer.writerow([variant, "query/skipped.jpg", 9, 1, 0, "", *("" for _ in KEYS)])
    dataset = {key[8:]: options.pop(key) for key in list(options) if key.startswith("dataset_")}
    figures = VariantFigures({figure: float(np.mean(values[figure])) for figure in KEYS}, len(names), 1)
    report = dataclasses.replace(
        REPORT,
        single_shot=options.pop("single_shot", False),
        metrics=dict.fromkeys(variants, figures),
        chance={"mAP": options.pop("chance", 0.03)},
        dataset=dataclasses.replace(REPORT.dataset, **{"name": "mine", "notice": "", "gallery_images": 30, **dataset}),
    )
    report = with_provenance(
        report,
        checkpoint_sha256=options.pop("sha256", "a" * 64),
        training={"model": {"parts": options.pop("parts", 3)}, "pids": [1, 2, 3]},
        config=EvalConfig(**options),
    )
    write_json(folder / "report.json", report.to_json())
    return folder


def compare(runs: Path, *words: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, ["report", "compare", *words, "--runs", str(runs)])
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.output


def written(runs: Path, folder: str = "compare-reports-before-after") -> dict[str, Any]:
    return json.loads((runs / folder / "comparison.json").read_text())


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    write_run(tmp_path, "before", BEFORE)
    write_run(tmp_path, "after", AFTER, tau=0.3, sha256="b" * 64)
    return tmp_path


def test_numbers_by_hand(runs: Path) -> None:
    out = compare(runs, "before", "after")
    report = written(runs)
    assert (report["queries"], report["persons"], report["variant"], report["metric"]) == (4, 2, "sorn", "mAP")
    assert report["runs"][1]["metrics"]["sorn"] == {"rank-1": 0.75, "rank-5": 0.75, "mAP": 0.625, "mINP": 0.625}
    (found,) = report["differences"]
    assert (found["run"], found["against"]) == ("after", "before")
    assert (found["better"], found["worse"], found["equal"]) == (1, 1, 2)
    # Person 1 gained 1/2 with one query, person 2 lost 1/4 with three: a draw is 1/2, 1/16 or -1/12.
    expected = {"value": 0.0625, "low": -0.25 / 3, "high": 0.5}
    assert {key: found["figures"]["mAP"][key] for key in expected} == pytest.approx(expected)
    assert not found["figures"]["mAP"]["excludes_zero"]
    assert found["changed"] == [
        {"query": "query/b.jpg", "pid": 1, "before": 0.25, "after": 0.75},
        {"query": "query/c.jpg", "pid": 2, "before": 0.5, "after": 0.25},
    ]
    assert report["options"] == {"eval.tau": [0.15, 0.3], "checkpoint_sha256": ["a" * 64, "b" * 64]}
    assert "Queries by mAP: 1 better, 1 worse, 2 equal." in out
    assert re.search(r"mAP +\+6\.2 +-8\.3 +\+50\.0 +holds 0", out) and "4 queries of 2 persons" in out


def test_warnings_of_the_runs_and_of_the_intervals_are_told(runs: Path) -> None:
    """One that all runs have names none; few persons are told once, of old reports too."""
    out = compare(runs, "before", "after")
    shared = str(REPORT.warnings[0])
    few = "the figures are of 2 persons only. Other persons would change them by many points, and an interval from so "
    few += "few hardly means anything."
    assert [line for line in out.splitlines() if line.startswith("warning: ")] == [
        f"warning: {few}",
        f"warning: {shared}",
    ]
    path = runs / "after" / "eval" / "report.json"
    report = json.loads(path.read_text())
    path.write_text(json.dumps(report | {"warnings": [{"text": "for 3 steps only", "why": "Short."}]}))
    compare(runs, "before", "after")
    told = [f"{item['text']}. {item['why']}" for item in written(runs)["warnings"]]
    assert told == [few, f"before: {shared}", "after: for 3 steps only. Short."]
    folder = runs / "compare-reports-before-after"
    page = Page((folder / "comparison.html").read_text())
    assert all(line in page.text and f"- {line}" in (folder / "comparison.md").read_text() for line in told)


def test_queries_are_paired_by_name_whatever_their_order(runs: Path) -> None:
    compare(runs, "before", "after")
    order = [0, 1, 2, 3]
    random.Random(1).shuffle(order)
    assert order != [0, 1, 2, 3]
    write_run(runs, "mixed", AFTER, order=order, tau=0.3, sha256="b" * 64)
    compare(runs, "before", "mixed")
    ours, theirs = (written(runs)["differences"][0], written(runs, "compare-reports-before-mixed")["differences"][0])
    assert {**theirs, "run": "after"} == ours


def test_a_metric_and_a_variant_are_chosen(runs: Path) -> None:
    out = compare(runs, "before", "after", "--variant", "global", "--metric", "rank-3")
    report = written(runs)
    assert report["variant"] == "global" and "rank-3" in report["differences"][0]["figures"]
    assert "Queries by rank-3: 1 better, 1 worse, 2 equal." in out
    assert "expected one of rank-1" in compare(runs, "before", "after", "--metric", "map", code=1)
    out = compare(runs, "before", "after", "--variant", "pose", code=1)
    assert "variant 'pose' is not in all runs" in out and "before: global, sorn" in out


def test_the_fullest_variant_of_all_is_compared(runs: Path) -> None:
    write_run(runs, "narrow", AFTER, variants=("global",))
    compare(runs, "before", "narrow", "after")
    report = written(runs, "compare-reports-before-narrow-after")
    assert report["variant"] == "global" and [found["run"] for found in report["differences"]] == ["narrow", "after"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset_name": "yours"}, "they differ in dataset: mine in before, yours in other"),
        ({"split": "val"}, "split: test in before, val in other"),
        ({"protocol": "partial"}, "protocol: default in before, partial in other"),
        ({"average_precision": "trapezoid"}, "average precision: standard in before, trapezoid in other"),
        ({"single_shot": True}, "one gallery image per person: False in before, True in other"),
        ({"dataset_gallery_images": 29}, "gallery images: 30 in before, 29 in other"),
        ({"chance": 0.04}, "mAP by chance: 0.03 in before, 0.04 in other"),
        ({"names": [*NAMES[:3], "query/e.jpg"]}, "1 of the queries are only in before, first query/d.jpg"),
        ({"names": [*NAMES, "query/e.jpg"], "pids": [*PIDS, 5]}, "1 of the queries are only in other, first query/e"),
        ({"pids": [2, 1, 2, 1]}, "query query/d.jpg is person 2 in before, 1 in other"),
    ],
)
def test_other_settings_and_queries_are_refused(runs: Path, changes: dict[str, Any], message: str) -> None:
    ap = AFTER + [0.5] * (len(changes.get("names", NAMES)) - len(AFTER))
    write_run(runs, "other", ap, **changes)
    assert message in compare(runs, "before", "other", code=1)
    assert not list(runs.glob("compare*"))


def test_persons_may_be_numbers_in_one_run_and_names_in_the_other(runs: Path) -> None:
    """As runs of 0.1 have them, and those of today, for a list of names."""
    write_run(runs, "named", AFTER, pids=["zoe", "anna <b>", "zoe", "zoe"])  # type: ignore[list-item]
    compare(runs, "before", "named")
    assert written(runs, "compare-reports-before-named")["differences"][0]["changed"][0]["pid"] == 1
    compare(runs, "named", "before")
    assert written(runs, "compare-reports-named-before")["differences"][0]["changed"][0]["pid"] == "anna <b>"
    assert "anna <b>" not in (runs / "compare-reports-named-before/comparison.html").read_text()


def test_draws_of_another_seed_are_refused(runs: Path) -> None:
    for name, seed in (("one", 0), ("two", 1)):
        write_run(runs, name, AFTER, single_shot=True, seed=seed)
    assert "seed of the draws: 0 in one, 1 in two" in compare(runs, "one", "two", code=1)


def test_runs_are_found_by_name_or_path(runs: Path) -> None:
    (runs / "after" / "eval").rename(runs / "after" / "eval-from-x")
    compare(runs, "before", "after/eval-from-x", "--out", str(runs / "here"))
    assert written(runs, "here")["differences"][0]["run"] == "after/eval-from-x"
    compare(runs, str(runs / "before"), str(runs / "after" / "eval-from-x"))
    assert (runs / "compare-reports-before-after-eval-from-x" / "comparison.md").is_file()
    out = compare(runs, "before", "afterr", code=1)
    assert "no evaluation of 'afterr'" in out and "Evaluated runs: after/eval-from-x, before." in out
    assert "before is named twice" in compare(runs, "before", "before", code=1)
    assert "only 'before' is given" in compare(runs, "before", code=1)


def test_runs_of_one_name_are_told_apart_by_their_folders(runs: Path) -> None:
    elsewhere = write_run(runs / "more", "before", AFTER)
    compare(runs, "before", str(elsewhere), "--out", str(runs / "here"))
    names = [run["name"] for run in written(runs, "here")["runs"]]
    assert names == [str(runs / "before" / "eval"), str(elsewhere)]


def test_damaged_and_old_files_are_named(runs: Path) -> None:
    path = runs / "after" / "eval" / "report.json"
    report = json.loads(path.read_text())
    for change, message in (
        ({"schema_version": 1}, "of schema version 1"),
        ({"provenance": {}}, "provenance.labeler is missing"),
        ({"metrics": {}}, "two different evaluations"),
    ):
        path.write_text(json.dumps({**report, **change}))
        assert message in compare(runs, "before", "after", code=1)
    report["metrics"]["sorn"]["mAP"] += 0.01
    path.write_text(json.dumps(report))
    assert "report.json and queries.csv in" in compare(runs, "before", "after", code=1)
    path.write_text("{")
    assert "is no report of an evaluation" in compare(runs, "before", "after", code=1)
    path.write_text(json.dumps(report))
    (runs / "after" / "eval" / "queries.csv").unlink()
    assert "there are no results of single queries" in compare(runs, "before", "after", code=1)


def test_queries_of_one_person_have_no_interval(tmp_path: Path) -> None:
    for name, ap in (("one", BEFORE), ("two", AFTER)):
        write_run(tmp_path, name, ap, pids=[1, 1, 1, 1])
    assert "all 4 queries are of one person" in compare(tmp_path, "one", "two", code=1)


class Page(HTMLParser):
    """Counts tags and collects text, as a browser would see them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not any(name in ("src", "href") for name, _ in attrs), "the page opens from disk alone"

    def handle_data(self, data: str) -> None:
        self.text += data


def test_names_that_would_be_markup_are_shown(tmp_path: Path) -> None:
    names = ["query/<img src=x>|.jpg", *NAMES[1:]]
    for name, ap in (("before", [0.125, *BEFORE[1:]]), ("a<b>&c", AFTER)):
        write_run(tmp_path, name, ap, names=names, dataset_notice="<b>Withdrawn</b>", dataset_name="mi|ne")
    compare(tmp_path, "before", "a<b>&c", "--out", str(tmp_path / "here"))
    page = Page((tmp_path / "here" / "comparison.html").read_text())
    assert "img" not in page.tags and page.tags.count("svg") == 4
    assert "query/<img src=x>|.jpg" in page.text and "a<b>&c against before" in page.text
    assert "<b>Withdrawn</b>" in page.text and "Options that differ" in page.text
    text = (tmp_path / "here" / "comparison.md").read_text()
    assert r"| query/\<img src=x>\|.jpg | 2 | 12.5 | 50.0 | +37.5 |" in text


@needs_browser
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_page_is_sound_in_a_browser(tmp_path: Path, scheme: str) -> None:
    names = ["query/<img src=x onerror=broken()>.jpg", *NAMES[1:]]
    for name, ap in (("before", BEFORE), ("a<b>&c", AFTER)):
        write_run(tmp_path, name, ap, names=names)
    compare(tmp_path, "before", "a<b>&c", "--out", str(tmp_path / "here"))
    require_sound(look(tmp_path, (tmp_path / "here" / "comparison.html").read_text(), scheme))


def test_the_drawing_is_to_scale(runs: Path) -> None:
    compare(runs, "before", "after")
    page = (runs / "compare-reports-before-after" / "comparison.html").read_text()
    section = page.partition("<h3>mAP</h3>")[2].partition("<h3>")[0]
    first, last = map(float, re.search(r'class="range " x1="([\d.]+)" x2="([\d.]+)"', section).groups())
    reach = max(
        abs(figure[key]) for figure in written(runs)["differences"][0]["figures"].values() for key in ("low", "high")
    )
    assert (first, last) == pytest.approx((500 - 500 * 0.25 / 3 / reach, 500 + 500 * 0.5 / reach), abs=0.06)
    assert 'aria-label="after: +6.2, from -8.3 to +50.0"' in section


def test_queries_that_changed_have_pictures_of_both_runs(tmp_path: Path, evaluated: Evaluated) -> None:
    found = evaluated.scores
    names, pids = (array[3:7].tolist() for array in (found.query.name, found.query.pid))
    folders = [write_run(tmp_path, name, ap, names, pids) for name, ap in (("one", BEFORE), ("an other", AFTER))]
    page = tmp_path / "compare-reports-one-an other" / "comparison.html"
    compare(tmp_path, "one", "an other", "--variant", "sorn")
    again = "; ".join(f"sorn eval {shlex.quote(str(folder))} --force" for folder in folders)
    assert html.unescape(page.read_text(encoding="utf-8")).count(again) == 1
    for folder in folders:
        shutil.copytree(evaluated.path.parent / "lists", folder / "lists")
    compare(tmp_path, "one", "an other", "--variant", "sorn")
    text = page.read_text(encoding="utf-8")
    cards = re.findall(r'<article class="changed">.*?</article>', text, re.DOTALL)
    assert len(cards) == 2 and "mAP 25.0 → 75.0 %" in cards[0] and names[1] in cards[0]
    for card, number in zip(cards, (4, 5), strict=True):
        positions = found.answers["sorn"].answers.positions[number]
        for name in found.gallery.name[positions]:
            assert card.count(html.escape(f" · {name}")) == 2  # in the list of each run
        assert card.count("data:image/jpeg;base64,") == 1 + 2 * 5
        assert f'href="../an%20other/eval/report.html#query=query%2F{number:04d}.jpg"' in card
    compare(tmp_path, "one", "an other", "--variant", "global")
    assert "the reports have no lists of global" in page.read_text(encoding="utf-8")
    (folders[0] / "lists" / "answers-00000.js").write_text("broken")
    compare(tmp_path, "one", "an other", "--variant", "sorn")
    assert "the lists beside a report cannot be read" in page.read_text(encoding="utf-8")


@needs_browser
@pytest.mark.parametrize("scheme", SCHEMES)
def test_pictures_fit_a_phone(scheme: str, tmp_path: Path, evaluated: Evaluated) -> None:
    names, pids = (array[3:7].tolist() for array in (evaluated.scores.query.name, evaluated.scores.query.pid))
    for name, ap in (("one", BEFORE), ("two", AFTER)):
        shutil.copytree(evaluated.path.parent / "lists", write_run(tmp_path, name, ap, names, pids) / "lists")
    compare(tmp_path, "one", "two")
    folder = tmp_path / "compare-reports-one-two"
    require_sound(look(folder, (folder / "comparison.html").read_text(encoding="utf-8"), scheme))
