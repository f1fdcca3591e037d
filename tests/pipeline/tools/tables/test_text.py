"""tables.md and the terminal: figures as they are, nothing invented, and names are no markup."""

from pipeline.runs.result_paths import TablesPaths
from pipeline.tools.tables.results import collect
from pipeline.tools.tables.text import markdown, terminal_lines


def test_rows_orderings_and_what_is_missing(evidence):
    text = "\n".join(markdown(evidence))
    assert "| SORN | 50.5 \\[44.1, 56.9] | 100.0 \\[100.0, 100.0] | 25.2 \\[22.1, 28.4] | 2 |" in text
    assert "| SORN beats Global | +10.0 \\[+10.0, +10.0] | +3.5 | holds | +5.0 \\[+5.0, +5.0] | +2.2 | holds |" in text
    assert "| S beats P |  | +0.6 | not measured |  | +0.7 | not measured |" in text
    assert "| S | not measured | not measured | not measured | 0 |" in text
    assert "- S: not measured with seed 0, 1; plain-seed0 train: never finished" in text
    assert "- P: not measured with seed 0, 1; no joints: masks.keypoints = none" in text
    assert "made by hand, tau 0.15" in text and "seeds 0, 1" in text and "make tables DATASET=synped\\_demo" not in text
    assert "tables: 3 of 6 rows are measured with every seed (0, 1)" in terminal_lines(evidence)[0]


def test_without_a_result_no_number_is_shown(make_grid, tmp_path):
    text = "\n".join(markdown(collect(make_grid(), TablesPaths(tmp_path / "tables"))))
    assert "Nothing is measured yet" in text and "| SORN | not measured | not measured | not measured | 0 |" in text


def test_text_from_outside_is_no_markup(hostile):
    table = [line for line in markdown(hostile("<img src=x>|`*")) if line.startswith("| \\<img")]
    assert len(table) == 2 and all("\\|\\`\\*" in line for line in table)


def test_one_seed_has_no_interval(make_grid, write_reports, tmp_path):
    grid = make_grid(seeds=1)
    write_reports(grid, {("sorn", 0): {"sorn": 0.5, "global": 0.4}})
    text = "\n".join(markdown(collect(grid, TablesPaths(tmp_path / "tables"))))
    assert "| SORN | 50.0 | 100.0 | 25.0 | 1 |" in text and "| +10.0 | +3.5 | undecided |" in text


def test_what_else_there_is_stands_in_one_line_with_the_command(make_grid, write_reports, tmp_path):
    grid, files = make_grid(), TablesPaths(tmp_path / "tables")
    write_reports(grid, {("sorn", seed): {"sorn": 0.5, "global": 0.4} for seed in (0, 1)})
    evidence = collect(grid, files, asked=())
    line = "Not asked for, and not shown: 3 more jobs of the tables (plain, ext, pose). All of them"
    assert terminal_lines(evidence)[-1] == f"tables: {line}: {evidence.whole}"
    text = "\n".join(markdown(evidence))
    assert text.endswith(f"{line}:\n\n    {evidence.whole}") and "never finished" not in text
    assert line.replace("3 more jobs", "1 more job").replace("plain, ext, ", "") in "\n".join(
        markdown(collect(grid, files, asked={"plain", "ext"}))
    )
    assert "Not asked for" not in "\n".join(markdown(collect(grid, files)))
