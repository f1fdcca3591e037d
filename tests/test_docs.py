"""Code blocks of the documentation: commands, options, TOML and Python, each tried."""

from __future__ import annotations

import ast
import importlib
import itertools
import re
import shlex
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from pasted import require_command_line

from pipeline.errors import UserError
from pipeline.runs.config_loading import load_config

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    path for pattern in ("*.md", "docs/*.md", "data_manifests/*.md", "findings/*.md") for path in ROOT.glob(pattern)
)
# Document -> the test that runs its Python as it is printed.
RUN_BY = {
    "README.md": "tests/pipeline/search/test_searcher.py",
    "docs/formats.md": "tests/pipeline/shards/test_format.py",
    "docs/labelers.md": "tests/test_docs_labelers.py",
}
# First word of a shell line that is not ours -> why it is not tried.
NOT_OURS = {
    "pip": "asks a package index",
    "git": "changes a repository",
    "cd": "changes the shell's folder",
    "export": "changes the shell's environment",
    "tensorboard": "serves until it is stopped",
}
INDENTED = re.compile(r"    (make|sorn|python|torchrun|pip|git|cd|export) ")


@dataclass(frozen=True)
class Block:
    """Code of a document: its language, "" where none is named, and the line where it begins."""

    where: str
    language: str
    text: str


def blocks(path: Path) -> list[Block]:
    """Fenced blocks, and runs of indented lines that begin with a command."""
    lines = path.read_text(encoding="utf-8").splitlines()
    found: list[Block] = []
    start, language, code = 0, "", list[str]()
    name = path.relative_to(ROOT).as_posix()
    for number, line in enumerate(lines, 1):
        if line.lstrip().startswith("```"):
            if start:
                found.append(Block(f"{name}:{start}", language, "\n".join(code)))
                start = 0
            else:
                start, language, code = number, line.strip().removeprefix("```"), []
        elif start:
            code.append(line)
        elif INDENTED.match(line) or (found and found[-1].text.endswith("\\") and line.startswith("     ")):
            if found and found[-1].language == "indented" and found[-1].text.endswith("\\"):
                found[-1] = Block(found[-1].where, "indented", f"{found[-1].text}\n{line.strip()}")
            else:
                found.append(Block(f"{name}:{number}", "indented", line.strip()))
    assert not start, f"{name}:{start}: a block without an end"
    return found


BLOCKS = [block for path in DOCUMENTS for block in blocks(path)]


def of(*languages: str) -> list[object]:
    return [pytest.param(block, id=block.where) for block in BLOCKS if block.language in languages]


def commands(text: str) -> list[list[str]]:
    """Words of each shell line; comments are left out, and lines that end with a backslash go on."""
    lines = text.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def is_shell(text: str) -> bool:
    first = re.match(r"\s*(?:[A-Z_]+=\S* )*([\w./-]+) ", text + " ")
    return bool(first) and first[1] in ("make", "sorn", "python", "torchrun", *NOT_OURS)


def require_options(words: list[str]) -> None:
    """Raises UserError for a --set whose option does not exist; the labelers' own are theirs to check."""
    settings = [value for option, value in itertools.pairwise(words) if option == "--set"]
    settings = [text for text in settings if re.match(r"\w+\.\w", text) and not text.startswith("masks.options.")]
    load_config("demo", tuple(settings))


def require_make(words: list[str]) -> None:
    command = ["make", "-n", "--no-print-directory", *words[1:]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{shlex.join(words)}: {done.stderr}"
    for word in words[1:]:
        name, _, value = word.partition("=")
        if name in ("ARGS", "GRID") and "$" not in value and "<" not in value:
            require_options(shlex.split(value))
            require_command_line(["tables", "run", *shlex.split(value)])


@pytest.mark.parametrize("block", of("", "sh", "shell", "bash", "console", "indented"))
def test_every_shell_line_parses(block: Block) -> None:
    if not is_shell(block.text):
        pytest.skip(f"{block.where}: not a command, but what a file or a screen holds")
    skipped = []
    for words in commands(block.text):
        while re.match(r"[A-Z_]+=", words[0]):  # variables for one command
            words = words[1:]
        if "pipeline" in words[1:] and words[words.index("pipeline") - 1] == "-m":
            words = ["sorn", *words[words.index("pipeline") + 1 :]]
        if words[0] == "make":
            require_make(words)
        elif Path(words[0]).name == "sorn":
            require_command_line(words[1:])
            require_options(words)
        elif words[0] == "python":
            assert (ROOT / words[1]).is_file(), f"{words[1]} does not exist"
        else:
            assert words[0] in NOT_OURS, f"{shlex.join(words)}: say in NOT_OURS why it is not tried"
            skipped.append(f"{words[0]} {NOT_OURS[words[0]]}")
    if len(skipped) == len(commands(block.text)):
        pytest.skip(f"{block.where}: {'; '.join(skipped)}")


@pytest.mark.parametrize("block", of("toml"))
def test_every_toml_block_loads(block: Block, tmp_path: Path) -> None:
    """What is a configuration, and no table of classes or manifest, is also loaded as one."""
    table = tomllib.loads(block.text)
    if table.keys() & {"model", "train", "eval", "danet", "schedule", "loss"} or "options" in table.get("masks", {}):
        (tmp_path / "mine.toml").write_text(block.text, encoding="utf-8")
        load_config(str(tmp_path / "mine.toml"))


@pytest.mark.parametrize("block", of("python"))
def test_every_python_block_is_run_by_a_test(block: Block) -> None:
    tree = ast.parse(block.text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in ("pipeline", "sorn"):
            assert all(hasattr(importlib.import_module(node.module), alias.name) for alias in node.names)
    document = block.where.partition(":")[0]
    assert document in RUN_BY, f"{block.where}: name the test that runs this block in RUN_BY"
    assert Path(document).name in (ROOT / RUN_BY[document]).read_text(encoding="utf-8")


def test_every_language_is_known() -> None:
    """A block of another language needs a check of its own."""
    known = {"", "sh", "shell", "bash", "console", "indented", "toml", "python"}
    assert {block.language for block in BLOCKS} <= known


def test_links_between_the_documents_lead_somewhere() -> None:
    for path in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.relative_to(ROOT)}: {target}"


@pytest.mark.parametrize(
    "line",
    [
        "sorn data chekc market1501",
        "sorn train --epochs 3",
        "sorn verify one two three",
        "sorn eval --set train.epochz=3",
        "make nothing",
        "make train ARGS='--set train.epochz=3'",
        "make train ARGS='--sett train.seed=3'",
    ],
)
def test_a_wrong_line_is_noticed(line: str) -> None:
    with pytest.raises((AssertionError, UserError, click.ClickException)):
        test_every_shell_line_parses(Block("here:1", "", line))


def test_the_citation_is_of_this_version_and_the_papers_authors() -> None:
    import yaml

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert citation["version"] == project["version"] and citation["license"] == project["license"]
    (paper,) = citation["references"]
    assert [author["family-names"] for author in paper["authors"]] == ["Zhang", "Yan", "Xue", "Hua", "Wang"]
    assert paper["title"].lower() in (ROOT / "README.md").read_text(encoding="utf-8").lower()
